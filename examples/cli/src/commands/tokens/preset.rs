//! `tokens issue --preset`: its words, help and warnings.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ibyok_core::{Environments, Grant, jiff::Timestamp};
use ibyok_operations::preset::{Preset, Unsuited};

use super::super::Cx;
use crate::error::{Error, Result};
use crate::show::clean;

/// Parses the word of a preset; help shows the purpose of each.
pub(super) fn parser() -> impl TypedValueParser<Value = Preset> {
    PossibleValuesParser::new(Preset::ALL.map(|preset| PossibleValue::new(preset.as_str()).help(purpose(preset))))
        .try_map(|word| word.parse::<Preset>())
}

fn purpose(preset: Preset) -> &'static str {
    match preset {
        Preset::Ci => "A job that runs on somebody else's machine: 7 days, reads keys",
        Preset::Production => "A service: 90 days, reads keys, of one environment",
        Preset::Local => "A developer's machine: 30 days, reads and lists keys",
    }
}

/// Refuses environments that do not fit a preset.
pub(super) fn check(preset: Preset, grant: &Grant) -> Result<()> {
    if preset.allows(grant) {
        return Ok(());
    }
    Err(Error::usage(
        format!("the preset `{preset}` allows one environment"),
        "give one `--env`, or issue one token per environment",
    ))
}

/// Words a property of a token that does not fit its preset.
fn warning(preset: Preset, unsuited: Unsuited) -> String {
    let longest = preset.longest_days();
    let life = match unsuited {
        Unsuited::ReadsProduction => return "a token for a developer's machine that reads `prod`".to_owned(),
        Unsuited::NeverEnds => "never expires",
        Unsuited::LivesLong => "has a long life",
    };
    match preset {
        Preset::Ci => format!(
            "warning: this token for CI {life}; use 7 to {longest} days on a machine that is not yours, and renew it with `tokens rotate`"
        ),
        Preset::Production => format!(
            "warning: this token for production {life}; use at most {longest} days, or run `ibyok tokens review` and \
            `ibyok audit review` from your monitoring"
        ),
        Preset::Local => {
            format!("warning: this token for a developer's machine {life}; use at most {longest} days")
        }
    }
}

/// Prints the grant of the token before the vault issues it.
pub(super) fn announce(name: &str, preset: Preset, grant: &Grant, end: Option<Timestamp>, cx: &mut Cx<'_>) {
    let scopes: Vec<String> = grant.scopes.iter().map(|scope| scope.to_string()).collect();
    let environments = match &grant.environments {
        Environments::All => "every environment".to_owned(),
        Environments::Named(names) => names.iter().cloned().collect::<Vec<_>>().join(", "),
    };
    let keys = grant.keys.as_ref().map_or("every key".to_owned(), |keys| {
        let keys: Vec<&str> = keys.iter().map(ibyok_core::policy::Pattern::as_str).collect();
        format!("the keys {}", keys.join(", "))
    });
    let ends = end.map_or("never".to_owned(), |end| format!("{end:.0}"));
    cx.io.say(&format!(
        "preset {preset}: issuing `{}`: {} on {keys} of {environments}; it expires: {ends}",
        clean(name),
        scopes.join(", "),
    ));
    if preset == Preset::Production && end.is_some() {
        cx.io.say("`tokens review` warns 30, 7 and 1 days before it expires");
    }
    for unsuited in preset.unsuited(grant, crate::commands::time::now(), end) {
        cx.io.warn(&warning(preset, unsuited));
    }
}
