//! The verbs on keys: set, add, import, list, show, edit, disable, enable, remove, and retrieval.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_crypto::{DataKey, Secret};
use ibyok_policy::Scope;
use serde::Serialize;

use crate::attempt::Attempt;
use crate::authenticate::Principal;
use crate::authorize::Permit;
use crate::change::Edit;
use crate::context::RequestContext;
use crate::error::{Error, Result};
use crate::model::key::{KeyInfo, KeyRecord, Role, SealedFields, Stamp, StateChange, VersionRecord};
use crate::model::key_ref::KeyRef;
use crate::model::name::{FieldName, KeyId};
use crate::model::token::AccessToken;
use crate::model::{Sealed, kind};
use crate::realm::open_failed;
use crate::retrieve::{Released, no_key};
use crate::session::Session;
use crate::take_away::TakeAway;
use crate::vault::Vault;

/// The largest value, in bytes.
pub const VALUE_MAX: usize = 64 * 1024;

/// The most fields of a version.
const FIELDS_MAX: usize = 32;

/// The most labels of a key, and their longest names and values in bytes.
const LABELS_MAX: usize = 64;
const LABEL_NAME_MAX: usize = 64;
const LABEL_VALUE_MAX: usize = 256;

/// The longest provider and variable, in bytes.
const PROVIDER_MAX: usize = 64;
const VARIABLE_MAX: usize = 128;

