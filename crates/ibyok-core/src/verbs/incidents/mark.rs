//! An incident on one key: its record is written, the value remembered, and the versions marked.

use ibyok_audit::Action;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::gate::permit::Permit;
use crate::incident::Found;
use crate::incident::request::IncidentRequest;
use crate::incident::write::stamp;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::model::key_info::KeyInfo;
use crate::model::key_ref::KeyRef;
use crate::model::take_away::KeyTakeAway;
use crate::vault::handles::IncidentVerbs;
use crate::verbs::keys::info;

/// An incident that was opened on one key.
pub(super) struct Opened {
    pub(super) found: Found,
    pub(super) was_open: bool,
    pub(super) key: KeyInfo,
}

impl IncidentVerbs<'_> {
    /// Opens an incident on one key, or adds to the one that is open: writes it, remembers the value, marks the versions.
    pub(super) async fn open_on(
        self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (record, key): (&KeyRecord, &KeyRef),
        (request, on_the_log): (&IncidentRequest, bool),
    ) -> Result<Opened> {
        let versions = self.leaked_versions(attempt, permit, record, key).await?;
        attempt.facts.version = versions.first().map(|version| version.number);
        let whole = self
            .session
            .inner
            .records
            .whole_realm(&permit.realm().name.namespace)
            .await?;
        // The incident first: after a crash it states the intention, and opening it again does the rest.
        let numbers: Vec<u32> = versions.iter().map(|version| version.number).collect();
        let (found, was_open) = self
            .session
            .inner
            .incidents
            .write_incident(attempt, permit, &whole, &numbers, (request, on_the_log))
            .await?;
        // Then the value, before the mark: a reader who sees the mark finds the value refused.
        for version in &versions {
            let of_version = (permit.id(), *version);
            self.session
                .inner
                .leaks
                .remember_leaked(attempt, permit.principal(), permit.realm(), of_version)
                .await?;
        }
        let key = self.mark_all(attempt, permit, &numbers, request.freeze).await?;
        Ok(Opened { found, was_open, key })
    }

    /// Returns the versions that may have leaked: the one that is meant, then those of the same value, as far as the
    /// principal may read them. To any other caller the answer would reveal that two values are equal.
    pub(super) async fn leaked_versions<'r>(
        self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        record: &'r KeyRecord,
        key: &KeyRef,
    ) -> Result<Vec<&'r VersionRecord>> {
        let meant = meant(record, key, &permit.label())?;
        let mut versions = vec![meant];
        for version in record.versions.iter().filter(|version| version.number != meant.number) {
            let of = (permit.principal(), permit.realm());
            if version.prints().meets(&meant.prints())
                && self
                    .session
                    .inner
                    .leaks
                    .reads_version(attempt, of, record, version.number.into())
                    .await?
            {
                versions.push(version);
            }
        }
        Ok(versions)
    }

    /// Marks the versions, the one that is meant last, and disables the key if it is to be frozen.
    async fn mark_all(
        self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        versions: &[u32],
        freeze: bool,
    ) -> Result<KeyInfo> {
        let (meant, others) = versions
            .split_first()
            .ok_or_else(|| Error::integrity("an incident of no version"))?;
        for other in others {
            let mut beside = attempt.beside(Action::IncidentOpen);
            beside.facts.target.clone_from(&attempt.facts.target);
            beside.facts.version = Some(*other);
            self.mark(&mut beside, permit, *other, false).await?;
        }
        self.mark(attempt, permit, *meant, freeze).await
    }

    /// Marks the version, and disables the key if it is to be frozen.
    async fn mark(self, attempt: &mut Attempt<'_>, permit: &Permit, version: u32, freeze: bool) -> Result<KeyInfo> {
        let stamp = stamp(attempt, permit);
        let what = KeyTakeAway::Compromise { version, freeze };
        let change = self.session.inner.changes.change_key(attempt, permit, |_, key| {
            let mut record = key.live().ok_or_else(|| no_key(permit))?;
            let changed = record.take_away(what, &stamp);
            let info = info(permit, &record)?;
            Ok(if changed {
                Edit::TakesAway(record, info.once_changed(), what.into())
            } else {
                Edit::IsAway(info)
            })
        });
        change.await
    }
}

/// The version that may have leaked: the one named, else the current one, else the newest.
fn meant<'r>(record: &'r KeyRecord, key: &KeyRef, label: &str) -> Result<&'r VersionRecord> {
    let newest = record.versions.last().filter(|_| key.version().is_current());
    match (record.version(label, key.version()), newest) {
        (Ok(version), _) | (Err(_), Some(version)) => Ok(version),
        (Err(error), None) => Err(error),
    }
}
