//! From where on something is worth a look.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// From where on something is worth a look. Each has a default, and is a setting of `[review]` in `vault.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Thresholds {
    /// The number of days of history before the time under review, read to learn the usual behaviour. The default
    /// is 60.
    pub history_days: u32,
    /// The number of days at the beginning of a token's life that are learned from and not judged. The default is 3.
    pub learning_days: u32,
    /// After how many days of silence a token is dormant. 21.
    pub dormant_days: u32,
    /// On how many days a token must have been active before its hours are known. 10.
    pub active_days: u32,
    /// An hour with fewer lines of a token is never a burst. 60.
    pub burst_lines: u64,
    /// A burst is more than so many times the token's busiest hour. 3.
    pub burst_factor: u64,
    /// Fewer different keys in an hour are never broad. 8.
    pub breadth_keys: u64,
    /// Broad is more than so many times the most keys in an hour that the token ever read. 2.
    pub breadth_factor: u64,
    /// The number of requests of a network without a valid token in an hour that make a burst. The default is 20.
    pub failed_by_network: u64,
    /// The number of refusals of one token, or token id, in an hour that make a burst. The default is 10.
    pub failed_by_token: u64,
    /// The hours in which operators work, `from-to` of the clock. `06-22`.
    pub operator_hours: String,
    /// The time zone of hours and days, by its IANA name. `UTC`.
    pub time_zone: String,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            history_days: 60,
            learning_days: 3,
            dormant_days: 21,
            active_days: 10,
            burst_lines: 60,
            burst_factor: 3,
            breadth_keys: 8,
            breadth_factor: 2,
            failed_by_network: 20,
            failed_by_token: 10,
            operator_hours: "06-22".to_owned(),
            time_zone: "UTC".to_owned(),
        }
    }
}

/// Thresholds that make sense, in the form in which they are compared.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) given: Thresholds,
    pub(super) hours: (u8, u8),
    pub(super) zone: TimeZone,
}

impl Thresholds {
    /// Checks that every threshold makes sense.
    ///
    /// # Errors
    /// [`Error::BadThreshold`] with the name of the first threshold that makes no sense.
    pub fn check(&self) -> Result<(), Error> {
        self.checked().map(|_| ())
    }

    pub(super) fn checked(&self) -> Result<Checked, Error> {
        let at_least_one = [
            ("burst_factor", self.burst_factor),
            ("breadth_factor", self.breadth_factor),
            ("failed_by_network", self.failed_by_network),
            ("failed_by_token", self.failed_by_token),
            ("dormant_days", self.dormant_days.into()),
            ("active_days", self.active_days.into()),
        ];
        if let Some((name, _)) = at_least_one.into_iter().find(|(_, value)| *value == 0) {
            return Err(bad(name, "give a number of at least 1"));
        }
        if self.history_days > 3660 {
            return Err(bad("history_days", "give a number of at most 3660"));
        }
        let zone = TimeZone::get(&self.time_zone);
        Ok(Checked {
            hours: hours(&self.operator_hours)
                .ok_or_else(|| bad("operator_hours", "give two hours such as `06-22`"))?,
            zone: zone.map_err(|_| bad("time_zone", "give an IANA name that this machine knows, such as `UTC`"))?,
            given: self.clone(),
        })
    }
}

/// `06-22` as two hours of the clock.
fn hours(text: &str) -> Option<(u8, u8)> {
    let (from, to) = text.split_once('-')?;
    let hour = |text: &str| {
        let plain = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|hour: &u8| plain && *hour <= 24)
    };
    Some((hour(from)?, hour(to)?)).filter(|(from, to)| from != to)
}

fn bad(name: &'static str, why: &'static str) -> Error {
    Error::BadThreshold { name, why }
}

impl Checked {
    /// Returns true if operators work at this hour.
    pub(super) fn is_worked(&self, hour: usize) -> bool {
        let (from, to) = (usize::from(self.hours.0), usize::from(self.hours.1));
        if from < to {
            (from..to).contains(&hour)
        } else {
            hour >= from || hour < to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_may_run_over_midnight() {
        let with = |hours: &str| {
            Thresholds {
                operator_hours: hours.to_owned(),
                ..Thresholds::default()
            }
            .checked()
        };
        let (day, night) = (with("06-22").unwrap(), with("22-6").unwrap());
        assert!(day.is_worked(6) && day.is_worked(21) && !day.is_worked(22) && !day.is_worked(5));
        assert!(night.is_worked(23) && night.is_worked(5) && !night.is_worked(6));
        assert!(with("0-24").unwrap().is_worked(23));
        for bad in ["", "6", "6-6", "-1-5", "6-25", "+6-22", "6-22-3", "a-b"] {
            assert!(with(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let zone = Thresholds {
            time_zone: "Mars/Olympus".to_owned(),
            ..Thresholds::default()
        };
        assert!(zone.check().unwrap_err().to_string().contains("time_zone"));
        let factor = Thresholds {
            burst_factor: 0,
            ..Thresholds::default()
        };
        assert!(factor.check().unwrap_err().to_string().contains("burst_factor"));
        assert!(Thresholds::default().check().is_ok());
    }
}
