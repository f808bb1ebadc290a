//! Opening an incident: marks the version, and stops the leak.

use ibyok_audit::Action;
use ibyok_policy::Scope;
use serde::Serialize;

use super::copies::LeakedCopy;
use super::replace::Replacing;
use super::revoke::Left;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::incident::request::IncidentRequest;
use crate::model::incident::IncidentInfo;
use crate::model::key::KeyRecord;
use crate::model::key_info::KeyInfo;
use crate::model::key_ref::KeyRef;
use crate::vault::handles::IncidentVerbs;
use crate::verbs::incidents::revoke::NotRevoked;

/// The result of opening an incident.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentOpened {
    /// The incident in its present state.
    #[serde(flatten)]
    pub incident: IncidentInfo,
    /// True if it was open before, and has only been added to.
    pub was_open: bool,
    /// Reason why the new value did not take the place of the leaked one, if one was given and it did not.
    pub not_replaced: Option<String>,
    /// Warnings about the new value: it does not look like a key of its provider.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The readers that were to be revoked and were not, with the reason: an operator or token with the right to do
    /// it has to revoke them.
    pub not_revoked: Vec<NotRevoked>,
    /// The causes that may hide a reader that was to be revoked: nodes that do not report, counts that do not open.
    pub unseen: Vec<String>,
    /// Other keys of the environment that hold the same value, as far as the principal may read them.
    pub copies: Vec<LeakedCopy>,
    /// The key as it is now.
    #[serde(skip)]
    pub key: KeyInfo,
}

impl IncidentVerbs<'_> {
    /// Opens an incident on a key: marks the version that the reference names, else the current one, as compromised,
    /// so that it has no grace when it is replaced; disables the key and revokes its readers if asked to. A new value
    /// of the request then becomes the current version: it is checked in full before anything is marked. Every other
    /// key of the environment that holds the leaked value and that the session may read gets an incident, too.
    ///
    /// A key has one open incident at a time. Opening it again adds to it, and does the parts of the request that are
    /// still missing.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty reason or a time in the future; [`Error::NotFound`] for a key or version that is not
    /// there; [`Error::Conflict`] for a new value that leaked itself, and for a request that names no version where the current one has taken the
    /// place of the leaked one; [`Error::Unauthenticated`], [`Error::Denied`] (a new value
    /// takes `keys:write` or `keys:rotate` as well), [`Error::Kek`] where this node may not open records that span environments,
    /// [`Error::Unavailable`].
    pub async fn open(self, key: &KeyRef, request: IncidentRequest) -> Result<IncidentOpened> {
        let mut attempt = self.session.attempt(Action::IncidentOpen);
        attempt.facts.version = key.version().number();
        attempt.condition = None;
        let outcome = self.try_open_incident(&mut attempt, key, &request).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_open_incident(
        self,
        attempt: &mut Attempt<'_>,
        key: &KeyRef,
        request: &IncidentRequest,
    ) -> Result<IncidentOpened> {
        let permit = self.session.permit(attempt, Scope::IncidentsWrite, key).await?;
        request.check(attempt.at)?;
        if key.field().is_some() {
            return Err(Error::invalid("an incident is about a whole key", "remove `#field`"));
        }
        let held = self.session.inner.gate.key(&permit).await?;
        let of_key = (permit.realm(), Some(&held.record));
        let reason = [("reason", request.reason.as_str())];
        let said = self
            .session
            .inner
            .check_texts(attempt, permit.principal(), of_key, &reason)
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
        Ok(IncidentOpened {
            incident: found.info(),
            was_open: opened.was_open,
            not_replaced: replacing.not_replaced,
            warnings: replacing.warnings,
            not_revoked: left.not_revoked,
            unseen: left.unseen,
            copies,
            key: replacing.key.unwrap_or(opened.key),
        })
    }

    /// Refuses a request that names no version, where the current version is none of those that leaked but took their place: given twice, the
    /// command that replaces a value would take the new value for the leaked one.
    ///
    /// # Errors
    /// [`Error::Conflict`], which says how the version is named.
    async fn is_meant(
        self,
        permit: &Permit,
        (record, key): (&KeyRecord, &KeyRef),
        request: &IncidentRequest,
    ) -> Result<()> {
        let Some(current) = record.current().filter(|_| key.version().is_current()) else {
            return Ok(());
        };
        let whole = self
            .session
            .inner
            .records
            .whole_realm(&permit.realm().name.namespace)
            .await?;
        let (newest, _) = self
            .session
            .inner
            .incidents
            .newest_incident(&whole, permit.id())
            .await?;
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
                "incident {id} is open, and version {number} replaced the leaked version: give the version that leaked, \
                such as `{label}?version={number}` if this version leaked too"
            ),
        })
    }
}
