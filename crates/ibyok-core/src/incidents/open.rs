//! Opening an incident: the version is marked, what is to stop is stopped, and what remains is told.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::{Scope, TokenId};
use serde::Serialize;

use super::Found;
use super::copies::LeakedCopy;
use super::replace::Replacing;
use super::request::IncidentRequest;
use super::revoke::Left;
use super::steps::Step;
use crate::attempt::Attempt;
use crate::authorize::Permit;
use crate::change::Edit;
use crate::error::{Error, Result};
use crate::keys::info;
use crate::model::incident::{IncidentInfo, IncidentRecord};
use crate::model::key::{KeyInfo, KeyRecord, Stamp, VersionRecord};
use crate::model::key_ref::KeyRef;
use crate::realm::Realm;
use crate::retrieve::no_key;
use crate::session::Session;
use crate::take_away::TakeAway;

/// What opening an incident did, and what remains.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentOpened {
    /// The incident as it stands now.
    #[serde(flatten)]
    pub incident: IncidentInfo,
    /// Whether it was open before, and has only been added to.
    pub was_open: bool,
    /// Reason why the new value did not take the place of the leaked one, if one was given and it did not.
    pub not_replaced: Option<String>,
    /// Warnings about the new value: it does not look like a key of its provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Readers that were to be revoked and were not, with the reason: to be done by somebody who may.
    pub not_revoked: Vec<NotRevoked>,
    /// What may hide a reader that was to be revoked: nodes that do not report, counts that do not open.
    pub unseen: Vec<String>,
    /// Other keys of the environment that hold the same value, as far as the principal may read them.
    pub copies: Vec<LeakedCopy>,
    /// What remains to be done, in order.
    pub remaining: Vec<Step>,
}

/// An incident that was opened on one key.
pub(super) struct Opened {
    pub(super) found: Found,
    was_open: bool,
    key: KeyInfo,
}

/// A token that was to be revoked and was not.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct NotRevoked {
    /// The token.
    pub token: TokenId,
    /// Why not.
    pub why: String,
}

impl Session {
    /// Opens an incident on a key: marks the version that the reference names, else the current one, as compromised, so that it has
    /// no grace when it is replaced; disables the key and revokes its readers if asked to. A new value of the request then becomes
    /// the current version: whatever can be refused about it is refused before anything is marked. Every other key of the
    /// environment that holds the leaked value and that the session may read gets an incident, too.
    ///
    /// A key has one open incident at a time: opening again adds to it, and does what is still missing of what is asked.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a reason that is none or a time in the future; [`Error::NotFound`] for a key or version that is not
    /// there; [`Error::Conflict`] for a new value that leaked itself, and for a request that names no version where the current one has taken the
    /// place of the leaked one; [`Error::Unauthenticated`], [`Error::Denied`] (a new value
    /// takes `keys:write` or `keys:rotate` as well), [`Error::Kek`] where this node may not open what spans environments,
    /// [`Error::Unavailable`].
    pub async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<IncidentOpened> {
        let mut attempt = self.attempt(Action::IncidentOpen);
        attempt.version = key.version().number();
        attempt.condition = None;
        let outcome = self.try_open_incident(&mut attempt, key, &request).await;
        self.inner.refusing(&attempt, outcome).await
    }

