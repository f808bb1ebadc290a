//! The verbs that take an old version away: retire, destroy. Neither does while an active consumer needs it.

use ibyok_audit::Action;
use ibyok_policy::Scope;
use jiff::SignedDuration;
use serde::Serialize;

use super::drain::Uses;
use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::gate::permit::Permit;
use crate::model::account::check_account;
use crate::model::condition::Condition;
use crate::model::key::{KeyRecord, Role, Stamp};
use crate::model::key_info::KeyInfo;
use crate::model::key_life::KeyLife;
use crate::model::key_ref::KeyRef;
use crate::model::take_away::KeyTakeAway;
use crate::model::which_version::WhichVersion;
use crate::vault::handles::RotationVerbs;
use crate::verbs::keys::{info, no_field};

/// The longest quiet that a request may ask for: after that time no consumer counts as active.
const QUIET_MAX: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The conditions under which a version goes.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DrainRequest {
    /// The least time since the last read of the old version.
    pub quiet: SignedDuration,
    /// True if it goes although consumers need it; a reason has to be given.
    pub force: bool,
    /// The reason, for the audit log.
    pub reason: Option<String>,
}

impl DrainRequest {
    /// Sets the least time since the last read of the old version.
    #[must_use]
    pub fn quiet(mut self, quiet: SignedDuration) -> Self {
        self.quiet = quiet;
        self
    }

    /// Lets the version go although consumers need it, for this reason.
    #[must_use]
    pub fn force(mut self, reason: impl Into<String>) -> Self {
        self.force = true;
        self.reason = Some(reason.into());
        self
    }

    fn check(&self) -> Result<()> {
        if self.force && self.reason.is_none() {
            return Err(Error::invalid(
                "force needs a reason",
                "give a reason; the audit log records it",
            ));
        }
        if self.reason.is_some() && !self.force {
            return Err(Error::invalid("a reason needs force", Remedy::ForceWithReason));
        }
        if self.quiet.is_negative() || self.quiet > QUIET_MAX {
            return Err(Error::invalid(
                "the quiet time is longer than 90 days",
                "give a shorter quiet time",
            ));
        }
        self.reason
            .as_deref()
            .map_or(Ok(()), |reason| check_account("reason", reason))
    }
}

/// A version whose value is destroyed.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Destroyed {
    /// The key as it is now.
    #[serde(flatten)]
    pub key: KeyInfo,
    /// The places that may still hold the sealed value, and until when, in words; `None` if nothing does that belongs
    /// to the store. Backups are beyond it.
    pub remains: Option<String>,
}

