//! Reading secrets from streams and files.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use ibyok_core::{Secret, keys::VALUE_MAX, secrecy::ExposeSecret};
use zeroize::Zeroizing;

use super::error::{FileError, Result};

/// Reads a stream to its end into memory that is wiped. `name` names the stream in an error.
///
/// # Errors
/// [`FileError::TooLarge`] for more than `limit` bytes, [`FileError::Failed`] if the stream cannot be read.
pub fn read_secret(reader: &mut (impl Read + ?Sized), limit: usize, name: &str) -> Result<Secret> {
    let mut counted = Counted {
        reader,
        count: 0,
        failed: false,
    };
    Secret::read(&mut counted, limit).map_err(|error| match counted {
        Counted {
            failed: false, count, ..
        } if count > limit => too_large(limit),
        _ => FileError::failed(
            format!("cannot read {name}: {error}"),
            "check that it exists and that you may read it",
        ),
    })
}

/// Reads one value from a stream, to its end. Removes one line break at the end.
///
/// # Errors
/// As [`read_secret`], with the limit of a value.
pub fn read_value(reader: &mut (impl Read + ?Sized), name: &str) -> Result<Secret> {
    // One line break more than a value may be long.
    let read = read_secret(reader, VALUE_MAX + 2, name).map_err(|error| match error {
        FileError::TooLarge { .. } => too_large(VALUE_MAX),
        other => other,
    })?;
    let bytes = read.expose_secret();
    let stripped = bytes.strip_suffix(b"\r\n").or_else(|| bytes.strip_suffix(b"\n"));
    let secret = stripped.map(Secret::copy_of).unwrap_or(read);
    match secret.len() > VALUE_MAX {
        true => Err(too_large(VALUE_MAX)),
        false => Ok(secret),
    }
}

/// Reads a file as one value, unchanged.
///
/// # Errors
/// [`FileError::Input`] if there is no such file; else as [`read_secret`], with the limit of a value.
pub fn read_value_file(path: &Path) -> Result<Secret> {
    let mut file = File::open(path).map_err(|error| FileError::reading(path, &error))?;
    read_secret(&mut file, VALUE_MAX, &format!("`{}`", path.display()))
}

/// Reads a file of text of at most `limit` bytes.
///
/// # Errors
/// [`FileError::Input`] if there is no such file, if it is a directory, and for one that is too large or not UTF-8;
/// [`FileError::Failed`] if it cannot be read.
pub fn read_text(path: &Path, limit: u64) -> Result<Zeroizing<String>> {
    let mut file = File::open(path).map_err(|error| FileError::reading(path, &error))?;
    let metadata = file.metadata().map_err(|error| FileError::reading(path, &error))?;
    if metadata.is_dir() {
        return Err(FileError::input(
            format!("`{}` is a directory", path.display()),
            "give the path of a file",
        ));
    }
    if metadata.len() > limit {
        let what = format!("`{}` is larger than {limit} bytes", path.display());
        return Err(FileError::input(what, "check that it is a .env file"));
    }
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let read = read_secret(&mut file, limit, &format!("`{}`", path.display()))?;
    utf8(read.expose_secret(), path)
}

/// Returns the bytes of a file as text.
///
/// # Errors
/// [`FileError::Input`] with the line of the first byte that is not UTF-8.
pub fn utf8(bytes: &[u8], path: &Path) -> Result<Zeroizing<String>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(error) => {
            let before = bytes.get(..error.valid_up_to()).unwrap_or(&[]);
            let line = before.iter().filter(|b| **b == b'\n').count() + 1;
            let what = format!("`{}` is not UTF-8 on line {line}", path.display());
            Err(FileError::input(
                what,
                "save it as UTF-8; for a value that is not text, use `keys set --from-file`",
            ))
        }
    }
}

fn too_large(limit: usize) -> FileError {
    FileError::TooLarge {
        what: "the value",
        limit,
    }
}

/// A reader that remembers the size of its input, and whether reading failed.
struct Counted<'a, R: ?Sized> {
    reader: &'a mut R,
    count: usize,
    failed: bool,
}

impl<R: Read + ?Sized> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer);
        self.count += read.as_ref().map_or(0, |read| *read);
        self.failed = read
            .as_ref()
            .is_err_and(|error| error.kind() != io::ErrorKind::Interrupted);
        read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(given: &[u8]) -> Result<Secret> {
        read_value(&mut io::Cursor::new(given), "standard input")
    }

    #[test]
    fn one_trailing_line_break_is_taken_away_and_nothing_else() {
        for (given, kept) in [
            ("a\n", "a"),
            ("a\n\n", "a\n"),
            ("a\r\n", "a"),
            ("a", "a"),
            (" a ", " a "),
            ("\n", ""),
        ] {
            assert_eq!(
                value(given.as_bytes()).unwrap().expose_secret(),
                kept.as_bytes(),
                "{given:?}"
            );
        }
        let binary = b"\0\xff\xfe";
        assert_eq!(value(binary).unwrap().expose_secret(), binary);
    }

    #[test]
    fn a_value_may_be_as_long_as_the_limit_and_no_longer() {
        let full = vec![b'x'; VALUE_MAX];
        assert_eq!(value(&[full.as_slice(), b"\n"].concat()).unwrap().len(), VALUE_MAX);
        for over in [VALUE_MAX + 1, VALUE_MAX + 2, VALUE_MAX + 3, 4 * VALUE_MAX] {
            let error = value(&vec![b'x'; over]).err().unwrap();
            assert_eq!(
                error,
                FileError::TooLarge {
                    what: "the value",
                    limit: VALUE_MAX
                },
                "{over}"
            );
        }
    }

    #[test]
    fn a_text_that_is_no_text_is_refused_with_its_line() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("x");
        std::fs::write(&path, b"a\nb\xff").unwrap();
        let error = read_text(&path, 100).unwrap_err().to_string();
        assert!(error.ends_with("is not UTF-8 on line 2"), "{error}");
        assert!(read_text(&path, 3).is_err() && read_text(place.path(), 100).is_err());
    }
}
