//! The verbs that make a version: set, add, import.

use std::collections::BTreeMap;

use ibyok_audit::Action;
use ibyok_crypto::DataKey;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::leaked::Screened;
use crate::limit::within_highest;
use crate::model::key::VersionState;
use crate::model::key::{KeyRecord, Role, SealedFields, Stamp, StateChange, VersionRecord};
use crate::model::key_life::{KeyLife, Tombstone};
use crate::model::key_ref::KeyRef;
use crate::model::provider::{Told, look_at, refuse_mocks};
use crate::model::variable::{VariableKind, reaches_browsers_warning};
use crate::model::write::IfExists;
use crate::model::write::{Imported, KeyWrite, Written, check_variable};
use crate::model::{Sealed, kind};
use crate::realm::open_failed;
use crate::vault::handles::KeyVerbs;
use crate::verbs::keys::whole_key;
use crate::verbs::rotation::reschedule;

impl KeyVerbs<'_> {
    /// Creates a key, or makes a new current version of it; the version before stays retiring.
    ///
    /// A value that leaked is refused unless it is forced ([`KeyWrite::force`](crate::keys::KeyWrite::force)). A value leaked if a version with
    /// it, of any key of the environment, was marked compromised.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a value that leaked; [`Error::Limited`] for a token that may not read the leaked values and tried too many
    /// values that could be guesses;
    /// [`Error::Invalid`] and [`Error::TooLarge`] for a value that cannot be stored (values are 1 to [`VALUE_MAX`](crate::keys::VALUE_MAX) bytes);
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::Unavailable`].
    pub async fn set(self, key: &KeyRef, write: impl Into<KeyWrite>) -> Result<Written> {
        self.write(key, write.into(), Replace::Always).await.and_then(written)
    }

    /// Creates a key, and refuses one that exists.
    ///
    /// # Errors
    /// [`Error::Exists`]; else as [`KeyVerbs::set`](crate::keys::KeyVerbs::set).
    pub async fn add(self, key: &KeyRef, write: impl Into<KeyWrite>) -> Result<Written> {
        self.write(key, write.into(), Replace::Never).await.and_then(written)
    }

    /// Creates a key, leaves one alone that has this value, and one that has another value with [`IfExists::Keep`].
    ///
    /// For a token that may not read the value, nothing is compared: a key that exists counts as one with another
    /// value.
    ///
    /// # Errors
    /// As [`KeyVerbs::set`](crate::keys::KeyVerbs::set).
    pub async fn import(self, key: &KeyRef, write: impl Into<KeyWrite>, existing: IfExists) -> Result<Imported> {
        let replace = match existing {
            IfExists::Replace => Replace::IfDifferent,
            IfExists::Keep => Replace::Tell,
        };
        self.write(key, write.into(), replace).await
    }

    async fn write(self, key: &KeyRef, write: KeyWrite, replace: Replace) -> Result<Imported> {
        let mut attempt = self.session.attempt(Action::KeySet);
        let outcome = self.try_write(&mut attempt, key, &write, replace).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_write(
        self,
        attempt: &mut Attempt<'_>,
        key: &KeyRef,
        write: &KeyWrite,
        replace: Replace,
    ) -> Result<Imported> {
        let permit = self.session.permit(attempt, Scope::KeysWrite, key).await?;
        whole_key(key)?;
        write.check()?;
        refuse_mocks(write, &permit.label())?;
        let screened = self.session.inner.leaks.screen(attempt, &permit, write).await?;
        let compares = self.session.inner.leaks.reads_current(attempt, &permit).await?;
        let highest = self.session.inner.limits.highest_limit(&permit, write.limit).await?;
        self.session.inner.changes.check_condition(attempt, &permit).await?;
        let incident = self
            .session
            .inner
            .incidents
            .before_forced(attempt, &permit, write, &screened)
            .await?;
        let change = self.session.inner.changes.change_key(attempt, &permit, |attempt, key| {
            let live = key.as_live();
            let same = live.and_then(KeyRecord::current).is_some_and(|current| {
                compares
                    && current.prints().exact == screened.value.exact
                    && current
                        .sealed
                        .as_ref()
                        .is_some_and(|s| s.fields.len() == 1 && write.fields.len() == 1)
            });
            live.map_or(Ok(()), |live| screened.still_holds(live))?;
            match (live.is_some(), replace) {
                (true, Replace::Never) => {
                    return Err(Error::Exists {
                        what: format!("key `{}`", permit.label()),
                    });
                }
                (true, Replace::Tell | Replace::IfDifferent) if same => {
                    attempt.facts.reason = Some("unchanged");
                    return Ok(Edit::Unchanged(Imported::Unchanged));
                }
                (true, Replace::Tell) => {
                    attempt.facts.reason = Some("differs");
                    return Ok(Edit::Unchanged(Imported::Differs));
                }
                _ => {}
            }
            within_highest(write.limit, highest, live)?;
            let created = live.is_none();
            let told = look_at(
                write,
                permit.key(),
                live.map(|record| record.variable.as_str()),
                live.and_then(|record| record.provider.as_deref()),
            );
            let record = with_new_version(attempt, &permit, key, (write, &screened), &told)?;
            let version = record.last_version;
            attempt.facts.version = Some(version);
            let mut warnings = told.warnings;
            if created || write.variable.is_some() {
                warnings.extend(about_variable(&record));
            }
            warnings.extend(screened.warning());
            let written = Written {
                reference: permit.label(),
                id: permit.id(),
                version,
                state: VersionState::Current,
                revision: record.rev.saturating_add(1),
                version_created: attempt.at,
                created,
                provider: told.provider,
                recognised: told.recognised,
                variable: record.variable.clone(),
                warnings,
            };
            let outcome = if created {
                Imported::Created(written)
            } else {
                Imported::Updated(written)
            };
            Ok(Edit::Gives(record, outcome))
        });
        let outcome = change.await?;
        if let (Some(incident), Imported::Created(written) | Imported::Updated(written)) = (incident, &outcome) {
            self.session
                .inner
                .incidents
                .after_forced(attempt, &permit, &incident, written.version)
                .await;
        }
        Ok(outcome)
    }
}

/// The effect of a write on a key that exists.
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
            what: "the key was not changed".to_owned(),
        }),
    }
}

/// A key's record with one more version, which is the current one.
pub(crate) fn with_new_version(
    attempt: &Attempt<'_>,
    permit: &Permit,
    key: KeyLife,
    (write, screened): (&KeyWrite, &Screened),
    told: &Told,
) -> Result<KeyRecord> {
    let stamp = Stamp {
        at: attempt.at,
        by: permit.principal().by(),
    };
    let created = key.as_live().is_none();
    let mut record = match key {
        KeyLife::Live(record) => *record,
        KeyLife::Absent => first(permit, &stamp),
        // The numbers continue, so that no reference to a version of the removed key leads to the new key.
        KeyLife::Removed(Tombstone { rev, last_version }) => KeyRecord {
            rev,
            last_version,
            ..first(permit, &stamp)
        },
    };
    let number = next_number(&record)?;
    for version in record
        .versions
        .iter_mut()
        .filter(|version| version.role == Role::Current)
    {
        version.step_down(&stamp);
    }
    record.versions.push(seal_version(
        permit,
        (number, Role::Current),
        (write, screened),
        &stamp,
    )?);
    record.last_version = number;
    record.provider.clone_from(&told.provider);
    match (&write.variable, created) {
        // Any caller may repeat the present variable.
        (Some(variable), false) if attempt.is_by_token() && record.variable == *variable => {}
        (Some(variable), _) => record.name_variable(variable, attempt.is_by_token())?,
        (None, true) => {
            record.variable = usual_variable(permit, told)?;
            record.variable_named = !attempt.is_by_token();
        }
        (None, false) => {}
    }
    if let Some(limit) = write.limit {
        record.limit = limit;
    }
    reschedule(&mut record, write.rotate_every, write.expires, attempt.at)?;
    if let Some(labels) = &write.labels {
        record.labels.clone_from(labels);
    }
    record.has_room()?;
    Ok(record)
}

/// The number of the next version: none is ever given twice.
pub(crate) fn next_number(record: &KeyRecord) -> Result<u32> {
    let number = record.last_version.checked_add(1);
    number.ok_or_else(|| Error::invalid("the key has used all version numbers", "use another name"))
}

/// The variable of a new key: its provider's usual one, else its name in capitals.
fn usual_variable(permit: &Permit, told: &Told) -> Result<String> {
    let variable = told.variable().map_or_else(|| permit.key().variable(), str::to_owned);
    check_variable(&variable)?;
    Ok(variable)
}

/// Returns the warnings about a key's variable.
fn about_variable(record: &KeyRecord) -> Vec<String> {
    let variable = &record.variable;
    let mut warnings = Vec::new();
    warnings.extend(reaches_browsers_warning(variable));
    if !VariableKind::of(variable).may_be_handed_out(record.variable_named) {
        warnings.push(format!(
            "programs that get all variables of an environment do not get `{variable}` until an operator sets the variable of the key"
        ));
    }
    warnings
}

fn first(permit: &Permit, stamp: &Stamp) -> KeyRecord {
    KeyRecord {
        rev: 0,
        name: permit.key().clone(),
        provider: None,
        variable: permit.key().variable(),
        variable_named: false,
        labels: BTreeMap::new(),
        created: stamp.at,
        created_by: stamp.by.clone(),
        disabled: false,
        mode: None,
        limit: None,
        rotate_every: None,
        expires: None,
        removed: None,
        last_version: 0,
        versions: Vec::new(),
    }
}

/// Seals the fields of a screened write under a new data key, and the data key under the environment key.
pub(crate) fn seal_version(
    permit: &Permit,
    (number, role): (u32, Role),
    (write, screened): (&KeyWrite, &Screened),
    stamp: &Stamp,
) -> Result<VersionRecord> {
    let failed = |error| open_failed(format!("version {number}"), error);
    let id = permit.realm().record(kind::KEY, permit.id().0)?;
    let place = permit.realm().place(&id).version(number);
    let data_key = DataKey::generate().map_err(failed)?;
    let mut fields = BTreeMap::new();
    for (name, value) in &write.fields {
        let sealed = data_key.seal(&place.field(name.as_str()), value).map_err(failed)?;
        fields.insert(name.clone(), Sealed(sealed));
    }
    let data_key = Sealed(permit.realm().keys.wrap_data_key(&place, &data_key).map_err(failed)?);
    Ok(VersionRecord {
        number,
        role,
        disabled: false,
        compromised: screened.leaked,
        value_name: write.value_name.clone(),
        sealed: Some(SealedFields { data_key, fields }),
        fingerprint: Sealed(screened.value.exact.map(|print| print.to_vec()).unwrap_or_default()),
        trimmed: screened.value.trimmed.map(|print| Sealed(print.to_vec())),
        created: stamp.at,
        created_by: stamp.by.clone(),
        changes: screened
            .leaked
            .then(|| StateChange::new("compromised", stamp))
            .into_iter()
            .collect(),
    })
}
