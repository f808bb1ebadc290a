//! The settings for old lines of the audit logs: the ends of segments, and the time for which lines stay.

use std::time::Duration;

use ibyok_core::jiff::Timestamp;
use ibyok_core::{Error, Result};
use ibyok_operations::time::{ago, ahead};

use crate::given::Given;

/// A segment of the log ends after a month, so that a log with few lines can be archived, too.
const ROTATE_AFTER: &str = "30d";

/// A segment of the log ends at 64 MiB.
const ROTATE_SIZE: &str = "64MiB";

/// The limits of a segment's size in bytes.
const SIZES: std::ops::RangeInclusive<u64> = 4096..=(1 << 40);

/// The settings for old lines of the audit logs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OldLines {
    /// The age at which a segment ends.
    pub rotate_after: Duration,
    /// The size in bytes at which a segment ends.
    pub rotate_size: u64,
    /// The time for which lines stay in the directory of the logs, as a span such as `400d`; `None` if there is no rule. Nothing is
    /// archived or deleted by itself: `ibyok audit archive` moves older segments, and nothing deletes a line that is in no archive.
    pub retention: Option<String>,
}

impl OldLines {
    pub(crate) fn resolve(given: &Given) -> Result<Self> {
        let after = given.audit_rotate_after.as_deref().unwrap_or(ROTATE_AFTER);
        let size = given.audit_rotate_size.as_deref().unwrap_or(ROTATE_SIZE);
        let retention = given.audit_retention.clone();
        if let Some(text) = &retention {
            span("audit_retention", text)?;
        }
        Ok(Self {
            rotate_after: span("audit_rotate_after", after)?,
            rotate_size: bytes("audit_rotate_size", size)?,
            retention,
        })
    }

    /// Returns the time before which lines need not stay in the directory of the logs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a span that reaches beyond all times.
    pub fn kept_since(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        self.retention.as_deref().map(|text| ago(text, now)).transpose()
    }
}

/// A span of at least a minute, such as `12h` or `30d`.
fn span(name: &str, text: &str) -> Result<Duration> {
    let wrong = || Error::invalid_name(name, text, "a span of a minute or more, such as `12h` or `30d`");
    let is_span = text.ends_with(|last: char| last.is_ascii_lowercase());
    let begin = Timestamp::UNIX_EPOCH;
    let end = Some(text).filter(|_| is_span).ok_or_else(wrong)?;
    let end = ahead(end, begin).map_err(|_| wrong())?;
    let span = Duration::try_from(end.duration_since(begin)).map_err(|_| wrong())?;
    Some(span).filter(|span| span.as_secs() >= 60).ok_or_else(wrong)
}

/// A number of bytes, such as `4096`, `512KiB` or `64MiB`.
fn bytes(name: &str, text: &str) -> Result<u64> {
    let units = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1_u64)];
    let found = units
        .iter()
        .find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (digits, size) = found.unwrap_or((text, 1));
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: Option<u64> = digits.parse().ok().filter(|_| plain);
    let bytes = number.and_then(|number| number.checked_mul(size));
    bytes
        .filter(|bytes| SIZES.contains(bytes))
        .ok_or_else(|| Error::invalid_name(name, text, "a size from 4KiB to 1024GiB, such as `64MiB`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_sizes_are_read_and_others_refused() {
        assert_eq!(span("x", "30d").unwrap(), Duration::from_secs(30 * 86_400));
        assert_eq!(span("x", "90m").unwrap(), Duration::from_secs(5400));
        for bad in [
            "",
            "0",
            "30",
            "59s",
            "-1d",
            "2026-01-01",
            "2026-01-01T00:00:00Z",
            "d",
            "30 d d",
            "99999999999999y",
            "\u{0}",
        ] {
            assert!(span("x", bad).is_err(), "{bad}");
        }
        for (text, size) in [("4096", 4096), ("4KiB", 4096), ("64MiB", 64 << 20), ("1GiB", 1 << 30)] {
            assert_eq!(bytes("x", text).unwrap(), size);
        }
        for bad in [
            "",
            "0",
            "4095",
            "-1",
            "1.5GiB",
            "64MB",
            "KiB",
            "99999999999999999999",
            "1025GiB",
            "+64MiB",
            "9999999999999GiB",
        ] {
            assert!(bytes("x", bad).is_err(), "{bad}");
        }
    }
}
