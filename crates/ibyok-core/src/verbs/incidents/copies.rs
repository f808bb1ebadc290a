//! Other keys that hold the value that leaked: the value is as exposed under their names.
//!
//! An incident is opened on each of them, with the same freeze and the same revocation of readers, so that each has
//! its own mark, report and end. That holds for the copies that the opener of the incident may read. To any other
//! caller the answer would reveal that two values are equal: an operator's report, closing and checklist name those
//! copies later.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use serde::Serialize;

use super::mark::Opened;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::incident::Found;
use crate::incident::request::IncidentRequest;
use crate::leaked::Prints;
use crate::model::incident::IncidentId;
use crate::model::key::{KeyRecord, Role, VersionRecord};
use crate::model::key_ref::KeyRef;
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;
use crate::records::page::Page;
use crate::vault::Inner;
use crate::vault::handles::IncidentVerbs;
use crate::verbs::environments::operators_only;

/// Another key of the environment that holds a value that leaked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LeakedCopy {
    /// The key: `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The versions that hold the value and are served, or would be if they were enabled.
    pub versions: Vec<u32>,
    /// True if all of these versions are marked compromised.
    pub marked: bool,
    /// The incident that was opened on the key, or added to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<IncidentId>,
    /// The reason why no incident was opened on the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// A key that serves a value that leaked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ServesLeaked {
    /// The key: `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The versions that leaked and are served, or would be if they were enabled.
    pub versions: Vec<u32>,
    /// True if all of these versions are marked compromised.
    pub marked: bool,
}

/// A key with versions that hold a value that leaked.
pub(super) struct Copy {
    id: KeyId,
    record: KeyRecord,
    versions: Vec<u32>,
    marked: bool,
}

impl Copy {
    pub(super) fn shown(&self, realm: &Realm) -> LeakedCopy {
        LeakedCopy {
            reference: realm.reference(&self.record.name),
            versions: self.versions.clone(),
            marked: self.marked,
            incident: None,
            why: None,
        }
    }
}

