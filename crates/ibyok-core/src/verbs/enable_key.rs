//! The verb that serves a disabled key or version again. A leaked version is served again only by force.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::leaked::Candidates;
use crate::model::key::VersionState;
use crate::model::key::{KeyRecord, Role, Stamp, StateChange, VersionRecord};
use crate::model::key_info::KeyInfo;
use crate::model::key_ref::KeyRef;
use crate::vault::handles::KeyVerbs;
use crate::verbs::keys::one_version;

impl KeyVerbs<'_> {
    /// Serves a key, or one version of it if the reference names one, again. A token needs `incidents:write` for the key as well
    /// while an incident is open on it.
    ///
    /// # Errors
    /// [`Error::VersionDestroyed`] for a version that is destroyed, [`Error::VersionDisabled`] for one that is retired: neither is
    /// served again. [`Error::Conflict`] for a version that is compromised or whose value leaked, and for a key that would serve
    /// one. Else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn enable(self, key: &KeyRef) -> Result<KeyInfo> {
        self.enable_for(key, None).await
    }

    /// Serves a key or version again although it leaked, for a reason: the version is marked compromised, and an incident is open on
    /// the key.
    ///
    /// # Errors
    /// As [`KeyVerbs::enable`](crate::keys::KeyVerbs::enable); a token needs `keys:read` for the key as well.
    pub async fn enable_by_force(self, key: &KeyRef, reason: &str) -> Result<KeyInfo> {
        self.enable_for(key, Some(reason)).await
    }

    async fn enable_for(self, key: &KeyRef, force: Option<&str>) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(Action::KeyEnable);
        let outcome = self.try_enable(&mut attempt, key, force).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_enable(self, attempt: &mut Attempt<'_>, key: &KeyRef, force: Option<&str>) -> Result<KeyInfo> {
        attempt.facts.version = key.version().number();
        let permit = self.session.permit(attempt, Scope::KeysWrite, key).await?;
        let handles = self.may_serve_leaked(attempt, &permit).await?;
        let label = permit.label();
        let could_be_served = |record: &KeyRecord, version: &VersionRecord| {
            one_version(record, key, &label).is_ok_and(|only| is_disabled(record, only) && is_served_by(version, only))
        };
        let candidates = self
            .session
            .inner
            .leaks
            .candidates(attempt, &permit, (could_be_served, force))
            .await?;
        if !handles && candidates.any_marked() {
            return Err(Error::denied(
                "incident",
                "enabling this key serves a leaked value again: that needs `incidents:write`",
            ));
        }
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
            .change_permitted(attempt, &permit, |_, stamp, record| {
                enabled(record, (key, &label), &candidates, stamp)
            })
            .await?;
        if let Some(incident) = incident {
            for version in candidates.leaked_versions() {
                self.session
                    .inner
                    .incidents
                    .after_forced(attempt, &permit, &incident, version)
                    .await;
            }
        }
        Ok(info)
    }

    /// Decides whether a principal handles incidents of the key. Others serve it again only where none is open.
    async fn may_serve_leaked(self, attempt: &Attempt<'_>, permit: &Permit) -> Result<bool> {
        let (who, realm) = (permit.principal(), &permit.realm().name);
        let handles = self
            .session
            .inner
            .gate
            .could(attempt, who, Scope::IncidentsWrite, realm, Some(permit.key()));
        if !handles && self.session.inner.incidents.is_under_incident(permit).await? {
            return Err(Error::denied(
                "incident",
                "an incident is open on the key: enabling it needs `incidents:write`",
            ));
        }
        Ok(handles)
    }
}

/// Enables a version, or the whole key. Refuses a value that leaked unless it is forced, and marks it then.
fn enabled(
    mut record: KeyRecord,
    (key, label): (&KeyRef, &str),
    candidates: &Candidates,
    stamp: &Stamp,
) -> Result<Edit<KeyRecord, ()>> {
    let only = one_version(&record, key, label)?;
    if let Some(number) = only {
        can_be_enabled(&record, number, label.to_owned())?;
    }
    if !is_disabled(&record, only) {
        return Ok(Edit::Unchanged(()));
    }
    let served = record.versions.iter().filter(|version| is_served_by(version, only));
    let served: Vec<u32> = served.map(|version| version.number).collect();
    for number in served {
        candidates.check(&mut record, number, stamp)?;
    }
    if let Some(number) = only {
        // One that made way already has no grace once it is marked.
        can_be_enabled(&record, number, label.to_owned())?;
    }
    match only {
        None => record.disabled = false,
        Some(number) => {
            for version in record.versions.iter_mut().filter(|version| version.number == number) {
                version.disabled = false;
                version.changes.push(StateChange::new("enabled", stamp));
            }
        }
    }
    Ok(Edit::Gives(record, ()))
}

fn is_disabled(record: &KeyRecord, version: Option<u32>) -> bool {
    match version {
        None => record.disabled,
        Some(number) => record
            .versions
            .iter()
            .any(|version| version.number == number && version.disabled),
    }
}

/// Returns true if enabling one version, or the whole key, makes this version one that is served.
fn is_served_by(version: &VersionRecord, only: Option<u32>) -> bool {
    let is_meant = only.is_none_or(|number| number == version.number);
    let role_is_served = match version.role {
        Role::Current | Role::Retiring | Role::Pending => version.sealed.is_some(),
        Role::Retired => false,
    };
    is_meant && role_is_served && (only.is_some() || !version.disabled)
}

/// Refuses a version that would not be served although it was enabled.
fn can_be_enabled(record: &KeyRecord, number: u32, key: String) -> Result<()> {
    let version = record.version(&key, number.into())?;
    if version.sealed.is_none() {
        return Err(Error::VersionDestroyed { key, version: number });
    }
    if version.role == Role::Retired {
        return Err(Error::VersionDisabled {
            key,
            version: number,
            state: VersionState::Retired,
        });
    }
    Ok(())
}
