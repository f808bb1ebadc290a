//! Deleting a generation of environment keys that no record needs.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_audit::words::counted;

use super::{GRACE, Generations, KeysOf, Walks};
use crate::base::error::{Error, Result};
use crate::changes::reseal::Walked;
use crate::realm::Realm;
use crate::realm::generations::KeyChange;
use crate::verbs::keks::Keks;

impl Keks {
    /// Deletes a retiring generation of environment keys, after every record was read and none was under it. Nothing that the generation
    /// sealed opens again: neither a record that an attacker kept, nor a key of it that leaked. Returns the environments whose key had the
    /// generation, as they are afterwards.
    ///
    /// The call reads every record twice: before the generation is deleted, and once every running node works without it. If a
    /// record came under the generation in between, the generation is put back.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no key has the generation; [`Error::Invalid`] if the generation seals; [`Error::Precondition`] if records are under it, or
    /// do not open; and the errors of [`Keks::generations`].
    pub async fn drop_generation(
        &self,
        number: u32,
        of: &KeysOf,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Vec<Generations>> {
        let realms = self.realms_with(number, of).await?;
        let mut walks = Walks::over(self.count(&realms).await?.saturating_mul(2), progress);
        // All of them before the first change.
        for realm in &realms {
            self.check_unused(realm, number, &mut walks).await?;
        }
        let mut dropped = Vec::new();
        for realm in &realms {
            dropped.extend(self.drop_one(realm, number).await?);
        }
        tokio::time::sleep(GRACE).await;
        let mut all = Vec::new();
        for (before, after) in dropped {
            all.push(self.still_unused(&before, &after, number, &mut walks).await?);
        }
        walks.end();
        Ok(all)
    }

    async fn realms_with(&self, number: u32, of: &KeysOf) -> Result<Vec<Arc<Realm>>> {
        let all = self.realms(of).await?;
        let (seal, others): (Vec<_>, Vec<_>) = all
            .into_iter()
            .filter(|realm| realm.keys.holds(number))
            .partition(|realm| realm.keys.current_generation() == number);
        match (others.is_empty(), seal.first()) {
            (false, _) => Ok(others),
            (true, Some(one)) => Err(Error::invalid(
                format!(
                    "generation {number} of `{}` seals: it is the current one",
                    one.name.in_words()
                ),
                "make a new generation with `ibyok kek rotate --reseal`, and then delete the old one",
            )),
            (true, None) => Err(Error::NotFound {
                what: format!("generation {number} of {of}"),
                hint: Some("list the generations with `ibyok kek rotate --reseal --check`".into()),
            }),
        }
    }

    async fn check_unused(&self, realm: &Realm, number: u32, walks: &mut Walks<'_>) -> Result<Walked> {
        let changes = &self.0.inner.changes;
        let walked = changes.count_older(realm, &mut |count| walks.step(count)).await?;
        refuse_used(realm, number, &walked)?;
        Ok(walked)
    }

    /// Returns the realm as it was and as it is; `None` if the realm is gone.
    async fn drop_one(&self, realm: &Realm, number: u32) -> Result<Option<(Realm, Realm)>> {
        let (session, action) = self.session_in(&realm.name.namespace, Action::KekDrop)?;
        let mut attempt = session.attempt(action);
        attempt.facts.version = Some(number);
        let outcome = async {
            session.authenticate(&mut attempt).await?;
            let changes = &session.inner.changes;
            let changed = changes
                .change_keys(&realm.name, KeyChange::Drop(number), (action, &attempt))
                .await?;
            Ok(changed.and_then(|changed| Some((changed.before, changed.after?))))
        };
        let outcome = outcome.await;
        session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Reads every record again, and puts the generation back if one came under it.
    async fn still_unused(
        &self,
        before: &Realm,
        after: &Realm,
        number: u32,
        walks: &mut Walks<'_>,
    ) -> Result<Generations> {
        let changes = &self.0.inner.changes;
        // Under the keys of before: a record under the deleted generation opens, and is found.
        let walked = changes.count_older(before, &mut |count| walks.step(count)).await?;
        if walked.under.contains_key(&number) {
            let (session, action) = self.session_in(&before.name.namespace, Action::KekReseal)?;
            let mut attempt = session.attempt(action);
            session.authenticate(&mut attempt).await?;
            let change = KeyChange::Return(&before.keys, number);
            let put_back = session
                .inner
                .changes
                .change_keys(&before.name, change, (action, &attempt))
                .await;
            session.inner.recorder.refusing(&attempt, put_back).await?;
        }
        refuse_used(before, number, &walked)?;
        Ok(Generations::of(after, walked))
    }
}

fn refuse_used(realm: &Realm, number: u32, walked: &Walked) -> Result<()> {
    let under = walked.under.get(&number).copied().unwrap_or(0);
    if under > 0 {
        let what = format!(
            "{} of `{}` need generation {number}: seal them again with `ibyok kek rotate --reseal`, and then delete the generation",
            counted(under, "record"),
            realm.name.in_words()
        );
        return Err(Error::Precondition { what });
    }
    match walked.damaged.first() {
        None => Ok(()),
        Some((id, damage)) => Err(Error::Precondition {
            what: format!(
                "{} of `{}` cannot be read, so one may need generation {number}: the first is {id}, which {damage}",
                counted(u64::try_from(walked.damaged.len()).unwrap_or(u64::MAX), "record"),
                realm.name.in_words()
            ),
        }),
    }
}
