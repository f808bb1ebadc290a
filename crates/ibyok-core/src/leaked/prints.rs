//! The comparison of values: keyed fingerprints of the value as it is, and without the white space around it.

use ibyok_crypto::Secret;
use secrecy::ExposeSecret;

use crate::base::error::Result;
use crate::model::account::{holds_secret, words};
use crate::model::key::VersionRecord;
use crate::model::provider::is_hidden;
use crate::realm::Realm;

/// The fingerprints of one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Prints {
    pub(crate) exact: Option<[u8; 32]>,
    /// The fingerprint without the white space around the value, if there is any.
    pub(crate) trimmed: Option<[u8; 32]>,
}

impl Prints {
    pub(crate) fn of(realm: &Realm, value: &Secret) -> Self {
        let bytes = value.expose_secret();
        let short = trimmed(bytes);
        let differs = !short.is_empty() && short.len() != bytes.len();
        Prints {
            exact: Some(realm.keys.fingerprint(value)),
            trimmed: differs.then(|| realm.keys.fingerprint(&Secret::copy_of(short))),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.exact.iter().chain(&self.trimmed)
    }

    /// The fingerprint that a value has in common with the same value among white space.
    pub(crate) fn canonical(&self) -> Option<&[u8; 32]> {
        self.trimmed.as_ref().or(self.exact.as_ref())
    }

    /// True if two values are one, but for white space around them.
    pub(crate) fn meets(&self, other: &Prints) -> bool {
        self.iter().any(|ours| other.iter().any(|theirs| ours == theirs))
    }
}

impl VersionRecord {
    /// The fingerprints of its value. They stay when the value is destroyed.
    pub(crate) fn prints(&self) -> Prints {
        let read = |bytes: &[u8]| <[u8; 32]>::try_from(bytes).ok();
        Prints {
            exact: read(&self.fingerprint.0),
            trimmed: self.trimmed.as_ref().and_then(|print| read(&print.0)),
        }
    }
}

/// The bytes without white space and other characters that do not show at both ends: a program that reads the value often drops them.
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let unseen = |c: char| c.is_whitespace() || c.is_control() || is_hidden(c);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.trim_matches(unseen).as_bytes(),
        Err(_) => bytes.trim_ascii(),
    }
}

/// The shortest word that is taken for a value of a key.
const VALUE_MIN: usize = 6;

/// Checks that a text does not contain the value of a version. Only for an author who may read the value, because the
/// answer reveals it.
pub(crate) fn check_not_of(realm: &Realm, version: &VersionRecord, what: &str, text: &str) -> Result<()> {
    let prints = version.prints();
    let leaked = words(text)
        .filter(|word| word.len() >= VALUE_MIN)
        .any(|word| Prints::of(realm, &Secret::copy_of(word.as_bytes())).meets(&prints));
    if leaked { Err(holds_secret(what)) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_show_around_a_value_is_dropped() {
        for around in [
            "sk-1",
            "sk-1\n",
            "sk-1\r\n",
            " sk-1",
            "\tsk-1 ",
            "\u{feff}sk-1",
            "sk-1\u{a0}",
            "sk-1\0",
            "\u{200b}sk-1",
            "\u{200e}sk-1\u{61c}",
            "\u{ad}sk-1\u{180e}",
            "\u{2063}sk-1\u{202a}",
            "sk-1\u{fe0f}",
        ] {
            assert_eq!(trimmed(around.as_bytes()), b"sk-1", "{around:?}");
        }
        assert_eq!(trimmed(b"\xff\x00 \n"), b"\xff\x00");
        assert_eq!(trimmed(b"sk 1"), b"sk 1");
        assert_eq!(trimmed(b" \n"), b"");
    }
}
