//! The life of a retrieval: authenticate → authorize → load → open → record → release. A token's limit is checked
//! after the first, a key's after the third.
//!
//! Each arrow is a function that consumes the result of the one before, and each noun has one maker, so that no step
//! is skipped and none is moved: `load` takes a [`Permit`], and only an [`Opened`] with the audit log's receipt for
//! this very request becomes a [`Released`].

pub(crate) mod mock_value;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ibyok_audit::{Action, EventTicket, Receipt};
use ibyok_crypto::Secret;
use ibyok_policy::{Reason, Scope, valid_at};
use jiff::Timestamp;

use self::mock_value::mock_fields;
use crate::base::context::RequestContext;
use crate::base::error::{Error, Part, Result};
use crate::base::remedy::Remedy;
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Asking;
use crate::limit::Limits;
use crate::mode::Modes;
use crate::model::key::{KeyRecord, Role, VersionRecord};
use crate::model::key_ref::KeyRef;
use crate::model::mode::{Mode, ModeSource};
use crate::model::name::{EnvironmentName, FieldName, KeyId, KeyName, Namespace};
use crate::model::settings::SettingsRecord;
use crate::realm::{Realm, open_failed};
use crate::recorder::Recorder;
use crate::records::Records;
use crate::records::cache::Held;

/// A key's record, found for a permit.
#[derive(Debug)]
pub(crate) struct Loaded {
    permit: Permit,
    held: Arc<Held<KeyRecord>>,
    /// The settings of the key's environment: its mode and its limit are from here, unless the key has its own.
    settings: Arc<Held<SettingsRecord>>,
    mode: Mode,
    source: ModeSource,
}

/// A value, opened and not yet released.
pub(crate) struct Opened {
    loaded: Loaded,
    version: u32,
    fields: BTreeMap<FieldName, Secret>,
    label: String,
}

/// A released value: it is on the audit log, and was still permitted when it was.
///
/// There is no way to make one but by the vault, which wants the audit log's receipt for it:
///
/// ```compile_fail,E0639
/// # fn from(info: ibyok_core::keys::ReleasedInfo) -> ibyok_core::Released {
/// ibyok_core::Released { fields: Default::default(), info }
/// # }
/// ```
#[non_exhaustive]
pub struct Released {
    fields: BTreeMap<FieldName, Secret>,
    info: ReleasedInfo,
    permit: Permit,
    held: Arc<Held<KeyRecord>>,
}

/// The description of a released value, without the value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReleasedInfo {
    /// The key's reference: `prod/openai`, or `ibyok://acme/prod/openai` where the namespace is not the vault's home.
    pub reference: String,
    /// The key's public id.
    pub id: KeyId,
    /// Its namespace.
    pub namespace: Namespace,
    /// The key's name.
    pub name: KeyName,
    /// Its environment.
    pub environment: EnvironmentName,
    /// The provider, as given.
    pub provider: Option<String>,
    /// The variable that programs read it from.
    pub variable: String,
    /// The version's number.
    pub version: u32,
    /// The time at which the version was made.
    pub version_created: Timestamp,
    /// The name under which Vault's clients see the field `value`, if they gave it another name.
    pub value_name: Option<FieldName>,
    /// The mode of the value: live for the real one, or mock.
    pub mode: Mode,
    /// The tier that decided the mode.
    pub mode_source: ModeSource,
}

impl Released {
    /// The fields themselves, for a copy of the key.
    pub(crate) fn into_fields(self) -> BTreeMap<FieldName, Secret> {
        self.fields
    }

    /// The field that was asked for, or the key itself.
    ///
    /// # Errors
    /// [`Error::NotFound`] if several fields were asked for and the key itself is not among them.
    pub fn secret(&self) -> Result<&Secret> {
        let only = (self.fields.len() == 1).then(|| self.fields.values().next()).flatten();
        // A value has few fields, and no name is made to find one.
        let value = self.fields.iter().find(|(name, _)| name.is_value());
        value
            .map(|(_, value)| value)
            .or(only)
            .ok_or_else(|| no_field(&self.info.reference, &FieldName::value()))
    }

    /// The value's bytes, as they were given.
    ///
    /// # Errors
    /// As [`Released::secret`].
    pub fn bytes(&self) -> Result<&[u8]> {
        use secrecy::ExposeSecret;
        Ok(self.secret()?.expose_secret())
    }

