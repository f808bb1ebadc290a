//! Guardrails as settings: a word that cannot be read is refused, and never taken for none.

use ibyok_core::{
    Error, Result,
    modes::{Guardrails, Mode},
};
use serde::{Deserialize, Deserializer};

use crate::given::Given;

/// Resolves the given settings.
///
/// # Errors
/// [`Error::Invalid`] naming the variable, for a value that is neither of its two words; and for production that is both forced to
/// mock and excluded from it.
pub(crate) fn resolve(given: &Given) -> Result<Guardrails> {
    let mut guardrails = Guardrails::default();
    guardrails.dev = mode("DEV_MODE_FORCED", given.dev_mode_forced.as_deref())?;
    guardrails.staging = mode("STAGING_MODE_FORCED", given.staging_mode_forced.as_deref())?;
    guardrails.prod = mode("PROD_MODE_FORCED", given.prod_mode_forced.as_deref())?;
    guardrails.prod_mock_allowed = allowed(given.prod_mock_allowed.as_deref())?.unwrap_or(false);
    if guardrails.prod == Some(Mode::Mock) && given.prod_mock_allowed.is_some() && !guardrails.prod_mock_allowed {
        return Err(Error::invalid(
            "`PROD_MODE_FORCED` is `mock`, and `PROD_MOCK_ALLOWED` is `false`",
            "remove one of the two settings",
        ));
    }
    Ok(guardrails)
}

fn mode(name: &str, text: Option<&str>) -> Result<Option<Mode>> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| Error::invalid_name(name, text.unwrap_or_default(), "`mock` or `live`, or unset the setting"))
}

fn allowed(text: Option<&str>) -> Result<Option<bool>> {
    let parsed = text.map(str::parse).transpose();
    parsed.map_err(|_| {
        Error::invalid_name(
            "PROD_MOCK_ALLOWED",
            text.unwrap_or_default(),
            "`true` or `false`, or unset the setting",
        )
    })
}

/// In the file it may be a word or one of the language's own.
pub(crate) fn word_or_bool<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum WordOrBool {
        Bool(bool),
        Word(String),
    }
    Ok(Some(match WordOrBool::deserialize(deserializer)? {
        WordOrBool::Bool(yes) => yes.to_string(),
        WordOrBool::Word(word) => word,
    }))
}