impl IncidentVerbs<'_> {
    /// The other keys that hold a value of an incident now, as far as a principal may read both.
    pub(super) async fn copies_now(
        self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
    ) -> Result<Vec<LeakedCopy>> {
        let (realm, key) = self.key_of(principal, found).await?;
        let Some(key) = key else {
            return Ok(Vec::new());
        };
        let copies = self
            .session
            .inner
            .copies_of(attempt, principal, &realm, (found, &key))
            .await?;
        Ok(copies.iter().map(|copy| copy.shown(&realm)).collect())
    }

    /// Opens an incident on each other key that holds the value and that the principal may read.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] and [`Error::Unavailable`]; opening the incident again completes the work. Other errors are in the
    /// result.
    pub(super) async fn open_on_copies(
        self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        (found, key): (Found, &KeyRecord),
        request: &IncidentRequest,
    ) -> Result<(Found, Vec<LeakedCopy>, Vec<(Permit, Opened)>)> {
        let copies = self
            .session
            .inner
            .copies_of(attempt, permit.principal(), permit.realm(), (&found, key))
            .await?;
        // First the record of them, so that they are known even when no caller can read them any more.
        let found = self.list_copies(attempt, permit, found, &copies).await?;
        // The text of the request may hold another value of the copy's key.
        let reason = format!(
            "the key holds the value that leaked as `{}` ({})",
            permit.label(),
            found.id
        );
        let request = IncidentRequest::new(reason)
            .since(request.since)
            .freeze(request.freeze)
            .revoke_readers(request.revoke_readers);
        let (mut shown, mut opened) = (Vec::new(), Vec::new());
        for copy in copies {
            let mut told = copy.shown(permit.realm());
            match self.open_on_copy(attempt, permit, &copy, &request).await {
                Ok(done) => {
                    (told.incident, told.marked) = (Some(done.1.found.id), true);
                    opened.push(done);
                }
                Err(error @ (Error::Unavailable { .. } | Error::Unauthenticated)) => return Err(error),
                Err(error) => told.why = Some(error.to_string()),
            }
            shown.push(told);
        }
        Ok((found, shown, opened))
    }

    /// Lists the names of copies in an incident.
    async fn list_copies(self, attempt: &Attempt<'_>, permit: &Permit, found: Found, copies: &[Copy]) -> Result<Found> {
        let names = copies.iter().map(|copy| copy.record.name.clone());
        let new: Vec<KeyName> = names.filter(|name| !found.record.copies.contains(name)).collect();
        if new.is_empty() {
            return Ok(found);
        }
        let mut beside = attempt.beside(Action::IncidentOpen);
        beside.facts.target.clone_from(&attempt.facts.target);
        beside.facts.because = Some("other keys hold the value".to_owned());
        let change =
            self.session
                .inner
                .incidents
                .change_incident(&mut beside, permit.principal(), &found, |record, _| {
                    for name in &new {
                        if !record.copies.contains(name) {
                            record.copies.push(name.clone());
                        }
                    }
                    Ok(())
                });
        let record = change.await?;
        Ok(Found { record, ..found })
    }

    async fn open_on_copy(
        self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        copy: &Copy,
        request: &IncidentRequest,
    ) -> Result<(Permit, Opened)> {
        let (gate, realm, name) = (&self.session.inner.gate, &permit.realm().name, &copy.record.name);
        let of_copy = gate.permit_beside(attempt, permit, Scope::IncidentsWrite, (name, copy.id));
        let of_copy = of_copy.ok_or_else(|| {
            Error::denied(
                "scope",
                "opening an incident on this key needs `incidents:write` for it",
            )
        })?;
        let environment = realm.environment.clone();
        let environment = environment.ok_or_else(|| Error::integrity("a key of no environment"))?;
        let first = copy.versions.first().copied();
        let reference = KeyRef::new(environment, name.clone()).at_version(first);
        let mut beside = attempt.beside(Action::IncidentOpen);
        beside.facts.environment = Some(realm.environment_word().into());
        beside.facts.key = Some(name.into());
        beside.facts.key_id = Some(copy.id.into());
        let opened = self
            .open_on(&mut beside, &of_copy, (&copy.record, &reference), (request, true))
            .await?;
        Ok((of_copy, opened))
    }

    /// Every key of the namespace that serves a value that leaked, or would if it were enabled: marked versions, and copies under
    /// other names that are not marked. For an operator.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token; [`Error::Unavailable`]. Damaged environments are named in the answer.
    pub async fn served_leaked(self) -> Result<Page<ServesLeaked>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            let names = self
                .session
                .inner
                .records
                .environment_names(principal.namespace())
                .await?;
            let mut opened = self.session.inner.gate.open_environments(&principal, names).await?;
            let mut served = Vec::new();
            for realm in std::mem::take(&mut opened.realms) {
                opened.incomplete |= self.session.inner.add_served_leaked(&realm, &mut served).await?;
            }
            Ok(opened.page(served))
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }
}

/// The values of an incident, as far as a principal may compare others with them.
struct Leaked {
    all: Vec<Prints>,
    readable: Vec<Prints>,
    /// Copies that were found before, and that the principal may know of.
    listed: Vec<KeyName>,
}

impl Leaked {
    async fn of(
        inner: &Inner,
        attempt: &Attempt<'_>,
        of: (&Principal, &Arc<Realm>),
        (found, key): (&Found, &KeyRecord),
    ) -> Result<Self> {
        let (who, realm) = of;
        let reads = |name: &KeyName| inner.gate.could(attempt, who, Scope::KeysRead, &realm.name, Some(name));
        let mut listed = found.record.copies.clone();
        listed.retain(|name| reads(name) && reads(&key.name));
        let (mut all, mut readable) = (Vec::new(), Vec::new());
        let leaked = |version: &&VersionRecord| found.record.versions.contains(&version.number);
        for version in key.versions.iter().filter(leaked) {
            all.push(version.prints());
            if inner
                .leaks
                .reads_version(attempt, of, key, version.number.into())
                .await?
            {
                readable.push(version.prints());
            }
        }
        Ok(Leaked { all, readable, listed })
    }
}

