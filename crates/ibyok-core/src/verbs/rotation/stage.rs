//! The verbs that bring a new value in, and back out: stage, promote, rollback.

use ibyok_audit::Action;
use ibyok_crypto::Secret;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::gate::permit::Permit;
use crate::leaked::Screened;
use crate::model::key::VersionState;
use crate::model::key::{KeyRecord, Role, Stamp, VersionRecord};
use crate::model::key_info::KeyInfo;
use crate::model::key_life::KeyLife;
use crate::model::key_ref::KeyRef;
use crate::model::provider::{look_at, refuse_mocks};
use crate::model::take_away::KeyTakeAway;
use crate::model::write::{KeyWrite, Written};
use crate::retrieve::open_fields;
use crate::vault::handles::RotationVerbs;
use crate::verbs::keys::whole_key;
use crate::verbs::set_key::{next_number, seal_version};

impl RotationVerbs<'_> {
    /// Adds a version that is pending: served only to who asks for `pending` or its number, until it is promoted. One that was
    /// pending already is replaced, and its value destroyed.
    ///
    /// Only the value is staged: provider, variable and labels are the key's, and [`KeyVerbs::edit`](crate::keys::KeyVerbs::edit) changes them.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key that does not exist; [`Error::Conflict`] for the value that is current, if the
    /// caller may read that value; else as [`KeyVerbs::set`](crate::keys::KeyVerbs::set).
    pub async fn stage(self, key: &KeyRef, write: impl Into<KeyWrite>) -> Result<Written> {
        let write = write.into();
        let mut attempt = self.session.attempt(Action::KeyStage);
        let outcome = self.try_stage(&mut attempt, key, &write).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_stage(self, attempt: &mut Attempt<'_>, key: &KeyRef, write: &KeyWrite) -> Result<Written> {
        let permit = self.session.permit(attempt, Scope::KeysRotate, key).await?;
        whole_key(key)?;
        write.check()?;
        refuse_mocks(write, &permit.label())?;
        let screened = self.session.inner.leaks.screen(attempt, &permit, write).await?;
        let compares = self.session.inner.leaks.reads_current(attempt, &permit).await?;
        self.session.inner.changes.check_condition(attempt, &permit).await?;
        let incident = self
            .session
            .inner
            .incidents
            .before_forced(attempt, &permit, write, &screened)
            .await?;
        let stamp = Stamp {
            at: attempt.at,
            by: permit.principal().by(),
        };
        let edit = |attempt: &mut Attempt<'_>, key: KeyLife| {
            let mut record = key.live().ok_or_else(|| no_key_to_rotate(no_key(&permit)))?;
            only_the_value(&record, write)?;
            screened.still_holds(&record)?;
            if compares && is_current(&permit, &record, write, &screened)? {
                return Err(Error::Conflict {
                    what: "the new value is the current value: there is nothing to rotate".to_owned(),
                });
            }
            let number = next_number(&record)?;
            attempt.facts.version = Some(number);
            let replaced = record
                .pending()
                .map(|version| KeyTakeAway::DestroyVersion(version.number));
            if let Some(replaced) = replaced {
                record.take_away(replaced, &stamp);
            }
            record.versions.push(seal_version(
                &permit,
                (number, Role::Pending),
                (write, &screened),
                &stamp,
            )?);
            record.last_version = number;
            record.has_room()?;
            let written = Written {
                reference: permit.label(),
                id: permit.id(),
                version: number,
                state: VersionState::Pending,
                revision: record.rev.saturating_add(1),
                version_created: attempt.at,
                created: false,
                warnings: look_at(write, permit.key(), Some(&record.variable), record.provider.as_deref())
                    .warnings
                    .into_iter()
                    .chain(screened.warning())
                    .collect(),
                provider: record.provider.clone(),
                recognised: false,
                variable: record.variable.clone(),
            };
            Ok(match replaced {
                Some(what) => Edit::TakesAway(record, written, what.into()),
                None => Edit::Gives(record, written),
            })
        };
        let written = self.session.inner.changes.change_key(attempt, &permit, edit).await?;
        if let Some(incident) = incident {
            self.session
                .inner
                .incidents
                .after_forced(attempt, &permit, &incident, written.version)
                .await;
        }
        Ok(written)
    }

    /// Makes the pending version the current one. The one before is retiring: still served to who asks for it by number.
    ///
    /// # Errors
    /// [`Error::NotFound`] if nothing is pending; [`Error::VersionDisabled`] if it is disabled, so that it could not be served;
    /// [`Error::Conflict`] if it is compromised or its value leaked; else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn promote(self, key: &KeyRef) -> Result<KeyInfo> {
        self.step(Action::KeyPromote, key, (Role::Pending, None), KeyRecord::promote)
            .await
    }

    /// As `RotationVerbs::promote`, although the version is compromised or its value leaked. It takes a reason, marks
    /// the version as compromised, and opens an incident on the key.
    ///
    /// # Errors
    /// As [`RotationVerbs::promote`](crate::rotation::RotationVerbs::promote); a token needs `keys:read` for the key as well.
    pub async fn promote_by_force(self, key: &KeyRef, reason: &str) -> Result<KeyInfo> {
        self.step(
            Action::KeyPromote,
            key,
            (Role::Pending, Some(reason)),
            KeyRecord::promote,
        )
        .await
    }

    /// Makes the version that was current before the current one again, in one step: the newest retiring and the current one
    /// change places. Done twice, it is as it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no version is retiring; [`Error::VersionDisabled`] if the one to go back to is disabled,
    /// [`Error::Conflict`] if it is compromised or its value leaked; else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn roll_back(self, key: &KeyRef) -> Result<KeyInfo> {
        self.step(Action::KeyRollback, key, (Role::Retiring, None), KeyRecord::roll_back)
            .await
    }

    /// As `RotationVerbs::roll_back`, although the version is compromised or its value leaked, for a reason; see
    /// [`RotationVerbs::promote_by_force`](crate::rotation::RotationVerbs::promote_by_force).
    ///
    /// # Errors
    /// As [`RotationVerbs::roll_back`](crate::rotation::RotationVerbs::roll_back); a token needs `keys:read` for the key as well.
    pub async fn roll_back_by_force(self, key: &KeyRef, reason: &str) -> Result<KeyInfo> {
        self.step(
            Action::KeyRollback,
            key,
            (Role::Retiring, Some(reason)),
            KeyRecord::roll_back,
        )
        .await
    }

    /// A step that makes another version the current one.
    async fn step(
        self,
        action: Action,
        key: &KeyRef,
        from: (Role, Option<&str>),
        step: impl Fn(&mut KeyRecord, &str, &Stamp, bool) -> Result<u32> + Send + Sync,
    ) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(action);
        let outcome = self.try_step(&mut attempt, key, from, step).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_step(
        self,
        attempt: &mut Attempt<'_>,
        key: &KeyRef,
        from: (Role, Option<&str>),
        step: impl Fn(&mut KeyRecord, &str, &Stamp, bool) -> Result<u32> + Send + Sync,
    ) -> Result<KeyInfo> {
        attempt.facts.version = key.version().number();
        let permit = self.session.permit(attempt, Scope::KeysRotate, key).await?;
        whole_key(key)?;
        let (role, force) = from;
        let could_become_current = |_: &KeyRecord, version: &VersionRecord| version.role == role;
        let candidates = self
            .session
            .inner
            .leaks
            .candidates(attempt, &permit, (could_become_current, force))
            .await?;
        self.session.inner.changes.check_condition(attempt, &permit).await?;
        let incident = match force {
            Some(reason) if candidates.any_leaked() => Some(
                self.session
                    .inner
                    .incidents
                    .forced_incident(attempt, &permit, reason)
                    .await?,
            ),
            _ => None,
        };
        let info = self
            .session
            .change_permitted(attempt, &permit, |attempt, stamp, mut record| {
                let label = attempt.label();
                let number = step(&mut record, &label, stamp, candidates.forced())?;
                attempt.facts.version = Some(number);
                candidates.check(&mut record, number, stamp)?;
                Ok(Edit::Gives(record, ()))
            })
            .await?;
        if let (Some(incident), Some(version)) = (incident, info.version) {
            self.session
                .inner
                .incidents
                .after_forced(attempt, &permit, &incident, version)
                .await;
        }
        Ok(info)
    }
}