impl RotationVerbs<'_> {
    /// Retires every retiring version, or the one that the reference names: it is no longer served. One that is retired stays so.
    ///
    /// Refused while a consumer needs it: a token that is valid, has read any version of the key within 90 days, and
    /// has not read the current one yet, or the old one since. A reader may still be given the version while this is
    /// decided.
    ///
    /// # Errors
    /// [`Error::InUse`] with who needs it; [`Error::Conflict`] for a version that is pending; [`Error::Invalid`] for a force without
    /// a reason; else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn retire(self, key: &KeyRef, request: &DrainRequest) -> Result<KeyInfo> {
        if key.version().is_current() {
            return self.retire_all(key, request).await;
        }
        self.take_version(Action::KeyRetire, Scope::KeysRotate, key, request)
            .await
    }

    /// Destroys the value of the version that the reference names: its sealed bytes and its data key are gone from the record, and as
    /// far as the store can from its files. Any but the current one; one that is destroyed stays so.
    ///
    /// # Errors
    /// As [`RotationVerbs::retire`](crate::rotation::RotationVerbs::retire); [`Error::Invalid`] for a reference to no version.
    pub async fn destroy(self, key: &KeyRef, request: &DrainRequest) -> Result<Destroyed> {
        let key = self
            .take_version(Action::KeyDestroy, Scope::KeysDestroy, key, request)
            .await?;
        let remains = match self.session.inner.records.store.scrub().await {
            Ok(remains) => remains,
            Err(error) => Some(format!(
                "the store's files may hold the value until the store cleans them: {error}"
            )),
        };
        Ok(Destroyed { key, remains })
    }

    /// Retires each with its own lines on the log; none at all if one is still needed.
    async fn retire_all(self, key: &KeyRef, request: &DrainRequest) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(Action::KeyRetire);
        let outcome = self.retiring(&mut attempt, key, request).await;
        let (mut info, retiring) = self.session.inner.recorder.refusing(&attempt, outcome).await?;
        if retiring.is_empty() {
            attempt.facts.reason = Some("unchanged");
            self.session.inner.recorder.record(attempt.allowed()).await?;
        }
        let mut session = self.session.clone();
        for number in retiring {
            let one = key.clone().at_version(number);
            info = session
                .rotation()
                .take_version(Action::KeyRetire, Scope::KeysRotate, &one, request)
                .await?;
            // The next change builds on this one, and on no other.
            session.condition = session.condition.map(|_| Condition::Revision(info.revision));
        }
        Ok(info)
    }

    /// The versions that are retiring, if nobody needs any of them.
    async fn retiring(
        self,
        attempt: &mut Attempt<'_>,
        key: &KeyRef,
        request: &DrainRequest,
    ) -> Result<(KeyInfo, Vec<u32>)> {
        let permit = self.session.permit(attempt, Scope::KeysRotate, key).await?;
        no_field(key)?;
        request.check()?;
        let held = self.session.inner.gate.key(&permit).await?;
        self.session.inner.changes.check_condition(attempt, &permit).await?;
        let retiring = held.record.versions.iter().filter(|v| v.role == Role::Retiring);
        let retiring: Vec<u32> = retiring.map(|version| version.number).collect();
        if !retiring.is_empty()
            && let Some(uses) = self.uses(&permit, request).await?
        {
            for number in &retiring {
                let hide = !self.session.inner.shows_consumers(attempt, &permit);
                may_go(&held.record, *number, &uses, attempt, &permit, request).map_err(|error| hidden(error, hide))?;
            }
        }
        let mut info = info(&permit, &held.record)?;
        self.session.inner.modes.tell_mode(permit.realm(), &mut info).await;
        Ok((info, retiring))
    }

    /// Returns the uses of the key, unless they do not matter.
    async fn uses(self, permit: &Permit, request: &DrainRequest) -> Result<Option<Uses>> {
        if request.force {
            return Ok(None);
        }
        self.session.inner.uses(permit.realm(), permit.id()).await.map(Some)
    }

    /// Takes one version away, if it may go.
    async fn take_version(self, action: Action, scope: Scope, key: &KeyRef, request: &DrainRequest) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(action);
        attempt.facts.version = key.version().number();
        let outcome = self.try_take(&mut attempt, scope, key, request).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_take(
        self,
        attempt: &mut Attempt<'_>,
        scope: Scope,
        key: &KeyRef,
        request: &DrainRequest,
    ) -> Result<KeyInfo> {
        let permit = self.session.permit(attempt, scope, key).await?;
        no_field(key)?;
        request.check()?;
        if key.version().is_current() {
            return Err(Error::invalid("no version is given", "give the version to destroy"));
        }
        attempt.facts.because.clone_from(&request.reason);
        let uses = self.uses(&permit, request).await?;
        let hide = !self.session.inner.shows_consumers(attempt, &permit);
        let stamp = Stamp {
            at: attempt.at,
            by: permit.principal().by(),
        };
        let edit = |attempt: &mut Attempt<'_>, life: KeyLife| {
            let mut record = life.live().ok_or_else(|| no_key(&permit))?;
            let number = record.version(&permit.label(), key.version())?.number;
            attempt.facts.version = Some(number);
            let what = taken(attempt.action, &record, number, &permit.label())?;
            let before = info(&permit, &record)?;
            let is_pending = record.pending().is_some_and(|version| version.number == number);
            // The need is judged on the record as it is now: another version may have become current meanwhile.
            let judged = record.clone();
            if !record.take_away(what, &stamp) {
                return Ok(Edit::IsAway(before));
            }
            if let Some(uses) = uses.as_ref().filter(|_| !is_pending) {
                may_go(&judged, number, uses, attempt, &permit, request).map_err(|error| hidden(error, hide))?;
            }
            let info = info(&permit, &record)?.once_changed();
            Ok(Edit::TakesAway(record, info, what.into()))
        };
        let mut info = self.session.inner.changes.change_key(attempt, &permit, edit).await?;
        self.session.inner.modes.tell_mode(permit.realm(), &mut info).await;
        Ok(info)
    }
}

/// Returns the change that takes the version away, of a version that can go at all.
fn taken(action: Action, record: &KeyRecord, number: u32, key: &str) -> Result<KeyTakeAway> {
    let version = record.version(key, WhichVersion::Number(number))?;
    match (action, version.role) {
        (_, Role::Current) => Err(Error::InUse {
            what: format!("version {number} of key `{key}`"),
            by: vec!["every consumer of the key: it is the current version".to_owned()],
            hint: Remedy::AwaitConsumers,
        }),
        (Action::KeyRetire, Role::Pending) => Err(Error::Conflict {
            what: format!("version {number} of key `{key}` is pending: promote it, or destroy it"),
        }),
        (Action::KeyRetire, _) if version.sealed.is_none() => Err(Error::VersionDestroyed {
            key: key.to_owned(),
            version: number,
        }),
        (Action::KeyRetire, _) => Ok(KeyTakeAway::RetireVersion(number)),
        _ => Ok(KeyTakeAway::DestroyVersion(number)),
    }
}

/// Removes the names from a refusal, for a caller that may not know the consumers of the key.
fn hidden(error: Error, hide: bool) -> Error {
    match error {
        Error::InUse { what, by, hint } if hide => {
            let count = by.len();
            let consumers = if count == 1 { "consumer" } else { "consumers" };
            let by = vec![format!(
                "{count} {consumers}; listing them needs `usage:read` or `keys:rotate`"
            )];
            Error::InUse { what, by, hint }
        }
        other => other,
    }
}

/// Refuses while a consumer needs the version.
fn may_go(
    record: &KeyRecord,
    number: u32,
    uses: &Uses,
    attempt: &Attempt<'_>,
    permit: &Permit,
    request: &DrainRequest,
) -> Result<()> {
    let by = uses.hold_up(record, number, attempt.at, request.quiet);
    if by.is_empty() {
        return Ok(());
    }
    Err(Error::InUse {
        what: format!("version {number} of key `{}`", permit.label()),
        by,
        hint: Remedy::AwaitConsumers,
    })
}
