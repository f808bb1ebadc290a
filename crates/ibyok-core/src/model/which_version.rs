//! The version of a key that a caller asks for.

use std::fmt;
use std::str::FromStr;

use crate::base::error::Error;

/// The version of a key that is meant: the current one, one by its number, or the one that is staged.
///
/// ```
/// use ibyok_core::keys::WhichVersion;
/// assert_eq!("3".parse::<WhichVersion>()?, WhichVersion::Number(3));
/// assert_eq!("pending".parse::<WhichVersion>()?, WhichVersion::Pending);
/// # Ok::<(), ibyok_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "there is no fourth way to name a version")]
pub enum WhichVersion {
    /// The current one, whichever it is; nothing is said about versions.
    #[default]
    Current,
    /// This one, counted from 1.
    Number(u32),
    /// The staged one, which is to become current.
    Pending,
}

impl WhichVersion {
    /// True if no version is named, so that the current one is meant.
    #[must_use]
    pub fn is_current(self) -> bool {
        self == WhichVersion::Current
    }

    /// The number, if one is named.
    #[must_use]
    pub fn number(self) -> Option<u32> {
        match self {
            WhichVersion::Number(number) => Some(number),
            WhichVersion::Current | WhichVersion::Pending => None,
        }
    }
}

impl From<u32> for WhichVersion {
    fn from(number: u32) -> Self {
        WhichVersion::Number(number)
    }
}

impl From<Option<u32>> for WhichVersion {
    fn from(number: Option<u32>) -> Self {
        number.map_or(WhichVersion::Current, WhichVersion::Number)
    }
}

impl fmt::Display for WhichVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WhichVersion::Current => f.write_str("current"),
            WhichVersion::Number(number) => write!(f, "{number}"),
            WhichVersion::Pending => f.write_str("pending"),
        }
    }
}

/// A number of at least 1 without zeros before it, or `pending`. That the current one is meant is said by saying nothing.
impl FromStr for WhichVersion {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid_name("version", text, "a number of at least 1, or `pending`");
        if text == "pending" {
            return Ok(WhichVersion::Pending);
        }
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let number = text.parse().ok().filter(|_| plain);
        number.map(WhichVersion::Number).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_a_plain_number_or_pending() {
        for good in ["1", "4294967295", "pending"] {
            assert_eq!(good.parse::<WhichVersion>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "0",
            "01",
            "-1",
            "+1",
            "1.0",
            "4294967296",
            "current",
            "Pending",
            "latest",
            " 1",
        ] {
            assert!(bad.parse::<WhichVersion>().is_err(), "{bad:?}");
        }
    }
}
