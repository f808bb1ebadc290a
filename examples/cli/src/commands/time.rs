//! Times as people type them.

use ibyok_core::{Clock, SystemClock, Timestamp};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, ZonedDateTime};

use crate::error::{Error, Result};

/// The machine's time.
pub(crate) fn now() -> Timestamp {
    SystemClock::default().now()
}

/// A time to come: `30d` from now, the beginning of a day in UTC, or an RFC 3339 time.
///
/// # Errors
/// [`Error::Usage`] for anything else.
pub(super) fn ahead(text: &str, now: Timestamp) -> Result<Timestamp> {
    parse(text, now, |now, span| now.checked_add(span))
}

/// A time past: `7d` ago, the beginning of a day in UTC, or an RFC 3339 time.
///
/// # Errors
/// [`Error::Usage`] for anything else.
pub(super) fn ago(text: &str, now: Timestamp) -> Result<Timestamp> {
    parse(text, now, |now, span| now.checked_sub(span))
}

fn parse(
    text: &str,
    now: Timestamp,
    shift: impl Fn(&ZonedDateTime, Span) -> Result<ZonedDateTime, jiff::Error>,
) -> Result<Timestamp> {
    let wrong = || {
        let shown: String = text.chars().take(64).collect();
        Error::usage(
            format!("`{}` is no time", crate::show::clean(&shown)),
            "give a span (`15m`, `12h`, `30d`), a day (`2026-12-31`: its beginning in UTC), or `2026-12-31T18:00:00Z`",
        )
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if is_day(text) {
        let day: Date = text.parse().map_err(|_| wrong())?;
        return Ok(day.to_zoned_datetime(TimeZone::UTC).map_err(|_| wrong())?.timestamp());
    }
    let span: Span = text.parse().map_err(|_| wrong())?;
    if span.is_negative() || span.is_zero() {
        return Err(wrong());
    }
    Ok(shift(&now.to_zoned_datetime(TimeZone::UTC), span)
        .map_err(|_| wrong())?
        .timestamp())
}

fn is_day(text: &str) -> bool {
    text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T10:15:00Z".parse().unwrap()
    }

    #[test]
    fn spans_days_and_instants_are_understood() {
        for (text, expected) in [
            ("30d", "2026-12-24T10:15:00Z"),
            ("15m", "2026-11-24T10:30:00Z"),
            ("12h", "2026-11-24T22:15:00Z"),
            ("2w", "2026-12-08T10:15:00Z"),
            ("2026-12-31", "2026-12-31T00:00:00Z"),
            ("2026-12-31T18:00:00+01:00", "2026-12-31T17:00:00Z"),
        ] {
            assert_eq!(ahead(text, now()).unwrap().to_string(), expected, "{text}");
        }
        assert_eq!(ago("7d", now()).unwrap().to_string(), "2026-11-17T10:15:00Z");
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "x",
            "0d",
            "-5d",
            "30",
            "2026-13-01",
            "31.12.2026",
            "5000000000000y",
            "tomorrow",
        ] {
            assert!(ahead(text, now()).is_err(), "{text:?}");
        }
    }
}