/// Returns true if a version is served, or would be if it or its key were enabled.
fn can_be_served(version: &VersionRecord) -> bool {
    match version.role {
        Role::Current | Role::Retiring | Role::Pending => version.sealed.is_some(),
        Role::Retired => false,
    }
}

impl Inner {
    /// The other keys of an environment that hold a value of an incident. For a token: copies that it may read, of versions that it
    /// may read; and copies listed in the incident, if `keys:read` covers both keys.
    async fn copies_of(
        &self,
        attempt: &Attempt<'_>,
        who: &Principal,
        realm: &Arc<Realm>,
        (found, key): (&Found, &KeyRecord),
    ) -> Result<Vec<Copy>> {
        let leaked = Leaked::of(self, attempt, (who, realm), (found, key)).await?;
        let mut copies = Vec::new();
        if leaked.all.is_empty() || (leaked.readable.is_empty() && leaked.listed.is_empty()) {
            return Ok(copies);
        }
        let source = found.record.key()?;
        let mut walk = self.records.walk_records::<KeyRecord>(realm, None)?;
        while let Some(met) = walk.next_live_keys().await? {
            for (id, record) in met {
                let id = KeyId(*id.id());
                // A damaged record is named by every list.
                let Some(record) = record.ok().filter(|_| id != source) else {
                    continue;
                };
                copies.extend(self.copy_of(attempt, (who, realm), (id, record), &leaked).await?);
            }
        }
        Ok(copies)
    }

    async fn copy_of(
        &self,
        attempt: &Attempt<'_>,
        of: (&Principal, &Arc<Realm>),
        (id, record): (KeyId, KeyRecord),
        leaked: &Leaked,
    ) -> Result<Option<Copy>> {
        let (mut versions, mut marked) = (Vec::new(), true);
        let is_listed = leaked.listed.contains(&record.name);
        let prints = if is_listed { &leaked.all } else { &leaked.readable };
        for version in record.versions.iter().filter(|version| can_be_served(version)) {
            let own = version.prints();
            if prints.iter().any(|prints| prints.meets(&own))
                && (is_listed
                    || self
                        .leaks
                        .reads_version(attempt, of, &record, version.number.into())
                        .await?)
            {
                versions.push(version.number);
                marked &= version.compromised;
            }
        }
        Ok((!versions.is_empty()).then_some(Copy {
            id,
            record,
            versions,
            marked,
        }))
    }

    /// Adds the keys of a realm that serve a value that leaked; `true` if a damaged record may hide one.
    async fn add_served_leaked(&self, realm: &Arc<Realm>, found: &mut Vec<ServesLeaked>) -> Result<bool> {
        let leaked = self.leaks.leaked_ids(realm).await?;
        if leaked.is_empty() {
            return Ok(false);
        }
        let mut incomplete = false;
        let mut walk = self.records.walk_records::<KeyRecord>(realm, None)?;
        while let Some(met) = walk.next_live_keys().await? {
            for (_, record) in met {
                let Ok(record) = record else {
                    incomplete = true;
                    continue;
                };
                let served = record.versions.iter().filter(|version| can_be_served(version));
                let leaked: Vec<&VersionRecord> = served
                    .filter(|version| version.compromised || leaked.holds(realm, &version.prints()))
                    .collect();
                if !leaked.is_empty() {
                    found.push(ServesLeaked {
                        reference: realm.reference(&record.name),
                        versions: leaked.iter().map(|version| version.number).collect(),
                        marked: leaked.iter().all(|version| version.compromised),
                    });
                }
            }
        }
        Ok(incomplete)
    }
}
