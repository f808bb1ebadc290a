//! Lengths of time as people write them: `90d`, `12h`.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base::error::Error;

/// The longest: a hundred years.
const MAX: SignedDuration = SignedDuration::from_hours(36_525 * 24);

/// A length of time of whole seconds, from one second to a hundred years; a day is 24 hours.
///
/// ```
/// use ibyok_core::keys::Interval;
/// assert_eq!("12w".parse::<Interval>()?.to_string(), "84d");
/// assert!("0d".parse::<Interval>().is_err());
/// # Ok::<(), ibyok_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(SignedDuration);

impl Interval {
    /// Returns the interval as a duration.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        self.0
    }

    /// Makes an interval from a duration, if it is one of whole seconds within the bounds.
    pub(crate) fn of(duration: SignedDuration) -> Option<Self> {
        let fine = duration >= SignedDuration::from_secs(1) && duration <= MAX && duration.subsec_nanos() == 0;
        fine.then_some(Interval(duration))
    }

    /// The time that is this much after another; the last one there is where there is none.
    #[must_use]
    pub fn after(self, at: Timestamp) -> Timestamp {
        at.saturating_add(self.0).unwrap_or(Timestamp::MAX)
    }
}

impl FromStr for Interval {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let wrong = || {
            Error::invalid_name(
                "length of time",
                text,
                "a length such as `90d`, `12h` or `30m`, at most 100 years",
            )
        };
        if text.len() > 64 {
            return Err(wrong());
        }
        let span: Span = text.parse().map_err(|_| wrong())?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
        duration.ok().and_then(Interval::of).ok_or_else(wrong)
    }
}

impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        for (unit, word) in [(24 * 60 * 60, "d"), (60 * 60, "h"), (60, "m")] {
            if seconds % unit == 0 {
                return write!(f, "{}{word}", seconds / unit);
            }
        }
        write!(f, "{seconds}s")
    }
}

impl Serialize for Interval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Interval {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| serde::de::Error::custom("not a length of time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_in_the_largest_unit_that_fits() {
        for (text, shown) in [
            ("90d", "90d"),
            ("2w", "14d"),
            ("36h", "36h"),
            ("48h", "2d"),
            ("90m", "90m"),
            ("1s", "1s"),
            ("36525d", "36525d"),
            ("1d 12h", "36h"),
        ] {
            let interval: Interval = text.parse().unwrap();
            assert_eq!(interval.to_string(), shown, "{text}");
            assert_eq!(shown.parse::<Interval>().unwrap(), interval);
        }
    }

    #[test]
    fn what_is_no_length_or_too_long_is_refused() {
        for bad in [
            "",
            "0d",
            "-90d",
            "90",
            "d",
            "36526d",
            "99999999999d",
            "9223372036854775807s",
            "1y",
            "1mo",
            "1.5ns",
            "none",
            "2026-01-01",
        ] {
            assert!(bad.parse::<Interval>().is_err(), "{bad:?}");
        }
        let late = "36525d".parse::<Interval>().unwrap().after(Timestamp::MAX);
        assert_eq!(late, Timestamp::MAX);
    }
}
