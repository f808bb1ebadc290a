//! The data to be stored about a key, checked before anything is done.

use std::collections::BTreeMap;

use ibyok_crypto::Secret;
use ibyok_policy::Rate;
use jiff::Timestamp;
use serde::Serialize;

use super::interval::Interval;
use super::name::{FieldName, KeyId, no_secret};
use super::variable::VariableKind;
use crate::base::error::{Error, Result, quoted};
use crate::base::remedy::Remedy;
use crate::model::key::VersionState;

/// The largest value, in bytes.
pub const VALUE_MAX: usize = 64 * 1024;

/// The most fields of a version.
const FIELDS_MAX: usize = 32;

/// The most labels of a key, and their longest names and values in bytes.
const LABELS_MAX: usize = 64;
const LABEL_NAME_MAX: usize = 64;
const LABEL_VALUE_MAX: usize = 256;

/// The longest provider, in bytes.
const PROVIDER_MAX: usize = 64;

/// A value to be stored, with the facts about its key.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyWrite {
    /// The fields of the new version; `value` is the key itself.
    pub fields: BTreeMap<FieldName, Secret>,
    /// The name under which Vault's clients see the field `value`, if they gave it another name.
    pub value_name: Option<FieldName>,
    /// The provider; if `None` unchanged, and at first recognised by the value's shape.
    pub provider: Option<String>,
    /// The variable that programs read it from; if `None` unchanged, at first the provider's usual one, else the name in capitals.
    pub variable: Option<String>,
    /// Labels; unchanged if `None`.
    pub labels: Option<BTreeMap<String, String>>,
    /// The limit on the key's retrievals. `Some(None)` removes its own limit, so that the environment's holds; `None`
    /// keeps the present one.
    pub limit: Option<Option<Rate>>,
    /// The age at which a current version is due to be rotated. `Some(None)` removes it; `None` keeps the present
    /// one.
    pub rotate_every: Option<Option<Interval>>,
    /// The time at which the key ends at its provider. `Some(None)` removes it. The key is still served after that
    /// time, with a warning.
    pub expires: Option<Option<Timestamp>>,
    /// The reason for which a value is stored although it leaked. The version is then marked compromised, and an
    /// incident is open on the key.
    pub force: Option<String>,
}

impl From<Secret> for KeyWrite {
    fn from(value: Secret) -> Self {
        KeyWrite::new(BTreeMap::from([(FieldName::value(), value)]))
    }
}

impl KeyWrite {
    /// A version with these fields.
    #[must_use]
    pub fn new(fields: BTreeMap<FieldName, Secret>) -> Self {
        KeyWrite {
            fields,
            value_name: None,
            provider: None,
            variable: None,
            labels: None,
            limit: None,
            rotate_every: None,
            expires: None,
            force: None,
        }
    }

    /// Sets the name under which Vault's clients see the field `value`; see [`KeyWrite::value_name`].
    #[must_use]
    pub fn value_name(mut self, name: Option<FieldName>) -> Self {
        self.value_name = name;
        self
    }

    /// Sets the provider.
    #[must_use]
    pub fn provider(mut self, provider: Option<String>) -> Self {
        self.provider = provider;
        self
    }

    /// Sets the variable.
    #[must_use]
    pub fn variable(mut self, variable: Option<String>) -> Self {
        self.variable = variable;
        self
    }

    /// Sets the labels.
    #[must_use]
    pub fn labels(mut self, labels: Option<BTreeMap<String, String>>) -> Self {
        self.labels = labels;
        self
    }

    /// Sets the limit; see [`KeyWrite::limit`].
    #[must_use]
    pub fn limit(mut self, limit: Option<Option<Rate>>) -> Self {
        self.limit = limit;
        self
    }

    /// Sets the interval for rotation; see [`KeyWrite::rotate_every`].
    #[must_use]
    pub fn rotate_every(mut self, every: Option<Option<Interval>>) -> Self {
        self.rotate_every = every;
        self
    }

    /// Sets the end; see [`KeyWrite::expires`].
    #[must_use]
    pub fn expires(mut self, expires: Option<Option<Timestamp>>) -> Self {
        self.expires = expires;
        self
    }

