//! Closing an incident: its cause and the measure against a repetition are kept with it.

use ibyok_audit::Action;

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::incident::Found;
use crate::model::account::check_account;
use crate::model::incident::IfStillServed;
use crate::model::incident::{Closing, IncidentInfo};
use crate::model::key::VersionRecord;
use crate::vault::handles::IncidentVerbs;

impl IncidentVerbs<'_> {
    /// Closes an incident, found by its id or its key's reference, with its cause and the measure against a
    /// repetition.
    ///
    /// An incident whose key still serves a version that is marked compromised is not closed, unless [`IfStillServed::Close`] is given.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an account that is none, [`Error::Conflict`] for an incident that is closed already or whose key is
    /// still served; else as [`IncidentVerbs::list`](crate::incidents::IncidentVerbs::list), and [`Error::NotFound`] (to a token [`Error::Denied`]).
    pub async fn close(
        self,
        which: &str,
        cause: &str,
        prevention: &str,
        still_served: IfStillServed,
    ) -> Result<IncidentInfo> {
        let mut attempt = self.session.attempt(Action::IncidentClose);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let found = self.find_incident(&mut attempt, &principal, which).await?;
            check_account("cause", cause)?;
            check_account("prevention", prevention)?;
            let texts = [("cause", cause), ("prevention", prevention)];
            let said = self.tells_no_value(&attempt, &principal, &found, &texts).await?;
            if still_served == IfStillServed::Refuse {
                self.is_over(&attempt, &principal, &found).await?;
            }
            attempt.facts.because = Some(said);
            let closing = Closing {
                at: attempt.at,
                by: principal.by(),
                cause: cause.to_owned(),
                prevention: prevention.to_owned(),
            };
            let record = self
                .session
                .inner
                .incidents
                .change_incident(&mut attempt, &principal, &found, |record, _| {
                    record.closed = Some(closing.clone());
                    Ok(())
                })
                .await?;
            Ok(Found { record, ..found }.info())
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Adds a note to an open incident: a discovery, or a step that was taken elsewhere.
    ///
    /// # Errors
    /// As [`IncidentVerbs::close`](crate::incidents::IncidentVerbs::close).
    pub async fn note(self, which: &str, text: &str) -> Result<IncidentInfo> {
        let mut attempt = self.session.attempt(Action::IncidentOpen);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let found = self.find_incident(&mut attempt, &principal, which).await?;
            check_account("note", text)?;
            let said = self
                .tells_no_value(&attempt, &principal, &found, &[("note", text)])
                .await?;
            attempt.facts.because = Some(said);
            let change =
                self.session
                    .inner
                    .incidents
                    .change_incident(&mut attempt, &principal, &found, |record, stamp| {
                        record.note(stamp, text.to_owned())
                    });
            let record = change.await?;
            Ok(Found { record, ..found }.info())
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Refuses texts that contain a value of the key that their author may read. Returns the first text for the log:
    /// the text itself only if its author may read every version.
    async fn tells_no_value(
        self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        found: &Found,
        texts: &[(&str, &str)],
    ) -> Result<String> {
        let (realm, key) = self.key_of(principal, found).await?;
        self.session
            .inner
            .check_texts(attempt, principal, (&realm, key.as_ref()), texts)
            .await
    }

    /// Checks that the key no longer serves a version that may have leaked.
    async fn is_over(self, attempt: &Attempt<'_>, principal: &Principal, found: &Found) -> Result<()> {
        let record = &found.record;
        let (_, key) = self.key_of(principal, found).await?;
        let Some(key) = key else {
            return Ok(());
        };
        let label = found.realm.reference_in(&record.environment, &record.key);
        // Also a version that was stored by force, even if its entry in the incident is missing.
        let leaked = |version: &&VersionRecord| version.compromised || record.versions.contains(&version.number);
        let served = |version: &&VersionRecord| key.served(&label, version.number.into()).is_ok();
        match key.versions.iter().filter(leaked).find(served) {
            None => self.has_no_unmarked_copy(attempt, principal, found).await,
            Some(VersionRecord { number, .. }) => Err(Error::Conflict {
                what: format!(
                    "the vault still serves version {number} of key `{label}`, which is marked compromised: rotate or disable the key first, or \
                    close the incident by force"
                ),
            }),
        }
    }

    /// Checks that every other key with the same value that the principal may read has its own incident.
    async fn has_no_unmarked_copy(self, attempt: &Attempt<'_>, principal: &Principal, found: &Found) -> Result<()> {
        let copies = self.copies_now(attempt, principal, found).await?;
        match copies.iter().find(|copy| !copy.marked) {
            None => Ok(()),
            Some(copy) => Err(Error::Conflict {
                what: format!(
                    "key `{}` serves the same value: open an incident on that key, or close this incident by force",
                    copy.reference
                ),
            }),
        }
    }
}
