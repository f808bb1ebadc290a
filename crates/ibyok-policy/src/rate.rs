//! The rate at which a token may be used.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

/// The span of time that a [`Rate`] counts in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "code that counts must handle a new span")]
pub enum Per {
    /// One second, `sec`.
    Second,
    /// One minute, `min`.
    Minute,
    /// One hour, `hour`.
    Hour,
    /// 24 hours, `day`.
    Day,
}

impl Per {
    /// The span in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "sec",
            Self::Minute => "min",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

/// A limit of uses, written `60/min`: a bucket of `count` that refills evenly within `per`.
///
/// This crate carries and compares rates; it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a rate is exactly these two")]
pub struct Rate {
    /// The number of uses.
    pub count: NonZeroU32,
    /// Within which span.
    pub per: Per,
}

impl Rate {
    /// Returns true if this rate admits nothing that `other` refuses: neither more at once nor more in the long run.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        let sustained = u64::from(self.count.get()) * u64::from(other.per.seconds());
        let limit = u64::from(other.count.get()) * u64::from(self.per.seconds());
        self.count <= other.count && sustained <= limit
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.per.as_str())
    }
}

impl FromStr for Rate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = || {
            let (count, per) = text.split_once('/')?;
            if !count.bytes().all(|digit| digit.is_ascii_digit()) {
                return None;
            }
            let per = [Per::Second, Per::Minute, Per::Hour, Per::Day]
                .into_iter()
                .find(|known| known.as_str() == per)?;
            let count = count.parse().ok()?;
            Some(Self { count, per })
        };
        parse().ok_or_else(|| Error::Rate(crate::error::excerpt(text)))
    }
}

impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(text: &str) -> Rate {
        text.parse().unwrap()
    }

    #[test]
    fn a_rate_reads_back_as_it_was_written() {
        for text in ["1/sec", "60/min", "4294967295/hour", "7/day"] {
            assert_eq!(rate(text).to_string(), text);
        }
        for bad in [
            "",
            "60",
            "/min",
            "0/min",
            "-1/min",
            "+1/min",
            "60/Min",
            "60/min ",
            "4294967296/sec",
        ] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_rate_lies_within_another_only_in_burst_and_in_the_long_run() {
        assert!(rate("1/sec").is_within(rate("60/min")));
        assert!(rate("60/min").is_within(rate("60/min")));
        assert!(!rate("60/min").is_within(rate("1/sec")), "60 at once");
        assert!(!rate("2/sec").is_within(rate("60/min")), "120 a minute");
    }
}
