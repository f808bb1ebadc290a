//! Secrets that can be found again, wherever and however they are written.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use data_encoding::{BASE64, BASE64URL, HEXLOWER, HEXUPPER};

/// A secret with a word in it that is in no other text.
#[derive(Clone, Debug)]
pub struct Sentinel {
    /// By which door it comes in.
    pub door: &'static str,
    /// The secret.
    pub secret: String,
}

impl Sentinel {
    /// A secret for one door.
    #[must_use]
    pub fn new(door: &'static str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let word = door.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        Sentinel {
            door,
            secret: format!(
                "sk-SENTINEL{word}{:05}x{:08x}",
                number,
                std::process::id().wrapping_mul(2_654_435_761)
            ),
        }
    }

    /// Makes a sentinel of a secret without such a word, such as a token.
    #[must_use]
    pub fn of(door: &'static str, secret: &str) -> Self {
        Sentinel {
            door,
            secret: secret.to_owned(),
        }
    }

    /// Returns the forms in which the secret may be written: as it is, in hex, and in Base64 at any offset in a
    /// longer text.
    fn forms(&self) -> Vec<(&'static str, Vec<u8>)> {
        let bytes = self.secret.as_bytes();
        let mut forms = vec![
            ("raw", bytes.to_vec()),
            ("hex", HEXLOWER.encode(bytes).into()),
            ("HEX", HEXUPPER.encode(bytes).into()),
        ];
        let decimal: Vec<String> = bytes.iter().map(ToString::to_string).collect();
        forms.push(("bytes", decimal.join(", ").into()));
        forms.push(("bytes", decimal.join(",").into()));
        forms.push(("reversed", bytes.iter().rev().copied().collect()));
        for before in 0..3 {
            let shifted: Vec<u8> = std::iter::repeat_n(b'_', before).chain(bytes.iter().copied()).collect();
            // Characters that depend on what stands before or after are no part of the pattern.
            let (from, until) = (usize::from(before > 0) * 4, shifted.len() / 3 * 4);
            for text in [BASE64.encode(&shifted), BASE64URL.encode(&shifted)] {
                forms.push(("base64", text[from..until].into()));
            }
        }
        forms.push(("upper case", self.secret.to_ascii_uppercase().into()));
        forms.push(("lower case", self.secret.to_ascii_lowercase().into()));
        forms
    }

    /// Finds the secret in these bytes, in any form. Returns the form and the offset.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(&'static str, usize)> {
        self.forms()
            .iter()
            .find_map(|(form, pattern)| position(bytes, pattern).map(|at| (*form, at)))
    }

    /// Finds the secret in the files below a directory.
    ///
    /// # Panics
    /// If a file cannot be read.
    #[must_use]
    pub fn find_below(&self, directory: &Path) -> Vec<Finding> {
        let mut findings = Vec::new();
        for path in files_below(directory) {
            let bytes = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let name = Finding::of(
                self,
                &format!("the name of {}", path.display()),
                path.as_os_str().as_encoded_bytes(),
            );
            findings.extend(name);
            findings.extend(Finding::of(self, &path.display().to_string(), &bytes));
        }
        findings
    }
}

/// A secret where none may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// By which door it came in.
    pub door: &'static str,
    /// The place at which it was found.
    pub place: String,
    /// In which form.
    pub form: &'static str,
    /// The text around it.
    pub around: String,
}

impl Finding {
    /// Searches bytes that stood in a place.
    #[must_use]
    pub fn of(sentinel: &Sentinel, place: &str, bytes: &[u8]) -> Option<Finding> {
        let (form, at) = sentinel.find(bytes)?;
        let around = &bytes[at.saturating_sub(160)..bytes.len().min(at + 160)];
        let around = String::from_utf8_lossy(around).into_owned();
        Some(Finding {
            door: sentinel.door,
            place: place.to_owned(),
            form,
            around,
        })
    }
}

fn position(bytes: &[u8], pattern: &[u8]) -> Option<usize> {
    let first = *pattern.first()?;
    let mut from = 0;
    while let Some(at) = bytes[from..].iter().position(|&b| b == first) {
        if bytes[from + at..].starts_with(pattern) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display())) {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            files.extend(files_below(&entry.path()));
        } else {
            files.push(entry.path());
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_found_in_every_form_and_at_every_offset() {
        let sentinel = Sentinel::new("unit test");
        for before in 0..7 {
            let text = format!("{}{}{}", "a".repeat(before), sentinel.secret, "z".repeat(9 - before));
            let bytes = text.as_bytes();
            for written in [
                bytes.to_vec(),
                HEXLOWER.encode(bytes).into(),
                BASE64.encode(bytes).into(),
                BASE64URL.encode(bytes).into(),
                format!("{bytes:?}").into(),
                text.to_uppercase().into(),
            ] {
                assert!(
                    sentinel.find(&written).is_some(),
                    "{}",
                    String::from_utf8_lossy(&written)
                );
            }
        }
        assert_eq!(sentinel.find(b"sk-SENTINEL and nothing else"), None);
    }
}