    async fn try_open_incident(
        &self,
        attempt: &mut Attempt<'_>,
        key: &KeyRef,
        request: &IncidentRequest,
    ) -> Result<IncidentOpened> {
        let permit = self.permit(attempt, Scope::IncidentsWrite, key).await?;
        request.check(attempt.at)?;
        if key.field().is_some() {
            return Err(Error::invalid("this is about the whole key", "leave out `#field`"));
        }
        let held = self.inner.load::<KeyRecord>(&permit.realm, permit.id.0).await?;
        let held = held.filter(|held| held.record.removed.is_none());
        let held = held.ok_or_else(|| no_key(&permit))?;
        let of_key = (&permit.realm, Some(&held.record));
        let reason = [("reason", request.reason.as_str())];
        let said = self
            .inner
            .check_texts(attempt, &permit.principal, of_key, &reason)
            .await?;
        self.is_meant(&permit, (&held.record, key), request).await?;
        let versions = self.leaked_versions(attempt, &permit, &held.record, key).await?;
        let of_key = (&held.record, versions.as_slice());
        let replacement = self.check_replacement(attempt, &permit, request, of_key).await?;
        let on_the_log = said == request.reason;
        let opened = self
            .open_on(attempt, &permit, (&held.record, key), (request, on_the_log))
            .await?;
        let mut found = opened.found;
        let replacing = match &replacement {
            Some(checked) => self.replace(attempt, &permit, &mut found, checked).await?,
            None => Replacing::default(),
        };
        let of_key = (found, &held.record);
        let (found, copies, also) = self.open_on_copies(attempt, &permit, of_key, request).await?;
        let (found, left) = match request.revoke_readers {
            None => (found, Left::default()),
            Some(since) => self.revoke_all_readers(attempt, (&permit, found), also, since).await?,
        };
        let key = replacing.key.as_ref().unwrap_or(&opened.key);
        let remaining = super::steps::remaining(&found.record, key, &copies);
        Ok(IncidentOpened {
            incident: found.info(),
            was_open: opened.was_open,
            not_replaced: replacing.not_replaced,
            warnings: replacing.warnings,
            not_revoked: left.not_revoked,
            unseen: left.unseen,
            copies,
            remaining,
        })
    }

    /// Refuses a request that names no version, where the current version is none of those that leaked but took their place: given twice, the
    /// command that replaces a value would take the new value for the leaked one.
    ///
    /// # Errors
    /// [`Error::Conflict`], which says how the version is named.
    async fn is_meant(
        &self,
        permit: &Permit,
        (record, key): (&KeyRecord, &KeyRef),
        request: &IncidentRequest,
    ) -> Result<()> {
        let Some(current) = record.current().filter(|_| key.version().is_current()) else {
            return Ok(());
        };
        let whole = self.inner.whole_realm(&permit.realm.name.namespace).await?;
        let (newest, _) = self.inner.newest_incident(&whole, permit.id).await?;
        let Some(open) = newest.filter(|found| found.record.closed.is_none()) else {
            return Ok(());
        };
        let number = current.number;
        let took_its_place = open.record.replaced.as_ref().is_some_and(|new| new.version == number);
        // A crash may have come between the new version and the note of it in the incident.
        let is_new = !open.record.versions.contains(&number) && (took_its_place || request.replace.is_some());
        if !is_new {
            return Ok(());
        }
        let (id, label) = (open.id, permit.label());
        Err(Error::Conflict {
            what: format!(
                "incident {id} is open, and version {number} has taken the place of the version that leaked: name the version that is \
                 meant, such as `{label}?version={number}` if that one leaked as well"
            ),
        })
    }

    /// Opens an incident on one key, or adds to the one that is open: writes it, remembers the value, marks the versions.
    pub(super) async fn open_on(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        (record, key): (&KeyRecord, &KeyRef),
        (request, on_the_log): (&IncidentRequest, bool),
    ) -> Result<Opened> {
        let versions = self.leaked_versions(attempt, permit, record, key).await?;
        attempt.version = versions.first().map(|version| version.number);
        let whole = self.inner.whole_realm(&permit.realm.name.namespace).await?;
        // The incident first: after a crash it says what was meant to happen, and opening it again does the rest.
        let numbers: Vec<u32> = versions.iter().map(|version| version.number).collect();
        let (found, was_open) = self
            .write_incident(attempt, permit, &whole, &numbers, (request, on_the_log))
            .await?;
        // Then the value, before the mark: whoever sees the mark finds the value refused.
        for version in &versions {
            let of_version = (permit.id, *version);
            self.inner
                .remember_leaked(attempt, &permit.principal, &permit.realm, of_version)
                .await?;
        }
        let key = self.mark_all(attempt, permit, &numbers, request.freeze).await?;
        Ok(Opened { found, was_open, key })
    }