    /// Stores the value although it leaked, for a reason; see [`KeyWrite::force`].
    #[must_use]
    pub fn force(mut self, reason: Option<String>) -> Self {
        self.force = reason;
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        if !self.fields.contains_key(&FieldName::value()) {
            return Err(Error::invalid(
                "a version needs the field `value`",
                "give the key itself in that field; other fields are additions to it",
            ));
        }
        if self.fields.len() > FIELDS_MAX {
            return Err(Error::invalid(
                format!("a key may have at most {FIELDS_MAX} fields"),
                "split the key into two keys",
            ));
        }
        if let Some(name) = self.value_name.as_ref().filter(|name| self.fields.contains_key(name)) {
            return Err(Error::invalid(
                format!("the field `value` cannot have the second name `{name}`, which is another field"),
                "choose a name that no field has",
            ));
        }
        for (name, value) in &self.fields {
            if value.is_empty() {
                return Err(Error::invalid(format!("the field `{name}` is empty"), "give a value"));
            }
            if value.len() > VALUE_MAX {
                return Err(Error::TooLarge {
                    what: "the value",
                    limit: VALUE_MAX,
                });
            }
        }
        check_facts(self.provider.as_deref(), self.variable.as_deref())?;
        self.labels
            .iter()
            .flatten()
            .try_for_each(|(name, value)| check_label(name, value))?;
        check_label_count(self.labels.as_ref().map_or(0, BTreeMap::len))
    }
}

/// The changes to a key, its value aside. `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeyEdit {
    /// The provider; an empty one is taken away.
    pub provider: Option<String>,
    /// The variable.
    pub variable: Option<String>,
    /// Labels to set, or with `None` to take away.
    pub labels: BTreeMap<String, Option<String>>,
    /// The limit on the key's retrievals. `Some(None)` removes its own limit, so that the environment's holds.
    pub limit: Option<Option<Rate>>,
    /// The age at which a current version is due to be rotated; `Some(None)` removes it.
    pub rotate_every: Option<Option<Interval>>,
    /// The time at which the key ends at its provider; `Some(None)` removes it. The key is still served after that
    /// time, with a warning.
    pub expires: Option<Option<Timestamp>>,
}

impl KeyEdit {
    /// Sets the provider; an empty one removes it.
    #[must_use]
    pub fn provider(mut self, provider: impl Into<String>) -> Self {
        self.provider = Some(provider.into());
        self
    }

    /// Sets the variable.
    #[must_use]
    pub fn variable(mut self, variable: impl Into<String>) -> Self {
        self.variable = Some(variable.into());
        self
    }

    /// Sets a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), Some(value.into()));
        self
    }

    /// Removes a label.
    #[must_use]
    pub fn remove_label(mut self, name: impl Into<String>) -> Self {
        self.labels.insert(name.into(), None);
        self
    }

    /// Sets the key's own limit; `None` removes it, so that the environment's holds.
    #[must_use]
    pub fn limit(mut self, limit: impl Into<Option<Rate>>) -> Self {
        self.limit = Some(limit.into());
        self
    }

    /// Sets the age at which a current version is due to be rotated; `None` removes it.
    #[must_use]
    pub fn rotate_every(mut self, every: impl Into<Option<Interval>>) -> Self {
        self.rotate_every = Some(every.into());
        self
    }

    /// Sets the time at which the key ends at its provider; `None` removes it.
    #[must_use]
    pub fn expires(mut self, end: impl Into<Option<Timestamp>>) -> Self {
        self.expires = Some(end.into());
        self
    }

    pub(crate) fn check(&self) -> Result<()> {
        let provider = self.provider.as_deref().filter(|provider| !provider.is_empty());
        check_facts(provider, self.variable.as_deref())?;
        self.labels
            .iter()
            .try_for_each(|(name, value)| check_label(name, value.as_deref().unwrap_or("")))
    }
}

/// The treatment of a key that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfExists {
    /// Leave the key as it is, and say so.
    Keep,
    /// Store the value as the key's new version.
    Replace,
}

