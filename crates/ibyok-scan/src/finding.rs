//! Findings: the kind of secret and its place, never its text.

use serde::Serialize;

use crate::matcher::KnownKey;

/// A place in a text that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ScanFinding {
    /// The rule that found it: `openai-key` and so on, `generic-secret`, `url-password`, `private-key`,
    /// `ibyok-token`, `known-key`.
    pub rule: String,
    /// The provider's id, where there is one.
    pub provider: Option<String>,
    /// The file's path, printable: characters that a terminal would act on, and bytes that are not UTF-8, are written
    /// as escapes.
    pub path: String,
    /// The line, from 1.
    pub line: u64,
    /// The column of the first character of the secret, from 1, in characters.
    pub column: u64,
    /// The commit that has the text, if the scan was of a history: the oldest one in which the text was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The name that it is given to and how it begins: at most four characters of a prefix that every such key has.
    pub excerpt: String,
    /// The reference of the vault's key that it is, such as `prod/openai`.
    pub known_key: Option<String>,
    /// The version of that key.
    pub known_version: Option<u32>,
    /// Why it is a finding in spite of an excuse on its line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Shows equal secrets of one scan: a keyed hash, whose key is dropped after the scan.
    #[serde(skip)]
    pub(crate) sameness: u64,
}

impl ScanFinding {
    /// Returns the severity: how sure it is that the finding is a secret.
    #[must_use]
    pub fn severity(&self) -> ScanSeverity {
        let by_looks = self.rule == GENERIC || self.rule == URL_PASSWORD;
        if by_looks && self.known_key.is_none() {
            ScanSeverity::Warning
        } else {
            ScanSeverity::Error
        }
    }

    pub(crate) fn is(&mut self, key: KnownKey) {
        self.known_key = Some(key.reference);
        self.known_version = key.version;
    }

    /// Returns the place of the finding, by which findings are ordered.
    pub(crate) fn order(&self) -> (&str, u64, u64, &str, Option<&str>) {
        (&self.path, self.line, self.column, &self.rule, self.commit.as_deref())
    }
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "SARIF knows these two of findings, and so do we")]
pub enum ScanSeverity {
    /// It has a shape that nothing else has, or is known.
    Error,
    /// It looks like a secret from its name and its randomness.
    Warning,
}

/// The rule of values that look like a secret only by name and randomness.
pub(crate) const GENERIC: &str = "generic-secret";
/// The rule of PEM private keys.
pub(crate) const PRIVATE_KEY: &str = "private-key";
/// The rule of passwords in addresses, and of those that are given to a command together with a user.
pub(crate) const URL_PASSWORD: &str = "url-password";
/// The rule of our own access tokens.
pub(crate) const ACCESS_TOKEN: &str = "ibyok-token";
/// The rule of keys without a unique shape that a [`crate::Matcher`] knows.
pub(crate) const KNOWN_KEY: &str = "known-key";
