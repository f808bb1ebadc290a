//! The list of incidents.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::incident::Found;
use crate::model::incident::IncidentsShown;
use crate::model::incident::{IncidentId, IncidentInfo};
use crate::model::key::KeyRecord;
use crate::model::key_ref::KeyRef;
use crate::realm::Realm;
use crate::records::page::Page;
use crate::vault::handles::IncidentVerbs;
use std::sync::Arc;

impl IncidentVerbs<'_> {
    /// The incidents of the keys that this session may handle, newest first; those that are closed as well with [`IncidentsShown::All`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] without the scope `incidents:write` anywhere, [`Error::Unavailable`].
    pub async fn list(self, shown: IncidentsShown) -> Result<Page<IncidentInfo>> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let scope = Scope::IncidentsWrite;
            self.session
                .inner
                .gate
                .may_use_somewhere(&attempt, &principal, scope)
                .await?;
            let seen = self
                .session
                .inner
                .incidents
                .incidents_seen(&attempt, &principal)
                .await?;
            let wanted = seen
                .found
                .into_iter()
                .filter(|found| shown == IncidentsShown::All || found.record.closed.is_none());
            let incomplete = !seen.damaged.is_empty();
            let damaged = match &principal {
                Principal::Operator { .. } => seen.damaged,
                // Nobody knows whose key such an incident is about.
                Principal::Token(_) => Vec::new(),
            };
            Ok(Page {
                items: wanted.map(|found| found.info()).collect(),
                next: None,
                damaged,
                incomplete,
            })
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Finds an incident by its id, or the newest of a key by its reference.
    pub(super) async fn find_incident(
        self,
        attempt: &mut Attempt<'_>,
        principal: &Principal,
        which: &str,
    ) -> Result<Found> {
        let hidden = || match principal {
            Principal::Token(_) => Error::denied("incident", "the token may not see the incident"),
            Principal::Operator { .. } => Error::NotFound {
                what: self.session.inner.records.named_in(
                    principal.namespace(),
                    format!("incident {}", crate::base::error::quoted(which)),
                ),
                hint: Some(Remedy::ListIncidents),
            },
        };
        let scope = Scope::IncidentsWrite;
        self.session
            .inner
            .gate
            .may_use_somewhere(attempt, principal, scope)
            .await?;
        let found = match which.parse::<IncidentId>() {
            Ok(id) => {
                let seen = self.session.inner.incidents.incidents_seen(attempt, principal).await?;
                let damaged = seen.damaged.iter().find(|damaged| damaged.id == id.to_string());
                if let (Some(record), Principal::Operator { .. }) = (damaged, principal) {
                    return Err(Error::damaged(format!("the record of incident `{id}`"), record.damaged));
                }
                seen.found.into_iter().find(|found| found.id == id)
            }
            Err(_) => {
                let key: KeyRef = which.parse()?;
                let permit = self
                    .session
                    .inner
                    .gate
                    .authorize(attempt, principal, scope, &key)
                    .await?;
                let whole = self
                    .session
                    .inner
                    .records
                    .whole_realm(&permit.realm().name.namespace)
                    .await?;
                self.session
                    .inner
                    .incidents
                    .newest_incident(&whole, permit.id())
                    .await?
                    .0
            }
        };
        let found = found.ok_or_else(hidden)?;
        attempt.facts.target = Some(("incident", found.id.to_string()));
        attempt.facts.environment = Some((&found.record.environment).into());
        attempt.facts.key = Some((&found.record.key).into());
        attempt.facts.key_id = found
            .record
            .key_id
            .parse::<crate::model::name::KeyId>()
            .ok()
            .map(Into::into);
        Ok(found)
    }

    /// The key of an incident, with its realm.
    pub(super) async fn key_of(self, principal: &Principal, found: &Found) -> Result<(Arc<Realm>, Option<KeyRecord>)> {
        let (namespace, environment) = (principal.namespace(), &found.record.environment);
        let realm = self
            .session
            .inner
            .records
            .environment_realm(namespace, environment)
            .await?;
        let held = self.session.inner.records.live_key(&realm, found.record.key()?).await?;
        Ok((realm, held.map(|held| held.record.clone())))
    }
}
