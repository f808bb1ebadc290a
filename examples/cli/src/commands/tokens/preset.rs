//! `tokens issue --preset`: its words, help and warnings.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ibyok_core::Grant;
use ibyok_operations::preset::Preset;

use crate::error::{Error, Result};

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
