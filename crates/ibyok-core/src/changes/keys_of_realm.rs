//! Changes of the keys of a realm: a compare-and-swap of its one record, on the log before and after.

use ibyok_audit::{Action, Phase};
use ibyok_storage::{Error as StorageError, Expect};

use super::Changes;
use super::environment::{contended, within};
use crate::base::damage::Affected;
use crate::base::error::Result;
use crate::gate::attempt::Attempt;
use crate::realm::generations::{KeyChange, record_with};
use crate::realm::removal::made_after;
use crate::realm::{Realm, RealmName, environment_key, not_opened, open_stored};

/// The number of times that a record is changed again when other writers changed it.
const TRIES: usize = 8;

/// A realm after a change of its keys.
#[derive(Debug)]
pub(crate) struct Changed {
    /// The realm as it was.
    pub(crate) before: Realm,
    /// The realm as it is; `None` if there was nothing to change.
    pub(crate) after: Option<Realm>,
}

impl Changes {
    /// Changes the keys of a realm. Its record takes a higher revision, so an older copy of it is refused from then on: nobody can bring
    /// a deleted generation or a replaced token key back. Returns `None` if the realm is gone.
    pub(crate) async fn change_keys(
        &self,
        name: &RealmName,
        change: KeyChange<'_>,
        (action, attempt): (Action, &Attempt<'_>),
    ) -> Result<Option<Changed>> {
        let (vault, id) = (self.records.vault, name.record_id(self.records.vault));
        for _ in 0..TRIES {
            let Some(stored) = self.records.store.get(&id).await? else {
                return Ok(None);
            };
            let ring = self.records.keks.ring();
            let before = open_stored(vault, &ring, name, (&id, &stored.bytes)).await;
            let before = before.map_err(|error| error.about(Affected::Environment))?;
            // An older copy of the record that somebody put back stays refused.
            if !change.is_of_older() {
                self.records.check_life(&before).await?;
            }
            let keys = change.of(&before.keys);
            let Some(keys) = keys.map_err(|error| not_opened(name, environment_key(name, &id), error))? else {
                return Ok(Some(Changed { before, after: None }));
            };
            let last = self.records.last_life(&id).await?.max(before.rev);
            let rev = within(made_after(last), name)?;
            let (bytes, after) = record_with((vault, &ring), (&before, &id), &keys, rev).await?;
            let mut line = attempt.beside(action);
            line.facts.environment = name.environment.as_ref().map(Into::into);
            line.facts.target = Some(("environment", name.environment_word().to_owned()));
            line.facts.because = Some(change.in_words(&keys));
            line.facts.version = attempt.facts.version;
            (line.facts.record, line.facts.rev) = (Some(id.to_string()), Some(rev));
            self.recorder.record(line.phase(Phase::Intended)).await?;
            let put = self
                .records
                .store
                .put(&id, &bytes, Expect::Revision(stored.revision))
                .await;
            // A retry inside the backend may have met its own write, and an answer may be lost.
            let stands = put.is_err() && self.stands(&id, &bytes).await == Some(true);
            match put {
                Err(error) if !stands => {
                    self.recorder.log.append_unwaited(line.phase(Phase::NotDone));
                    if !matches!(error, StorageError::Conflict) {
                        return Err(error.into());
                    }
                    tokio::task::yield_now().await;
                }
                _ => {
                    self.records.forget_realms();
                    self.records.floors.saw_realm(&id, &after).await;
                    // Lost floors are made again from this line.
                    self.recorder.record(line.phase(Phase::Done)).await?;
                    return Ok(Some(Changed {
                        before,
                        after: Some(after),
                    }));
                }
            }
        }
        Err(contended())
    }

    /// Puts the end of sealing the records of a realm again on the log.
    pub(crate) async fn say_resealed(&self, realm: &Realm, count: u64, attempt: &Attempt<'_>) -> Result<()> {
        let mut line = attempt.beside(Action::KekReseal);
        line.facts.environment = realm.name.environment.as_ref().map(Into::into);
        line.facts.target = Some(("environment", realm.name.environment_word().to_owned()));
        line.facts.because = Some(format!(
            "{count} records are sealed again under generation {}",
            realm.keys.current_generation()
        ));
        self.recorder.record(line.allowed()).await
    }
}