/// The result of a write.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Written {
    /// `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub id: KeyId,
    /// The new version.
    pub version: u32,
    /// Its state.
    pub state: VersionState,
    /// The key's revision after this write; see [`KeyInfo::revision`](crate::keys::KeyInfo::revision).
    #[serde(skip)]
    pub revision: u64,
    /// The time at which the version was made.
    #[serde(skip)]
    pub version_created: Timestamp,
    /// True if this write made the key.
    #[serde(skip)]
    pub created: bool,
    /// The provider.
    pub provider: Option<String>,
    /// True if the provider was recognised by the value's shape, and not named.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recognised: bool,
    /// The variable that programs read it from.
    pub variable: String,
    /// The points that a person should check: a value that does not look like a key of its provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// The result of importing one value.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Imported {
    /// The key is new.
    Created(Written),
    /// The key had this very value already.
    Unchanged,
    /// The key had another value, which is now the version before.
    Updated(Written),
    /// The key has another value, and was left alone.
    Differs,
}

fn check_facts(provider: Option<&str>, variable: Option<&str>) -> Result<()> {
    if let Some(provider) = provider {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if provider.is_empty() || provider.len() > PROVIDER_MAX || !provider.bytes().all(plain) {
            return Err(Error::invalid_name(
                "provider",
                provider,
                "lower-case letters, digits, `-`, `_` and `.`, at most 64 characters",
            ));
        }
    }
    variable.map_or(Ok(()), check_variable)
}

/// Refuses a name that no variable of a program may have, for every writer.
pub(crate) fn check_variable(variable: &str) -> Result<()> {
    let form = match VariableKind::of(variable) {
        VariableKind::Malformed => "letters, digits and `_`, at most 128 characters, without a digit at the beginning",
        VariableKind::Reserved => {
            "a name that steers neither `ibyok` itself (`IBYOK_…`) nor the destination of requests (`…_PROXY`)"
        }
        VariableKind::RunsCode => "a name that no shell, loader or interpreter reads code from",
        VariableKind::Unproven | VariableKind::Evident => return Ok(()),
    };
    Err(Error::invalid_name("variable", variable, form))
}

/// Refuses a variable that a token may not choose: the people who run programs with an environment's keys did not
/// choose it either.
pub(crate) fn check_variable_of_a_token(variable: &str) -> Result<()> {
    check_variable(variable)?;
    match VariableKind::of(variable) {
        VariableKind::Evident => Ok(()),
        _ => Err(Error::invalid(
            format!(
                "a token may not choose the variable {}, because it may steer programs",
                quoted(variable)
            ),
            Remedy::NameVariable,
        )),
    }
}

fn check_label(name: &str, value: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    if name.is_empty() || name.len() > LABEL_NAME_MAX || !name.bytes().all(plain) {
        return Err(Error::invalid_name(
            "label",
            name,
            "letters, digits, `-`, `_`, `.` and `/`, at most 64 characters",
        ));
    }
    if value.len() > LABEL_VALUE_MAX || value.chars().any(char::is_control) {
        return Err(Error::invalid_name(
            "label value",
            value,
            "at most 256 bytes without control characters",
        ));
    }
    no_secret("label", name)?;
    no_secret("label value", value)
}

pub(crate) fn check_label_count(count: usize) -> Result<()> {
    if count > LABELS_MAX {
        return Err(Error::invalid(
            format!("a key may have at most {LABELS_MAX} labels"),
            "remove some labels",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_runs_code_is_refused_however_it_is_written() {
        for bad in [
            "LD_PRELOAD",
            "ld_preload",
            "BASH_ENV",
            "PATH",
            "GIT_CONFIG_COUNT",
            "Node_Options",
            "IBYOK_TOKEN_COMMAND",
            "https_proxy",
            "1X",
            "A B",
            "",
        ] {
            assert!(check_variable(bad).is_err(), "{bad}");
        }
        for good in ["OPENAI_API_KEY", "GIT_TOKEN", "_1X", "PATHS", "PYTHON_KEY"] {
            assert!(check_variable(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_token_chooses_only_variables_that_evidently_hold_a_credential() {
        for bad in [
            "MAKEFILES",
            "TAR_OPTIONS",
            "LOG_LEVEL",
            "OPENAI_BASE_URL",
            "PATH",
            "IBYOK_URL",
        ] {
            assert!(check_variable_of_a_token(bad).is_err(), "{bad}");
        }
        for good in ["OPENAI_API_KEY", "DATABASE_URL", "SLACK_WEBHOOK_URL"] {
            assert!(check_variable_of_a_token(good).is_ok(), "{good}");
        }
    }
}
