//! A value that leaked is stored by force: an incident is open on the key before, and lists the version after.

use ibyok_audit::Action;

use super::request::IncidentRequest;
use super::{Found, Incidents};
use crate::base::error::Result;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::leaked::Screened;
use crate::model::write::KeyWrite;

impl Incidents {
    /// Opens an incident on the key, or adds to the one that is open, if a value that leaked is about to be stored by force.
    ///
    /// # Errors
    /// [`Error::Kek`](crate::Error::Kek) where this node may not open the realm that spans environments: nothing is
    /// stored then.
    pub(crate) async fn before_forced(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        write: &KeyWrite,
        screened: &Screened,
    ) -> Result<Option<Found>> {
        match &write.force {
            Some(reason) if screened.leaked => self.forced_incident(attempt, permit, reason).await.map(Some),
            _ => Ok(None),
        }
    }

    /// Opens the incident for a version that is about to become current.
    pub(crate) async fn forced_incident(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        reason: &str,
    ) -> Result<Found> {
        attempt.facts.reason = None;
        attempt.facts.because = Some(reason.to_owned());
        let whole = self.records.whole_realm(&permit.realm().name.namespace).await?;
        let mut beside = about(attempt, permit);
        let request = IncidentRequest::new(reason);
        let (found, _) = self
            .write_incident(&mut beside, permit, &whole, &[], (&request, true))
            .await?;
        Ok(found)
    }

    /// Lists the version in the incident. The mark on the key says the same: it holds the incident open without this.
    pub(crate) async fn after_forced(&self, attempt: &Attempt<'_>, permit: &Permit, incident: &Found, version: u32) {
        let mut beside = about(attempt, permit);
        beside.facts.target = Some(("incident", incident.id.to_string()));
        beside.facts.version = Some(version);
        let change = self.change_incident(&mut beside, permit.principal(), incident, |record, _| {
            if !record.versions.contains(&version) {
                record.versions.push(version);
            }
            Ok(())
        });
        if let Err(error) = change.await {
            tracing::warn!(incident = %incident.id, version, %error, "cannot list a forced version in its incident");
        }
    }
}

fn about<'c>(attempt: &Attempt<'c>, permit: &Permit) -> Attempt<'c> {
    let mut beside = attempt.beside(Action::IncidentOpen);
    beside.facts.environment = Some(permit.realm().name.environment_word().into());
    beside.facts.key = Some(permit.key().into());
    beside.facts.key_id = Some(permit.id().into());
    beside
}
