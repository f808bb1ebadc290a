//! A new generation of environment keys, and every record sealed under it.

use std::collections::VecDeque;
use std::sync::Arc;

use ibyok_audit::Action;
use tokio::task::JoinSet;

use super::{GRACE, Generations, KeysOf, Walks};
use crate::base::error::{Error, Part, Result};
use crate::realm::generations::KeyChange;
use crate::realm::{Realm, RealmName};
use crate::verbs::keks::{AT_ONCE, Keks};

impl Keks {
    /// Makes a new generation of each environment key, and seals every record again under it: values' data keys, keys, tokens,
    /// settings, usage, incidents, and the records of logs. `progress` gets the number of records that are read, and the number of all.
    ///
    /// The new generation first opens and does not seal. Once every running node has it, it seals. So nodes that serve meanwhile never
    /// meet a record that they cannot open, and no change of theirs is lost. A node that reads the store's changes late refuses
    /// requests by its lease. The old generation still opens until [`Keks::drop_generation`] deletes it.
    ///
    /// An environment key that has a retiring generation already gets no further one: its records are sealed under its current one. So the same call
    /// completes a call that ended early. A record that does not open stays as it is, and is in the result.
    ///
    /// # Errors
    /// As [`Keks::generations`]. The same call does the rest.
    pub async fn reseal(&self, of: &KeysOf, progress: &mut (dyn FnMut(u64, u64) + Send)) -> Result<Vec<Generations>> {
        let names = self.names(of).await?;
        self.change_each(&names, Step::Announce).await?;
        tokio::time::sleep(GRACE).await;
        self.change_each(&names, Step::Seal).await?;
        // Also where nothing changed: a call that was killed may have made the generation seal a moment ago.
        tokio::time::sleep(GRACE).await;
        let realms = self.realms(of).await?;
        let mut walks = Walks::over(self.count(&realms).await?, progress);
        let mut all = Vec::new();
        for realm in realms {
            all.push(self.reseal_realm(&realm, &mut walks).await?);
        }
        walks.end();
        Ok(all)
    }

    async fn reseal_realm(&self, realm: &Arc<Realm>, walks: &mut Walks<'_>) -> Result<Generations> {
        let (session, action) = self.session_in(&realm.name.namespace, Action::KekReseal)?;
        let mut attempt = session.attempt(action);
        let outcome = async {
            session.authenticate(&mut attempt).await?;
            let changes = &session.inner.changes;
            let walked = changes.reseal_records(realm, &mut |count| walks.step(count)).await?;
            changes.say_resealed(realm, walked.resealed, &attempt).await?;
            Ok(Generations::of(realm, walked))
        };
        let outcome = outcome.await;
        session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Changes several environment keys at once: they share the syncs of the store and of the log.
    async fn change_each(&self, names: &[RealmName], step: Step) -> Result<()> {
        let (mut todo, mut running) = (VecDeque::from(names.to_vec()), JoinSet::new());
        let mut failed = None;
        loop {
            while running.len() < AT_ONCE
                && failed.is_none()
                && let Some(name) = todo.pop_front()
            {
                let keks = self.clone();
                running.spawn(async move { keks.change_one(&name, step).await });
            }
            let Some(joined) = running.join_next().await else { break };
            let outcome = joined.map_err(|error| Error::unavailable(Part::Kek, error))?;
            failed = failed.or(outcome.err());
        }
        failed.map_or(Ok(()), Err)
    }

    async fn change_one(&self, name: &RealmName, step: Step) -> Result<()> {
        let (session, action) = self.session_in(&name.namespace, Action::KekReseal)?;
        let mut attempt = session.attempt(action);
        let outcome = async {
            session.authenticate(&mut attempt).await?;
            let change = match step {
                Step::Announce => KeyChange::Announce,
                Step::Seal => KeyChange::Seal,
            };
            session
                .inner
                .changes
                .change_keys(name, change, (action, &attempt))
                .await
        };
        let outcome = outcome.await;
        session.inner.recorder.refusing(&attempt, outcome).await.map(drop)
    }
}

/// A step of making a generation.
#[derive(Clone, Copy, Debug)]
enum Step {
    Announce,
    Seal,
}