/// True if a write has the value of the current version, field for field.
fn is_current(permit: &Permit, record: &KeyRecord, write: &KeyWrite, screened: &Screened) -> Result<bool> {
    let Some(current) = record
        .current()
        .filter(|current| current.prints().exact == screened.value.exact)
    else {
        return Ok(false);
    };
    let names = current.sealed.iter().flat_map(|sealed| sealed.fields.keys());
    if !names.eq(write.fields.keys()) {
        return Ok(false);
    }
    if write.fields.len() == 1 {
        return Ok(true);
    }
    let label = permit.label();
    let opened = open_fields((permit.realm(), permit.id().0, &label), current, None)?;
    let same = |(one, other): (&Secret, &Secret)| one.same_as(other);
    Ok(opened.values().zip(write.fields.values()).all(same))
}

fn no_key_to_rotate(error: Error) -> Error {
    match error {
        Error::NotFound { what, .. } => Error::NotFound {
            what,
            hint: Some(Remedy::CreateKey),
        },
        other => other,
    }
}

/// Refuses a rotation that changes other facts about the key than its value: they need another scope.
pub(crate) fn only_the_value(record: &KeyRecord, write: &KeyWrite) -> Result<()> {
    let provider = write.provider.is_none() || write.provider == record.provider;
    let variable = write
        .variable
        .as_ref()
        .is_none_or(|variable| *variable == record.variable);
    let labels = write.labels.as_ref().is_none_or(|labels| *labels == record.labels);
    let limit = write.limit.is_none_or(|limit| limit == record.limit);
    let times = write.rotate_every.is_none() && write.expires.is_none();
    if provider && variable && labels && limit && times {
        return Ok(());
    }
    Err(Error::invalid(
        "a rotation changes only the value of the key",
        Remedy::EditSettings,
    ))
}
