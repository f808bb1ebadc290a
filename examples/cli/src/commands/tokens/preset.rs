//! Presets: the values that `tokens issue --preset` uses where a flag is missing.

use ibyok_core::{Environments, Grant, Scope, Timestamp};
use jiff::SignedDuration;

use super::super::Cx;
use crate::error::{Error, Result};
use crate::show::clean;

/// The purpose of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Preset {
    /// A job that runs on somebody else's machine: 7 days, reads keys
    Ci,
    /// A service: 90 days, reads keys, of one environment
    Production,
    /// A developer's machine: 30 days, reads and lists keys
    Local,
}

impl Preset {
    /// Returns the scopes of the token unless `--scope` is given.
    pub(super) fn scopes(self) -> Vec<String> {
        let scopes: &[Scope] = match self {
            Preset::Ci | Preset::Production => &[Scope::KeysRead],
            Preset::Local => &[Scope::KeysRead, Scope::KeysList],
        };
        scopes.iter().map(ToString::to_string).collect()
    }

    /// Returns the end of the token unless `--expires` is given. It is never later than `own`, the end of the issuing
    /// token.
    pub(super) fn end(self, now: Timestamp, own: Option<Timestamp>) -> Timestamp {
        let days = match self {
            Preset::Ci => 7,
            Preset::Production => 90,
            Preset::Local => 30,
        };
        let end = now
            .checked_add(SignedDuration::from_hours(days * 24))
            .unwrap_or(Timestamp::MAX);
        own.map_or(end, |own| own.min(end))
    }

    /// The longest life in days that suits it.
    fn longest(self) -> i64 {
        match self {
            Preset::Ci => 30,
            Preset::Production => 365,
            Preset::Local => 90,
        }
    }

    /// A warning about an end that is later than suits it; `end` is `None` for a token that never ends.
    pub(super) fn too_long(self, now: Timestamp, end: Option<Timestamp>) -> Option<String> {
        let longest = self.longest();
        let latest = now.checked_add(SignedDuration::from_hours(longest * 24));
        if end.is_some_and(|end| latest.is_ok_and(|latest| end <= latest)) {
            return None;
        }
        let life = if end.is_none() { "never ends" } else { "lives long" };
        Some(match self {
            Preset::Ci => format!(
                "warning: a token for CI that {life}: 7 to {longest} days suit a machine that is not yours; `tokens rotate` renews it"
            ),
            Preset::Production => format!(
                "warning: a token for production that {life}: keep it below {longest} days, or run `ibyok tokens review` and \
                 `ibyok audit review` from your monitoring"
            ),
            Preset::Local => {
                format!("warning: a token for a developer's machine that {life}: at most {longest} days suit it")
            }
        })
    }

    /// Refuses what makes no sense for it.
    pub(super) fn check(self, grant: &Grant) -> Result<()> {
        let one = matches!(&grant.environments, Environments::Named(names) if names.len() == 1);
        if self == Preset::Production && !one {
            return Err(Error::usage(
                "the preset `production` is for one environment",
                "name one with `--env`, or issue a token for each",
            ));
        }
        Ok(())
    }
}

/// Prints the token that is about to be issued.
pub(super) fn announce(name: &str, preset: Preset, grant: &Grant, end: Option<Timestamp>, cx: &mut Cx<'_>) {
    let scopes: Vec<String> = grant.scopes.iter().map(|scope| scope.to_string()).collect();
    let environments = match &grant.environments {
        Environments::All => "every environment".to_owned(),
        Environments::Named(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let keys = grant.keys.as_ref().map_or("every key".to_owned(), |keys| {
        let keys: Vec<&str> = keys.iter().map(ibyok_core::Pattern::as_str).collect();
        format!("the keys {}", keys.join(", "))
    });
    let end_at = end;
    let end = end.map_or("never".to_owned(), |end| format!("{end:.0}"));
    let word =
        clap::ValueEnum::to_possible_value(&preset).map_or_else(String::new, |value| value.get_name().to_owned());
    cx.io.say(&format!(
        "preset {word}: issuing `{}`: {} on {keys} of {environments}; it ends: {end}",
        clean(name),
        scopes.join(", "),
    ));
    if preset == Preset::Production && end != "never" {
        cx.io.say("`tokens review` warns 30, 7 and 1 days before it ends");
    }
    if let Some(warning) = preset.too_long(crate::commands::time::now(), end_at) {
        cx.io.warn(&warning);
    }
    let reads_prod = !matches!(&grant.environments, Environments::Named(names) if !names.contains("prod"));
    if preset == Preset::Local && reads_prod {
        cx.io.warn("a token for a developer's machine that reads `prod`");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_that_does_not_suit_a_preset_is_a_warning() {
        let now: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
        let in_days = |days: i64| Some(now.checked_add(SignedDuration::from_hours(days * 24)).unwrap());
        for (preset, fine, long) in [
            (Preset::Ci, 30, 31),
            (Preset::Production, 365, 366),
            (Preset::Local, 90, 91),
        ] {
            assert_eq!(preset.too_long(now, in_days(fine)), None);
            assert!(preset.too_long(now, in_days(long)).unwrap().contains("lives long"));
            assert!(preset.too_long(now, None).unwrap().contains("never ends"));
        }
    }
}