    pub(super) async fn write_incident(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        whole: &Arc<Realm>,
        versions: &[u32],
        (request, on_the_log): (&IncidentRequest, bool),
    ) -> Result<(Found, bool)> {
        let (newest, next) = self.inner.newest_incident(whole, permit.id).await?;
        let open = newest.filter(|found| found.record.closed.is_none());
        let id = open.map_or(next, |found| found.id);
        attempt.target = Some(("incident", id.to_string()));
        attempt.because = Some(match on_the_log {
            true => request.reason.clone(),
            false => super::account::NOT_ON_THE_LOG.to_owned(),
        });
        let stamp = stamp(attempt, permit);
        let new = || first(permit, &stamp, versions, request);
        let change = self.inner.change(
            attempt,
            &permit.principal,
            whole,
            id.0,
            |_, record: Option<IncidentRecord>| {
                // Somebody else may have opened it just now.
                let was_open = record.is_some();
                let record = match record {
                    None => new()?,
                    Some(record) if record.closed.is_some() => {
                        return Err(Error::Conflict {
                            what: "somebody has just closed the incident".to_owned(),
                        });
                    }
                    Some(record) => added(record, &stamp, versions, request)?,
                };
                Ok(Edit::Gives(record.clone(), (record, was_open)))
            },
        );
        let (record, was_open) = change.await?;
        let realm = Arc::clone(whole);
        Ok((Found { id, realm, record }, was_open))
    }

    /// The versions that may have leaked: the one that is meant, then those of the same value, as far as the principal may read them.
    /// To all others the answer would tell that two values are equal.
    async fn leaked_versions<'r>(
        &self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        record: &'r KeyRecord,
        key: &KeyRef,
    ) -> Result<Vec<&'r VersionRecord>> {
        let meant = meant(record, key, &permit.label())?;
        let mut versions = vec![meant];
        for version in record.versions.iter().filter(|version| version.number != meant.number) {
            let of = (&permit.principal, &permit.realm);
            if version.prints().meets(&meant.prints())
                && self
                    .inner
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
        &self,
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
            beside.target.clone_from(&attempt.target);
            beside.version = Some(*other);
            self.mark(&mut beside, permit, *other, false).await?;
        }
        self.mark(attempt, permit, *meant, freeze).await
    }

    /// Marks the version, and disables the key if it is to be frozen.
    async fn mark(&self, attempt: &mut Attempt<'_>, permit: &Permit, version: u32, freeze: bool) -> Result<KeyInfo> {
        let stamp = stamp(attempt, permit);
        let what = TakeAway::Compromise { version, freeze };
        let change = self.inner.change_key(attempt, permit, |_, record| {
            let record = record.filter(|record| record.removed.is_none());
            let mut record = record.ok_or_else(|| no_key(permit))?;
            let changed = record.take_away(what, &stamp);
            let info = info(permit, &record)?;
            Ok(if changed {
                Edit::TakesAway(record, info.once_changed(), what)
            } else {
                Edit::IsAway(info)
            })
        });
        change.await
    }
}

fn stamp(attempt: &Attempt<'_>, permit: &Permit) -> Stamp {
    Stamp {
        at: attempt.at,
        by: permit.principal.by(),
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

fn first(permit: &Permit, stamp: &Stamp, versions: &[u32], request: &IncidentRequest) -> Result<IncidentRecord> {
    let environment = permit.realm.name.environment.clone();
    Ok(IncidentRecord {
        rev: 0,
        environment: environment.ok_or_else(|| Error::integrity("a key of no environment"))?,
        key: permit.key.clone(),
        key_id: permit.id.to_string(),
        versions: versions.to_vec(),
        opened: stamp.clone(),
        reason: request.reason.clone(),
        since: request.since,
        frozen: request.freeze,
        revoked: Vec::new(),
        replaced: None,
        copies: Vec::new(),
        notes: Vec::new(),
        closed: None,
    })
}

/// The incident with what was asked when it was opened again.
fn added(
    mut record: IncidentRecord,
    stamp: &Stamp,
    versions: &[u32],
    request: &IncidentRequest,
) -> Result<IncidentRecord> {
    for version in versions {
        if !record.versions.contains(version) {
            record.versions.push(*version);
        }
    }
    record.frozen |= request.freeze;
    record.since = match (record.since, request.since) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    };
    if record.reason != request.reason {
        record.note(stamp, request.reason.clone())?;
    }
    Ok(record)
}
