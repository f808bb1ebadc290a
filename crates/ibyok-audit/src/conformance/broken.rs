//! A promise that was not kept.

use std::fmt::{self, Debug, Display};

use crate::error::Error;

/// A promise that a sink or a home did not keep: its name, the reason why it matters, and the first place that breaks it.
pub struct Broken {
    promise: &'static str,
    why: &'static str,
    found: String,
}

impl Broken {
    /// The name of the function that tests the promise.
    #[must_use]
    pub const fn promise(&self) -> &'static str {
        self.promise
    }

    /// The reason why the promise matters.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        self.why
    }

    /// The first place that breaks the promise.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the promise `{}` is broken: {}\n  it matters because {}",
            self.promise, self.found, self.why
        )
    }
}

/// As [`Display`], because a failing `#[test]` shows this.
impl Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for Broken {}

/// A promise that is being tested.
#[derive(Clone, Copy)]
pub(super) struct Promise {
    pub(super) name: &'static str,
    pub(super) why: &'static str,
}

impl Promise {
    pub(super) fn broken(self, found: impl Into<String>) -> Broken {
        Broken {
            promise: self.name,
            why: self.why,
            found: found.into(),
        }
    }

    pub(super) fn that(self, kept: bool, found: impl FnOnce() -> String) -> Result<(), Broken> {
        if kept { Ok(()) } else { Err(self.broken(found())) }
    }

    /// Takes the answer of a call that must not fail.
    pub(super) fn ok<T>(self, call: &str, result: Result<T, Error>) -> Result<T, Broken> {
        result.map_err(|error| self.broken(format!("{call} failed: {}", error.chain())))
    }

    /// Compares bytes, and shows the first one that differs.
    pub(super) fn same(self, place: &str, expected: &[u8], found: &[u8]) -> Result<(), Broken> {
        if expected == found {
            return Ok(());
        }
        let at = expected.iter().zip(found).take_while(|(a, b)| a == b).count();
        let around = |bytes: &[u8]| {
            let part = bytes.get(at.saturating_sub(12)..).unwrap_or_default();
            part.iter()
                .take(36)
                .copied()
                .map(std::ascii::escape_default)
                .map(|byte| byte.to_string())
                .collect::<String>()
        };
        Err(self.broken(format!(
            "{place} has {} bytes and should have {}; they differ from byte {at} on: near it stands `{}` and should stand `{}`",
            found.len(),
            expected.len(),
            around(found),
            around(expected)
        )))
    }
}