    /// The value as text.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is not UTF-8; else as [`Released::secret`].
    pub fn text(&self) -> Result<&str> {
        self.secret()?.text().map_err(|_| {
            Error::invalid(
                format!("the value of `{}` is not text", self.info.reference),
                "request its bytes",
            )
        })
    }

    /// Every field that came along, the key itself among them.
    #[must_use]
    pub fn fields(&self) -> &BTreeMap<FieldName, Secret> {
        &self.fields
    }

    /// The permit that the value was released under, and the key's record.
    pub(crate) fn basis(&self) -> (&Permit, &KeyRecord) {
        (&self.permit, &self.held.record)
    }

    /// Returns the description of the value.
    #[must_use]
    pub fn info(&self) -> &ReleasedInfo {
        &self.info
    }
}

impl fmt::Debug for Released {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Released")
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

impl Opened {
    /// The last step: takes the receipt of this very request.
    fn release(self, receipt: Receipt, ticket: EventTicket) -> Result<Released> {
        if !receipt.is_for(ticket) {
            return Err(Error::unavailable(Part::AuditLog, "the receipt is for another request"));
        }
        let Loaded {
            permit,
            held,
            mode,
            source,
            ..
        } = self.loaded;
        let environment = permit.realm().name.environment.clone();
        let environment = environment.ok_or_else(|| Error::integrity("a key of no environment"))?;
        let version = held.record.version(&self.label, self.version.into())?;
        let (version_created, value_name) = (version.created, version.value_name.clone());
        Ok(Released {
            fields: self.fields,
            info: ReleasedInfo {
                reference: self.label,
                id: permit.id(),
                namespace: permit.realm().name.namespace.clone(),
                name: permit.key().clone(),
                environment,
                provider: held.record.provider.clone(),
                variable: held.record.variable.clone(),
                version: self.version,
                version_created,
                value_name,
                mode,
                mode_source: source,
            },
            permit,
            held,
        })
    }
}

/// Retrieves values.
#[derive(Debug)]
pub(crate) struct Retriever {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) modes: Arc<Modes>,
    pub(crate) recorder: Arc<Recorder>,
}

impl Retriever {
    /// The whole journey, once more for a key that was switched to mock mode on the way: nobody notices but the log.
    pub(crate) async fn retrieve(
        &self,
        action: Action,
        asking: &Asking,
        reference: &KeyRef,
        context: &RequestContext,
    ) -> Result<Released> {
        let mut attempt = Attempt::new(action, self.records.now(), context);
        match self.retrieve_once(&mut attempt, asking, reference).await {
            Err(Error::Conflict { .. }) => {
                attempt = Attempt::new(action, self.records.now(), context);
                // Counted by the limits already: the same request must not pay twice.
                attempt.limits.again = true;
                Box::pin(self.retrieve_once(&mut attempt, asking, reference)).await
            }
            other => other,
        }
    }

    async fn retrieve_once(&self, attempt: &mut Attempt<'_>, asking: &Asking, reference: &KeyRef) -> Result<Released> {
        // Before any read: as long as the epoch stays, no record that was read has changed.
        let epoch = self.records.cache.epoch();
        let opened = match self.open_if_permitted(attempt, asking, reference).await {
            Ok(opened) => opened,
            // In a box, as every way that ends without a value.
            Err(error) => return Err(Box::pin(self.recorder.refused_use(attempt, error)).await),
        };
        let (receipt, ticket) = self.recorder.append_use(attempt).await?;
        if let Err(error) = self.unchanged(&opened, epoch).await {
            if matches!(error, Error::Conflict { .. }) {
                attempt.facts.reason = Some("mode_changed");
            }
            return Err(Box::pin(self.recorder.refused_use(attempt, error)).await);
        }
        opened.release(receipt, ticket)
    }

    pub(crate) async fn open_if_permitted(
        &self,
        attempt: &mut Attempt<'_>,
        asking: &Asking,
        reference: &KeyRef,
    ) -> Result<Opened> {
        let principal = self.limits.authenticate(attempt, asking).await?;
        let reference = principal.meaning(reference);
        self.limits.count_token(attempt, &principal, &reference).await?;
        let permit = self
            .gate
            .authorize(attempt, &principal, Scope::KeysRead, &reference)
            .await?;
        let loaded = self.load_permitted(permit).await?;
        self.limits
            .count_key(attempt, &loaded.permit, (&loaded.held.record, &loaded.settings.record))
            .await?;
        self.open(attempt, loaded, &reference)
    }

