//! Presets of tokens: the scopes and the end that fit a purpose, and warnings about a token that does not fit it.

use std::fmt;
use std::str::FromStr;

use ibyok_core::{
    Environments, Error, Grant, Scope,
    jiff::{SignedDuration, Timestamp},
};

/// The purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program words each purpose, and must word a new one"
)]
pub enum Preset {
    /// A job on a machine of somebody else: 7 days, reads keys.
    Ci,
    /// A service: 90 days, reads keys of one environment.
    Production,
    /// A developer's machine: 30 days, reads and lists keys.
    Local,
}

/// A property of a token that does not fit its preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program words each warning, and must word a new one"
)]
pub enum Unsuited {
    /// The token never ends.
    NeverEnds,
    /// The token ends later than [`Preset::longest_days`] from now.
    LivesLong,
    /// The token of a developer's machine reads keys of `prod`.
    ReadsProduction,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Preset; 3] = [Preset::Ci, Preset::Production, Preset::Local];

    /// Returns the preset's word: `ci`, `production` or `local`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Ci => "ci",
            Preset::Production => "production",
            Preset::Local => "local",
        }
    }

    /// Returns the scopes of a token for which nobody names any.
    #[must_use]
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Preset::Ci | Preset::Production => &[Scope::KeysRead],
            Preset::Local => &[Scope::KeysRead, Scope::KeysList],
        }
    }

    /// Returns the end of a token for which nobody names one. It is not later than `own`, the end of the token that issues it.
    #[must_use]
    pub fn end(self, now: Timestamp, own: Option<Timestamp>) -> Timestamp {
        let days = match self {
            Preset::Ci => 7,
            Preset::Production => 90,
            Preset::Local => 30,
        };
        let end = in_days(now, days);
        own.map_or(end, |own| own.min(end))
    }

    /// Returns the longest life, in days, that fits the purpose.
    #[must_use]
    pub fn longest_days(self) -> i64 {
        match self {
            Preset::Ci => 30,
            Preset::Production => 365,
            Preset::Local => 90,
        }
    }

    /// Returns true if the preset allows the environments of a grant: the token of a service is for one.
    #[must_use]
    pub fn allows(self, grant: &Grant) -> bool {
        let one = matches!(&grant.environments, Environments::Named(names) if names.len() == 1);
        self != Preset::Production || one
    }

    /// Lists the parts of this grant and end that do not fit the purpose of a token. `end` is `None` for a token that never ends.
    #[must_use]
    pub fn unsuited(self, grant: &Grant, now: Timestamp, end: Option<Timestamp>) -> Vec<Unsuited> {
        let mut found = Vec::new();
        match end {
            None => found.push(Unsuited::NeverEnds),
            Some(end) if end > in_days(now, self.longest_days()) => found.push(Unsuited::LivesLong),
            Some(_) => {}
        }
        let reads_prod = !matches!(&grant.environments, Environments::Named(names) if !names.contains("prod"));
        if self == Preset::Local && reads_prod {
            found.push(Unsuited::ReadsProduction);
        }
        found
    }
}

fn in_days(now: Timestamp, days: i64) -> Timestamp {
    now.checked_add(SignedDuration::from_hours(days * 24))
        .unwrap_or(Timestamp::MAX)
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Preset {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let found = Preset::ALL.into_iter().find(|preset| preset.as_str() == word);
        found.ok_or_else(|| Error::invalid_name("preset", word, "`ci`, `production` or `local`"))
    }
}

#[cfg(test)]
mod tests {
    use ibyok_core::Scopes;

    use super::*;

    fn grant(environments: Environments) -> Grant {
        Grant::new(Scopes::from([Scope::KeysRead]), environments)
    }

    #[test]
    fn an_end_that_does_not_suit_a_preset_is_a_warning() {
        let now: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
        let dev = grant(Environments::named(["dev"]));
        for (preset, fine, long) in [
            (Preset::Ci, 30, 31),
            (Preset::Production, 365, 366),
            (Preset::Local, 90, 91),
        ] {
            assert_eq!(preset.unsuited(&dev, now, Some(in_days(now, fine))), []);
            assert_eq!(
                preset.unsuited(&dev, now, Some(in_days(now, long))),
                [Unsuited::LivesLong]
            );
            assert_eq!(preset.unsuited(&dev, now, None), [Unsuited::NeverEnds]);
        }
    }

    #[test]
    fn a_token_of_a_developers_machine_that_reads_prod_is_a_warning() {
        let now: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
        let soon = Some(in_days(now, 1));
        for environments in [Environments::All, Environments::named(["dev", "prod"])] {
            let grant = grant(environments);
            assert_eq!(Preset::Local.unsuited(&grant, now, soon), [Unsuited::ReadsProduction]);
            assert_eq!(Preset::Ci.unsuited(&grant, now, soon), []);
        }
    }

    #[test]
    fn a_preset_ends_no_later_than_its_issuer_and_production_is_one_environment() {
        let now: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
        assert_eq!(Preset::Ci.end(now, None), in_days(now, 7));
        assert_eq!(Preset::Ci.end(now, Some(in_days(now, 3))), in_days(now, 3));
        assert!(Preset::Production.allows(&grant(Environments::named(["prod"]))));
        assert!(!Preset::Production.allows(&grant(Environments::All)));
        assert!(!Preset::Production.allows(&grant(Environments::named(["dev", "prod"]))));
        assert!(Preset::Local.allows(&grant(Environments::All)));
        for preset in Preset::ALL {
            assert_eq!(preset.as_str().parse::<Preset>().unwrap(), preset);
        }
        assert!("CI".parse::<Preset>().is_err());
    }
}
