//! Lengths of time as people write them: `90d`, `12h`.

use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Span, SpanRelativeTo};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest interval: a hundred years.
const MAX: SignedDuration = SignedDuration::from_hours(36_525 * 24);

/// A length of time of whole seconds, from one second to a hundred years. A day has 24 hours.
///
/// ```
/// use ibyok_api::Interval;
/// assert_eq!("12w".parse::<Interval>()?.to_string(), "84d");
/// assert!("0d".parse::<Interval>().is_err());
/// # Ok::<(), ibyok_api::NotAnInterval>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(SignedDuration);

/// The error of a text that is not an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotAnInterval;

impl fmt::Display for NotAnInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a length of time such as `90d` or `12h`, of at most 100 years")
    }
}

impl std::error::Error for NotAnInterval {}

impl Interval {
    /// Returns the length.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        self.0
    }
}

impl FromStr for Interval {
    type Err = NotAnInterval;

    fn from_str(text: &str) -> Result<Self, NotAnInterval> {
        if text.len() > 64 {
            return Err(NotAnInterval);
        }
        let span: Span = text.parse().map_err(|_| NotAnInterval)?;
        let duration = span.to_duration(SpanRelativeTo::days_are_24_hours());
        let duration = duration.map_err(|_| NotAnInterval)?;
        let in_bounds = duration >= SignedDuration::from_secs(1) && duration <= MAX && duration.subsec_nanos() == 0;
        in_bounds.then_some(Interval(duration)).ok_or(NotAnInterval)
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
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_reads_back_in_its_largest_unit() {
        for (text, shown) in [
            ("90d", "90d"),
            ("2w", "14d"),
            ("36h", "36h"),
            ("90m", "90m"),
            ("61s", "61s"),
            ("1h 30m", "90m"),
        ] {
            assert_eq!(text.parse::<Interval>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "0d",
            "-1d",
            "soon",
            "90",
            "500ms",
            "101y",
            "36526d",
            &"1".repeat(65),
        ] {
            assert_eq!(text.parse::<Interval>(), Err(NotAnInterval), "{text}");
        }
    }
}