    /// Finds the record that a permit is for.
    pub(crate) async fn load_permitted(&self, permit: Permit) -> Result<Loaded> {
        self.records.hold_lease().await?;
        let held = self.gate.key(&permit).await?;
        let settings = self.records.environment_settings(permit.realm()).await?;
        let (mode, source) = self.modes.mode_by(permit.realm(), &held.record, &settings.record);
        Ok(Loaded {
            permit,
            held,
            settings,
            mode,
            source,
        })
    }

    /// Unwraps the data key, and opens the fields that were asked for; in mock mode nothing is unwrapped.
    fn open(&self, attempt: &mut Attempt<'_>, loaded: Loaded, reference: &KeyRef) -> Result<Opened> {
        (attempt.facts.mode, attempt.facts.mode_source) = (Some(loaded.mode.as_str()), Some(loaded.source.as_str()));
        let label = loaded.permit.label();
        let version = loaded.held.record.served(&label, reference.version())?;
        attempt.facts.version = Some(version.number);
        let named = (loaded.permit.realm().as_ref(), loaded.permit.id().0, label.as_str());
        let fields = match loaded.mode {
            Mode::Live => open_fields(named, version, reference.field())?,
            Mode::Mock => mock_fields(&loaded.permit, &loaded.held.record, version, reference.field())?,
        };
        Ok(Opened {
            version: version.number,
            fields,
            label,
            loaded,
        })
    }

    /// Checks once more, now that the line is durable, that token and key are still as they were when the permit was
    /// given.
    pub(crate) async fn unchanged(&self, opened: &Opened, epoch: u64) -> Result<()> {
        let loaded = &opened.loaded;
        if let Some(holder) = loaded.permit.principal().holder() {
            let times = valid_at(&holder.held().record.grant, holder.restrictions(), self.records.now());
            times.map_err(|_| Error::Unauthenticated)?;
        }
        // The usual case: nothing was invalidated since the start, so nothing has to be read again.
        if self.records.cache.epoch() == epoch && self.records.lease.holds(self.records.clock.as_ref()) {
            return Ok(());
        }
        Box::pin(self.unchanged_records(opened)).await
    }

    /// As [`Retriever::unchanged`], by the records as they are now.
    async fn unchanged_records(&self, opened: &Opened) -> Result<()> {
        let loaded = &opened.loaded;
        self.records.hold_lease().await?;
        let held = self.gate.key(&loaded.permit).await?;
        let version = held.record.served(&loaded.permit.label(), opened.version.into())?;
        if loaded.permit.principal().is_pending_only() && version.role != Role::Pending {
            return Err(Reason::Version.into());
        }
        let (mode, _) = self.modes.mode_of(loaded.permit.realm(), &held.record).await?;
        if loaded.mode == Mode::Live && mode != Mode::Live {
            return Err(Error::Conflict {
                what: format!(
                    "somebody changed the mode of `{}` at the same time",
                    loaded.permit.label()
                ),
            });
        }
        if let Some(holder) = loaded.permit.principal().holder() {
            self.gate.still(holder).await?;
        }
        Ok(())
    }
}

pub(crate) fn no_field(key: &str, field: &FieldName) -> Error {
    Error::NotFound {
        what: format!("field `{field}` of key `{key}`"),
        hint: Some(Remedy::ListFields),
    }
}

/// Opens the fields of a version, or the one that is wanted. The key is named by its realm, its id, and `environment/name`.
pub(crate) fn open_fields(
    (realm, id, label): (&Realm, [u8; 16], &str),
    version: &VersionRecord,
    field: Option<&FieldName>,
) -> Result<BTreeMap<FieldName, Secret>> {
    let what = || format!("version {} of key `{label}`", version.number);
    let sealed = version.sealed.as_ref().ok_or_else(|| Error::integrity(what()))?;
    let id = realm.record(crate::model::kind::KEY, id)?;
    let place = realm.place(&id).version(version.number);
    let data_key = realm.keys.unwrap_data_key(&place, &sealed.data_key.0);
    let data_key = data_key.map_err(|error| open_failed(what(), error))?;
    let mut opened = BTreeMap::new();
    for (name, bytes) in sealed
        .fields
        .iter()
        .filter(|(name, _)| field.is_none_or(|field| field == *name))
    {
        let value = data_key.open(&place.field(name.as_str()), &bytes.0);
        opened.insert(name.clone(), value.map_err(|error| open_failed(what(), error))?);
    }
    if let Some(field) = field.filter(|_| opened.is_empty()) {
        return Err(no_field(label, field));
    }
    Ok(opened)
}
