//! Countries of addresses, from a source outside of this crate, and tokens that come from a country for the first
//! time.

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use jiff::SignedDuration;
use serde::{Serialize, Serializer};

use super::finding::{Detector, Severity};
use super::findings::{Findings, Hit};
use super::profile::{Is, Profile};
use super::tokens::Seen;

/// The longest silence within a finding of a new thing: ten years, so that the finding continues as long as the token
/// comes with that thing.
pub(super) const AGES: SignedDuration = SignedDuration::from_hours(24 * 3660);

/// A country, by its two letters of ISO 3166-1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country([u8; 2]);

impl Country {
    /// The country of two letters such as `DE`; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let letters: [u8; 2] = text.as_bytes().try_into().ok()?;
        let letters = letters.map(|letter| letter.to_ascii_uppercase());
        letters.iter().all(u8::is_ascii_uppercase).then_some(Self(letters))
    }

    /// The two letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("")
    }

    fn number(self) -> u64 {
        u64::from(u16::from_be_bytes(self.0))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Looks up the country of an address. The answer must not change during a review.
pub trait Countries: fmt::Debug + Send {
    /// The country; `None` where it is not known, as of private addresses.
    fn country(&self, address: IpAddr) -> Option<Country>;
}

/// Takes in that a token came from a country.
pub(super) fn comes_from(
    seen: &Seen<'_>,
    profile: &mut Profile,
    country: Country,
    learned: bool,
    of_all: &mut HashSet<Country>,
    found: &mut Findings,
) {
    let tell = learned && found.is_under_review(seen.line.time);
    let of_others = !of_all.insert(country);
    match profile.country(country.number(), tell) {
        Is::New if tell => {
            let (severity, others) = match of_others {
                true => (Severity::Medium, "another token came from there before"),
                false => (Severity::High, "no token of this vault ever came from there"),
            };
            let text = format!("came from the country {country} for the first time; {others}");
            let hit = seen.hit(Detector::NewCountry, severity, country.as_str(), text);
            found.hit(Hit { within: AGES, ..hit });
        }
        Is::Told => {
            let (detector, subject) = (Detector::NewCountry, (seen.subject.kind, seen.subject.id.as_str()));
            found.again(detector, subject, country.as_str(), seen.line);
        }
        Is::New | Is::Known => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_country_is_two_letters() {
        assert_eq!(Country::parse("de").unwrap().as_str(), "DE");
        for bad in ["", "D", "DEU", "D1", "é", "\u{1b}[", "--"] {
            assert_eq!(Country::parse(bad), None, "{bad:?}");
        }
    }
}
