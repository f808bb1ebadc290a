//! What `tokens issue --preset` fills in, where no flag says otherwise.

use ibyok_core::{Environments, Grant, Scope, Timestamp};
use jiff::SignedDuration;

use super::super::Cx;
use crate::error::{Error, Result};
use crate::show::clean;

/// What a token is for.
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
    /// What it may do unless `--scope` says otherwise.
    pub(super) fn scopes(self) -> Vec<String> {
        let scopes: &[Scope] = match self {
            Preset::Ci | Preset::Production => &[Scope::KeysRead],
            Preset::Local => &[Scope::KeysRead, Scope::KeysList],
        };
        scopes.iter().map(ToString::to_string).collect()
    }

    /// When it ends unless `--expires` says otherwise; never later than `own`, the end of whoever issues it.
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

/// Says what is about to be issued.
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
    let reads_prod = !matches!(&grant.environments, Environments::Named(names) if !names.contains("prod"));
    if preset == Preset::Local && reads_prod {
        cx.io.warn("a token for a developer's machine that reads `prod`");
    }
}
