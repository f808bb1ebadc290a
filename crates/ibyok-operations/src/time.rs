//! Times as people type them.
//!
//! ```
//! let now = "2026-11-24T10:15:00Z".parse()?;
//! assert_eq!(ibyok_operations::time::ahead("30d", now)?.to_string(), "2026-12-24T10:15:00Z");
//! assert_eq!(ibyok_operations::time::ago("2026-11-01", now)?.to_string(), "2026-11-01T00:00:00Z");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use ibyok_core::jiff::civil::Date;
use ibyok_core::jiff::fmt::temporal::Pieces;
use ibyok_core::jiff::tz::TimeZone;
use ibyok_core::jiff::{self, Span, Timestamp, ZonedDateTime};
use ibyok_core::{Error, Result};

/// Parses a time in the future: `30d` from now, the beginning of a day in UTC, or an RFC 3339 time.
///
/// # Errors
/// [`Error::Invalid`] for anything else.
pub fn ahead(text: &str, now: Timestamp) -> Result<Timestamp> {
    parse(text, now, |now, span| now.checked_add(span)).map_err(|wrong| match wrong {
        Wrong::NoTime => no_time(text),
        Wrong::OutOfRange => Error::invalid(
            format!("`{}` is too late: the latest time is {}", shown(text), LATEST),
            "give an earlier time; for a token that never expires, use `--no-expiry`",
        ),
    })
}

/// Parses a time in the past: `7d` ago, the beginning of a day in UTC, or an RFC 3339 time.
///
/// # Errors
/// [`Error::Invalid`] for anything else.
pub fn ago(text: &str, now: Timestamp) -> Result<Timestamp> {
    parse(text, now, |now, span| now.checked_sub(span)).map_err(|wrong| match wrong {
        Wrong::NoTime => no_time(text),
        Wrong::OutOfRange => Error::invalid(
            format!("`{}` is out of range", shown(text)),
            "give a time between the years 0 and 9999",
        ),
    })
}

/// The last whole second that a time can have, in any zone.
const LATEST: &str = "9999-12-30T22:00:00Z";

/// The reason why a text gives no time.
enum Wrong {
    /// It has another form.
    NoTime,
    /// It has the form of a time that is too early or too late to be held.
    OutOfRange,
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

fn no_time(text: &str) -> Error {
    Error::invalid(
        format!("`{}` is not a time", shown(text)),
        "give a span (`15m`, `12h`, `30d`), a day (`2026-12-31`: 00:00 UTC), or a time (`2026-12-31T18:00:00Z`)",
    )
}

fn parse(
    text: &str,
    now: Timestamp,
    shift: impl Fn(&ZonedDateTime, Span) -> Result<ZonedDateTime, jiff::Error>,
) -> Result<Timestamp, Wrong> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    if is_day(text) {
        let day: Date = text.parse().map_err(|_| Wrong::NoTime)?;
        let begin = day.to_zoned_datetime(TimeZone::UTC).map_err(|_| Wrong::OutOfRange)?;
        return Ok(begin.timestamp());
    }
    if is_beyond_all_times(text) {
        return Err(Wrong::OutOfRange);
    }
    let span: Span = text.parse().map_err(|_| Wrong::NoTime)?;
    if span.is_negative() || span.is_zero() {
        return Err(Wrong::NoTime);
    }
    let shifted = shift(&now.to_zoned_datetime(TimeZone::UTC), span);
    Ok(shifted.map_err(|_| Wrong::OutOfRange)?.timestamp())
}

/// Returns true for a text that has the form of an instant, a day or a span, and names a time that cannot be held.
fn is_beyond_all_times(text: &str) -> bool {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits).unwrap_or(("", text));
    let instant = Pieces::parse(text).is_ok_and(|pieces| pieces.time().is_some() && pieces.offset().is_some());
    let of_a_later_year = digits > 4 && rest.starts_with('-') && Pieces::parse(&format!("9999{rest}")).is_ok();
    let long_span = !number.is_empty() && format!("1{rest}").parse::<Span>().is_ok() && text.parse::<Span>().is_err();
    instant || of_a_later_year || long_span
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

    #[test]
    fn a_time_that_is_too_far_away_is_refused_as_such_and_anything_else_as_no_time() {
        assert!(ahead("9999-12-30", now()).is_ok() && ahead(LATEST, now()).is_ok());
        for text in [
            "9999-12-31",
            "9999-12-31T00:00:00Z",
            "9999-12-31T23:59:59-10:00",
            "12026-01-01",
            "99999-01-01T00:00:00Z",
            "8000y",
            "20000y",
            "5000000000000y",
        ] {
            let error = ahead(text, now()).err().unwrap().to_string();
            assert_eq!(error, format!("`{text}` is too late: the latest time is {LATEST}"));
        }
        for text in [
            "",
            "x",
            "5",
            "9999-99-99",
            "10000",
            "10000-x",
            "9999-12-31T00:00:00",
            "5000000000000q",
        ] {
            let error = ahead(text, now()).err().unwrap().to_string();
            assert_eq!(error, format!("`{text}` is not a time"));
        }
        for text in ["20000y", "10000-01-01"] {
            let error = ago(text, now()).err().unwrap().to_string();
            assert_eq!(error, format!("`{text}` is out of range"));
        }
    }
}
