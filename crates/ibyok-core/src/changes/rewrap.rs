//! Wrapping the environment key of a realm again, on the log before and after.

use ibyok_audit::{Action, Phase};
use ibyok_storage::{Error as StorageError, Expect};

use super::Changes;
use super::environment::contended;
use crate::base::error::{Result, open_failed};
use crate::gate::attempt::Attempt;
use crate::realm::rewrap::{is_outdated, named_in, rewrap};
use crate::realm::{RealmName, environment_key};

/// The number of times that a record is wrapped again when other writers changed it.
const TRIES: usize = 8;

impl Changes {
    /// Wraps the environment key of a realm under the KEK that wraps for it now. Returns false if that KEK wraps it already, or if
    /// the realm is gone.
    pub(crate) async fn rewrap(&self, name: &RealmName, attempt: &Attempt<'_>) -> Result<bool> {
        let id = name.record_id(self.records.vault);
        for _ in 0..TRIES {
            let Some(stored) = self.records.store.get(&id).await? else {
                return Ok(false);
            };
            let ring = self.records.keks.ring();
            let (_, record) = named_in(self.records.vault, &id, &stored.bytes)?;
            let outdated = is_outdated(&record, &ring).await;
            if !outdated.map_err(|error| open_failed(environment_key(name, &id), error))? {
                return Ok(false);
            }
            let wrapped = rewrap((self.records.vault, &ring), (name, &id), &stored.bytes).await?;
            // An older copy of the record that somebody put back stays refused.
            self.records.check_life(&wrapped.realm).await?;
            let mut line = attempt.beside(Action::KekRotate);
            line.facts.environment = name.environment.as_ref().map(Into::into);
            line.facts.target = Some(("environment", name.environment_word().to_owned()));
            line.facts.because = Some(format!("from {} to {}", wrapped.from, wrapped.to));
            self.recorder.record(line.phase(Phase::Intended)).await?;
            let expect = Expect::Revision(stored.revision);
            let put = self.records.store.put(&id, &wrapped.bytes, expect).await;
            let phase = if put.is_ok() { Phase::Done } else { Phase::NotDone };
            self.recorder.log.append_unwaited(line.phase(phase));
            match put {
                // Another writer was faster: its record may need the same.
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                put => {
                    put?;
                    return Ok(true);
                }
            }
        }
        Err(contended())
    }
}
