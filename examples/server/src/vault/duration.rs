//! Durations as Vault writes them: seconds as a number or text, or Go's form `1h30m`.

use std::time::Duration;

use serde::Deserialize;

/// A duration in a body.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Period {
    Seconds(u64),
    Text(String),
}

impl Period {
    /// Returns the duration; `None` for a text that is none.
    pub(super) fn get(&self) -> Option<Duration> {
        match self {
            Period::Seconds(seconds) => Some(Duration::from_secs(*seconds)),
            Period::Text(text) => parse(text),
        }
    }

    /// Returns true for zero, in any form.
    pub(super) fn is_zero(&self) -> bool {
        self.get() == Some(Duration::ZERO)
    }
}

/// Reads `3600`, `90s`, `1h30m` or `7d`. An empty text is zero.
fn parse(text: &str) -> Option<Duration> {
    if text.is_empty() {
        return Some(Duration::ZERO);
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok().map(Duration::from_secs);
    }
    let mut rest = text;
    let mut seconds = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let (unit, after) = after.split_at_checked(1)?;
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        let number: u64 = number.parse().ok()?;
        seconds = seconds.checked_add(number.checked_mul(factor)?)?;
        rest = after;
    }
    Some(Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_comes_in_seconds_or_with_units() {
        for (text, seconds) in [
            ("", 0),
            ("0", 0),
            ("0s", 0),
            ("3600", 3600),
            ("90s", 90),
            ("1h30m", 5400),
            ("7d", 604_800),
        ] {
            assert_eq!(parse(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for bad in [
            "x",
            "1",
            "h",
            "-1s",
            "1.5h",
            "1ms",
            "1h30",
            "é",
            "99999999999999999999s",
        ] {
            let plain = bad.bytes().all(|byte| byte.is_ascii_digit());
            assert_eq!(parse(bad).is_some(), plain, "{bad}");
        }
    }
}