/// A value to be stored, with what is to be known about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct KeyWrite {
    /// The fields of the new version; `value` is the key itself.
    pub fields: BTreeMap<FieldName, Secret>,
    /// The provider; unchanged if `None`.
    pub provider: Option<String>,
    /// The variable that programs read it from; unchanged if `None`, at first the name in capitals.
    pub variable: Option<String>,
    /// Labels; unchanged if `None`.
    pub labels: Option<BTreeMap<String, String>>,
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
            provider: None,
            variable: None,
            labels: None,
        }
    }

    /// The same, of a provider.
    #[must_use]
    pub fn provider(mut self, provider: Option<String>) -> Self {
        self.provider = provider;
        self
    }

    /// The same, under a variable.
    #[must_use]
    pub fn variable(mut self, variable: Option<String>) -> Self {
        self.variable = variable;
        self
    }

    /// The same, with labels.
    #[must_use]
    pub fn labels(mut self, labels: Option<BTreeMap<String, String>>) -> Self {
        self.labels = labels;
        self
    }

    fn check(&self) -> Result<()> {
        if self.fields.is_empty() {
            return Err(Error::invalid(
                "no value was given",
                "a secret comes from standard input or `--from-file`",
            ));
        }
        if self.fields.len() > FIELDS_MAX {
            return Err(Error::invalid(
                format!("more than {FIELDS_MAX} fields"),
                "split the key in two",
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

/// What is to be changed about a key, its value aside. `None` leaves a thing as it is.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct KeyEdit {
    /// The provider; an empty one is taken away.
    pub provider: Option<String>,
    /// The variable.
    pub variable: Option<String>,
    /// Labels to set, or with `None` to take away.
    pub labels: BTreeMap<String, Option<String>>,
}

impl KeyEdit {
    fn check(&self) -> Result<()> {
        let provider = self.provider.as_deref().filter(|provider| !provider.is_empty());
        check_facts(provider, self.variable.as_deref())?;
        self.labels
            .iter()
            .try_for_each(|(name, value)| check_label(name, value.as_deref().unwrap_or("")))
    }
}

/// What a write came to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Written {
    /// `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub id: KeyId,
    /// The new version.
    pub version: u32,
    /// Its state.
    pub state: &'static str,
    /// Whether the key was made by this write.
    #[serde(skip)]
    pub created: bool,
}

/// What importing one value came to.
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

impl Vault {
    /// Retrieves a key for the holder of an access token: the hot path.
    ///
    /// The value is released only after its line is durable in every required sink of the audit log.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::NotFound`], the states of key and version,
    /// [`Error::Integrity`], and [`Error::Unavailable`] with the part that does not answer.
    pub async fn retrieve(&self, token: &AccessToken, key: &KeyRef, context: &RequestContext) -> Result<Released> {
        self.as_token(token.again())
            .with_context(context.clone())
            .retrieve(key)
            .await
    }
}

impl Session {
    /// Retrieves a key: see [`Vault::retrieve`].
    ///
    /// # Errors
    /// As [`Vault::retrieve`].
    pub async fn retrieve(&self, key: &KeyRef) -> Result<Released> {
        self.inner
            .retrieve(Action::KeyRetrieve, &self.asking, key, &self.context)
            .await
    }

    /// Retrieves a key to be written to a file: the same, on the log as an export.
    ///
    /// # Errors
    /// As [`Vault::retrieve`].
    pub async fn export_key(&self, key: &KeyRef) -> Result<Released> {
        self.inner
            .retrieve(Action::KeyExport, &self.asking, key, &self.context)
            .await
    }

    /// Creates a key, or makes a new current version of it; the version before stays retiring.
    ///
    /// # Errors
    /// [`Error::Invalid`] and [`Error::TooLarge`] for what cannot be stored (values are 1 to [`VALUE_MAX`] bytes);
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::Unavailable`].
    pub async fn set_key(&self, key: &KeyRef, write: impl Into<KeyWrite>) -> Result<Written> {
        self.write(key, write.into(), Replace::Always).await.and_then(written)
    }

    /// Creates a key, and refuses one that exists.
    ///
    /// # Errors
    /// [`Error::Exists`]; else as [`Session::set_key`].
    pub async fn add_key(&self, key: &KeyRef, write: impl Into<KeyWrite>) -> Result<Written> {
        self.write(key, write.into(), Replace::Never).await.and_then(written)
    }

    /// Creates a key, leaves one alone that has this value, and one that has another unless `update` is set.
    ///
    /// # Errors
    /// As [`Session::set_key`].
    pub async fn import_key(&self, key: &KeyRef, write: impl Into<KeyWrite>, update: bool) -> Result<Imported> {
        let replace = if update { Replace::IfDifferent } else { Replace::Tell };
        self.write(key, write.into(), replace).await
    }

    async fn write(&self, key: &KeyRef, write: KeyWrite, replace: Replace) -> Result<Imported> {
        let mut attempt = self.attempt(Action::KeySet);
        let outcome = self.try_write(&mut attempt, key, &write, replace).await;
        self.inner.refusing(&attempt, outcome).await
    }

    async fn try_write(
        &self,
        attempt: &mut Attempt,
        key: &KeyRef,
        write: &KeyWrite,
        replace: Replace,
    ) -> Result<Imported> {
        let permit = self.permit(attempt, Scope::KeysWrite, key).await?;
        whole_key(key)?;
        write.check()?;
        let fingerprint = write
            .fields
            .get(&FieldName::value())
            .map(|value| permit.realm.keys.fingerprint(value));
        let realm = Arc::clone(&permit.realm);
        self.inner
            .change(attempt, &realm, permit.id.0, |attempt, record: Option<KeyRecord>| {
                let live = record.as_ref().filter(|record| record.removed.is_none());
                let same = live.and_then(KeyRecord::current).is_some_and(|current| {
                    fingerprint.as_ref().is_some_and(|ours| current.fingerprint.0 == ours)
                        && current
                            .sealed
                            .as_ref()
                            .is_some_and(|s| s.fields.len() == 1 && write.fields.len() == 1)
                });
                match (live.is_some(), replace) {
                    (true, Replace::Never) => {
                        return Err(Error::Exists {
                            what: format!("key `{}`", permit.label()),
                        });
                    }
                    (true, Replace::Tell | Replace::IfDifferent) if same => {
                        return Ok(Edit::Unchanged(Imported::Unchanged));
                    }
                    (true, Replace::Tell) => return Ok(Edit::Unchanged(Imported::Differs)),
                    _ => {}
                }
                let created = live.is_none();
                let record = with_new_version(attempt, &permit, record, write)?;
                let version = record.last_version;
                attempt.version = Some(version);
                let written = Written {
                    reference: permit.label(),
                    id: permit.id,
                    version,
                    state: Role::Current.as_str(),
                    created,
                };
                let outcome = if created {
                    Imported::Created(written)
                } else {
                    Imported::Updated(written)
                };
                Ok(Edit::Gives(record, outcome))
            })
            .await
    }

    /// What is known about a key, without its value.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::NotFound`], [`Error::Unavailable`].
    pub async fn show_key(&self, key: &KeyRef) -> Result<KeyInfo> {
        let mut attempt = self.attempt(Action::KeyShow);
        let outcome = self.try_show(&mut attempt, key).await;
        self.inner.answering(&attempt, outcome).await
    }

    async fn try_show(&self, attempt: &mut Attempt, key: &KeyRef) -> Result<KeyInfo> {
        let permit = self.permit(attempt, Scope::KeysList, key).await?;
        self.inner.hold_lease().await?;
        let held = self.inner.load::<KeyRecord>(&permit.realm, permit.id.0).await?;
        let held = held
            .filter(|held| held.record.removed.is_none())
            .ok_or_else(|| no_key(&permit))?;
        info(&permit, &held.record)
    }

    /// Changes what is known about a key; its values stay as they are.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be stored; else as [`Session::show_key`].
    pub async fn edit_key(&self, key: &KeyRef, edit: &KeyEdit) -> Result<KeyInfo> {
        self.change_key(Action::KeyEdit, Scope::KeysWrite, key, |_, _, mut record| {
            whole_key(key)?;
            edit.check()?;
            if let Some(provider) = &edit.provider {
                record.provider = Some(provider.clone()).filter(|provider| !provider.is_empty());
            }
            if let Some(variable) = &edit.variable {
                record.variable.clone_from(variable);
            }
            for (name, value) in &edit.labels {
                match value {
                    Some(value) => record.labels.insert(name.clone(), value.clone()),
                    None => record.labels.remove(name),
                };
            }
            check_label_count(record.labels.len())?;
            Ok(Edit::Gives(record, ()))
        })
        .await
    }

    /// Stops serving a key, or one version of it if the reference names one. What is disabled already stays so.
    ///
    /// # Errors
    /// As [`Session::show_key`].
    pub async fn disable_key(&self, key: &KeyRef) -> Result<KeyInfo> {
        self.change_key(Action::KeyDisable, Scope::KeysWrite, key, |_, stamp, mut record| {
            is_disabled(&record, key)?;
            let what = key.version().map_or(TakeAway::DisableKey, TakeAway::DisableVersion);
            Ok(if record.take_away(what, stamp) {
                Edit::TakesAway(record, (), what)
            } else {
                Edit::Unchanged(())
            })
        })
        .await
    }

    /// Serves a key, or one version of it if the reference names one, again.
    ///
    /// # Errors
    /// As [`Session::show_key`].
    pub async fn enable_key(&self, key: &KeyRef) -> Result<KeyInfo> {
        self.change_key(Action::KeyEnable, Scope::KeysWrite, key, |_, stamp, record| {
            if !is_disabled(&record, key)? {
                return Ok(Edit::Unchanged(()));
            }
            Ok(Edit::Gives(enabled(record, key, stamp), ()))
        })
        .await
    }

    /// Removes a key with all its versions. A sealed tombstone stays, so that no older copy is believed.
    ///
    /// # Errors
    /// As [`Session::show_key`].
    pub async fn remove_key(&self, key: &KeyRef) -> Result<KeyInfo> {
        self.change_key(Action::KeyRemove, Scope::KeysDestroy, key, |_, stamp, mut record| {
            whole_key(key)?;
            record.take_away(TakeAway::RemoveKey, stamp);
            Ok(Edit::TakesAway(record, (), TakeAway::RemoveKey))
        })
        .await
    }

    /// The one shape of a change of a key that exists. Gives the key as it is afterwards.
    async fn change_key<F>(&self, action: Action, scope: Scope, key: &KeyRef, mut edit: F) -> Result<KeyInfo>
    where
        F: FnMut(&mut Attempt, &Stamp, KeyRecord) -> Result<Edit<KeyRecord, ()>> + Send,
    {
        let mut attempt = self.attempt(action);
        attempt.version = key.version();
        let outcome = async {
            let permit = self.permit(&mut attempt, scope, key).await?;
            let stamp = Stamp {
                at: attempt.at,
                by: permit.principal.by(),
            };
            let realm = Arc::clone(&permit.realm);
            let changed = self.inner.change(&mut attempt, &realm, permit.id.0, |attempt, record| {
                let record: Option<KeyRecord> = record;
                let record = record
                    .filter(|record| record.removed.is_none())
                    .ok_or_else(|| no_key(&permit))?;
                let before = record.clone();
                Ok(match edit(attempt, &stamp, record)? {
                    Edit::Unchanged(()) => Edit::Unchanged(info(&permit, &before)?),
                    Edit::Gives(record, ()) => {
                        let info = info(&permit, &record)?;
                        Edit::Gives(record, info)
                    }
                    Edit::TakesAway(record, (), what) => {
                        let info = info(&permit, &record)?;
                        Edit::TakesAway(record, info, what)
                    }
                })
            });
            changed.await
        }
        .await;
        self.inner.refusing(&attempt, outcome).await
    }

    /// Establishes who asks, and whether they may.
    pub(crate) async fn permit(&self, attempt: &mut Attempt, scope: Scope, key: &KeyRef) -> Result<Permit> {
        let principal: Principal = self.inner.authenticate(attempt, &self.asking).await?;
        self.inner.authorize(attempt, &principal, scope, key).await
    }
}

/// What a write does where the key exists.
#[derive(Clone, Copy)]
enum Replace {
    Always,
    Never,
    IfDifferent,
    Tell,
}

fn written(outcome: Imported) -> Result<Written> {
    match outcome {
        Imported::Created(written) | Imported::Updated(written) => Ok(written),
        Imported::Unchanged | Imported::Differs => Err(Error::Conflict {
            what: "the key was left as it is".to_owned(),
        }),
    }
}

fn info(permit: &Permit, record: &KeyRecord) -> Result<KeyInfo> {
    let realm = &permit.realm.name;
    let environment = realm
        .environment
        .as_ref()
        .ok_or_else(|| Error::integrity("a key of no environment"))?;
    Ok(record.info(&realm.namespace, environment, permit.id))
}

/// A key's record with one more version, which is the current one.
fn with_new_version(
    attempt: &Attempt,
    permit: &Permit,
    record: Option<KeyRecord>,
    write: &KeyWrite,
) -> Result<KeyRecord> {
    let stamp = Stamp {
        at: attempt.at,
        by: permit.principal.by(),
    };
    let mut record = record.unwrap_or_else(|| first(permit, &stamp));
    if record.removed.take().is_some() {
        record = KeyRecord {
            rev: record.rev,
            last_version: record.last_version,
            ..first(permit, &stamp)
        };
    }
    let number = record.last_version.checked_add(1);
    let number = number.ok_or_else(|| Error::invalid("no version number is left", "use another name"))?;
    for version in record
        .versions
        .iter_mut()
        .filter(|version| version.role == Role::Current)
    {
        version.role = Role::Retiring;
        version.changes.push(StateChange::new(Role::Retiring.as_str(), &stamp));
    }
    record.versions.push(seal_version(permit, number, write, &stamp)?);
    record.last_version = number;
    if let Some(provider) = &write.provider {
        record.provider = Some(provider.clone());
    }
    if let Some(variable) = &write.variable {
        record.variable.clone_from(variable);
    }
    if let Some(labels) = &write.labels {
        record.labels.clone_from(labels);
    }
    Ok(record)
}

fn first(permit: &Permit, stamp: &Stamp) -> KeyRecord {
    KeyRecord {
        rev: 0,
        name: permit.key.clone(),
        provider: None,
        variable: permit.key.variable(),
        labels: BTreeMap::new(),
        created: stamp.at,
        created_by: stamp.by.clone(),
        disabled: false,
        removed: None,
        last_version: 0,
        versions: Vec::new(),
    }
}

/// Seals the fields under a data key of their own, and the data key under the environment key.
fn seal_version(permit: &Permit, number: u32, write: &KeyWrite, stamp: &Stamp) -> Result<VersionRecord> {
    let failed = |error| open_failed(format!("version {number}"), error);
    let id = permit.realm.record(kind::KEY, permit.id.0)?;
    let place = permit.realm.place(&id).version(number);
    let data_key = DataKey::generate().map_err(failed)?;
    let mut fields = BTreeMap::new();
    for (name, value) in &write.fields {
        let sealed = data_key.seal(&place.field(name.as_str()), value).map_err(failed)?;
        fields.insert(name.clone(), Sealed(sealed));
    }
    let fingerprint = write
        .fields
        .get(&FieldName::value())
        .map(|value| permit.realm.keys.fingerprint(value));
    let data_key = Sealed(permit.realm.keys.wrap_data_key(&place, &data_key).map_err(failed)?);
    Ok(VersionRecord {
        number,
        role: Role::Current,
        disabled: false,
        compromised: false,
        sealed: Some(SealedFields { data_key, fields }),
        fingerprint: Sealed(fingerprint.map(|f| f.to_vec()).unwrap_or_default()),
        created: stamp.at,
        created_by: stamp.by.clone(),
        changes: Vec::new(),
    })
}

fn is_disabled(record: &KeyRecord, key: &KeyRef) -> Result<bool> {
    let Some(number) = key.version() else {
        return Ok(record.disabled);
    };
    let version = record.versions.iter().find(|version| version.number == number);
    version.map(|version| version.disabled).ok_or_else(|| Error::NotFound {
        what: format!("version {number} of key `{}`", record.name),
        hint: Some("`keys show` lists the versions".to_owned()),
    })
}

fn enabled(mut record: KeyRecord, key: &KeyRef, stamp: &Stamp) -> KeyRecord {
    match key.version() {
        None => record.disabled = false,
        Some(number) => {
            for version in record.versions.iter_mut().filter(|version| version.number == number) {
                version.disabled = false;
                version.changes.push(StateChange::new("enabled", stamp));
            }
        }
    }
    record
}

fn whole_key(key: &KeyRef) -> Result<()> {
    if key.version().is_some() || key.field().is_some() {
        return Err(Error::invalid(
            "this is about the whole key",
            "leave out `?version=` and `#field`",
        ));
    }
    Ok(())
}

fn check_facts(provider: Option<&str>, variable: Option<&str>) -> Result<()> {
    if let Some(provider) = provider {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_' | b'.');
        if provider.is_empty() || provider.len() > PROVIDER_MAX || !provider.bytes().all(plain) {
            return Err(Error::invalid_name(
                "provider",
                provider,
                "small letters, digits, `-`, `_`, `.`, at most 64",
            ));
        }
    }
    if let Some(variable) = variable {
        let mut bytes = variable.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
        if !first || variable.len() > VARIABLE_MAX || !bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(Error::invalid_name(
                "variable",
                variable,
                "letters, digits and `_`, at most 128",
            ));
        }
    }
    Ok(())
}

fn check_label(name: &str, value: &str) -> Result<()> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
    if name.is_empty() || name.len() > LABEL_NAME_MAX || !name.bytes().all(plain) {
        return Err(Error::invalid_name(
            "label",
            name,
            "letters, digits, `-`, `_`, `.`, `/`, at most 64",
        ));
    }
    if value.len() > LABEL_VALUE_MAX || value.chars().any(char::is_control) {
        return Err(Error::invalid_name(
            "label value",
            value,
            "at most 256 bytes without control characters",
        ));
    }
    Ok(())
}

fn check_label_count(count: usize) -> Result<()> {
    if count > LABELS_MAX {
        return Err(Error::invalid(
            format!("more than {LABELS_MAX} labels"),
            "take some away",
        ));
    }
    Ok(())
}
