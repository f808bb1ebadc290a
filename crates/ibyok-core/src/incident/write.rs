//! Writing the record of an incident.

use std::sync::Arc;

use super::request::IncidentRequest;
use super::{Found, Incidents, NOT_ON_THE_LOG};
use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::model::incident::IncidentRecord;
use crate::model::key::Stamp;
use crate::realm::Realm;

impl Incidents {
    /// Opens an incident on a key, or adds to the one that is open. Says too whether one was open.
    pub(crate) async fn write_incident(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        whole: &Arc<Realm>,
        versions: &[u32],
        (request, on_the_log): (&IncidentRequest, bool),
    ) -> Result<(Found, bool)> {
        let (newest, next) = self.newest_incident(whole, permit.id()).await?;
        let open = newest.filter(|found| found.record.closed.is_none());
        let id = open.map_or(next, |found| found.id);
        attempt.facts.target = Some(("incident", id.to_string()));
        attempt.facts.because = Some(match on_the_log {
            true => request.reason.clone(),
            false => NOT_ON_THE_LOG.to_owned(),
        });
        let stamp = stamp(attempt, permit);
        let new = || first(permit, &stamp, versions, request);
        let change = self.changes.change(
            attempt,
            permit.principal(),
            whole,
            id.0,
            |_, record: Option<IncidentRecord>| {
                // Another caller may have opened it just now.
                let was_open = record.is_some();
                let record = match record {
                    None => new()?,
                    Some(record) if record.closed.is_some() => {
                        return Err(Error::Conflict {
                            what: "somebody else closed the incident at the same time".to_owned(),
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

    /// Changes an incident that is open.
    pub(crate) async fn change_incident(
        &self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        found: &Found,
        mut edit: impl FnMut(&mut IncidentRecord, &Stamp) -> Result<()> + Send,
    ) -> Result<IncidentRecord> {
        let stamp = Stamp {
            at: attempt.at,
            by: principal.by(),
        };
        let realm = Arc::clone(&found.realm);
        let change = self.changes.change(
            attempt,
            principal,
            &realm,
            found.id.0,
            |_, record: Option<IncidentRecord>| {
                let mut record = record.ok_or_else(|| Error::integrity("an incident"))?;
                if record.closed.is_some() {
                    return Err(Error::Conflict {
                        what: "the incident is closed".to_owned(),
                    });
                }
                edit(&mut record, &stamp)?;
                Ok(Edit::Gives(record.clone(), record))
            },
        );
        change.await
    }
}

pub(crate) fn stamp(attempt: &Attempt<'_>, permit: &Permit) -> Stamp {
    Stamp {
        at: attempt.at,
        by: permit.principal().by(),
    }
}

fn first(permit: &Permit, stamp: &Stamp, versions: &[u32], request: &IncidentRequest) -> Result<IncidentRecord> {
    let environment = permit.realm().name.environment.clone();
    Ok(IncidentRecord {
        rev: 0,
        environment: environment.ok_or_else(|| Error::integrity("a key of no environment"))?,
        key: permit.key().clone(),
        key_id: permit.id().to_string(),
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

/// Adds a request to an incident that is open already.
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
