//! A change of one key: like every change of a record, and made only if the request's condition holds.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::changes::{Changes, Edit};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::model::condition::Condition;
use crate::model::key::KeyRecord;
use crate::model::key_life::KeyLife;

impl Changes {
    /// Changes the key that a permit was given for, if the attempt's condition holds. `edit` gets the key in its
    /// present state, and may be called again if another writer was faster.
    ///
    /// # Errors
    /// [`Error::Precondition`]; for a key that does not exist, the refusal of `edit` comes first.
    pub(crate) async fn change_key<T: Send>(
        self: &Arc<Self>,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        mut edit: impl FnMut(&mut Attempt<'_>, KeyLife) -> Result<Edit<KeyRecord, T>> + Send,
    ) -> Result<T> {
        let (realm, condition) = (Arc::clone(permit.realm()), attempt.condition.clone());
        self.change(attempt, permit.principal(), &realm, permit.id().0, |attempt, record| {
            let key = KeyLife::of(record);
            let Some(condition) = &condition else {
                return edit(attempt, key);
            };
            let live = key.as_live();
            let unmet = live.map_or_else(|| Err(absent(permit)), |live| check(condition, live, permit));
            match (live.is_some(), unmet) {
                (_, Ok(())) => edit(attempt, key),
                (true, Err(unmet)) => Err(unmet),
                // A caller that changes a missing key learns that it is missing; only a new key fails for its
                // condition.
                (false, Err(unmet)) => edit(attempt, key).and(Err(unmet)),
            }
        })
        .await
    }

    /// Refuses a change whose condition does not hold, before anything else is done for it. The change itself looks once more.
    pub(crate) async fn check_condition(&self, attempt: &Attempt<'_>, permit: &Permit) -> Result<()> {
        let Some(condition) = &attempt.condition else {
            return Ok(());
        };
        match self.records.live_key(permit.realm(), permit.id()).await? {
            Some(held) => check(condition, &held.record, permit),
            None => Ok(()),
        }
    }
}

fn check(condition: &Condition, key: &KeyRecord, permit: &Permit) -> Result<()> {
    if condition.holds(key) {
        return Ok(());
    }
    let version = key
        .current()
        .map_or("no version".to_owned(), |current| format!("version {}", current.number));
    Err(Error::Precondition {
        what: format!(
            "key `{}` has changed: it is at revision {} with {version} current",
            permit.label(),
            key.rev
        ),
    })
}

fn absent(permit: &Permit) -> Error {
    Error::Precondition {
        what: format!(
            "there is no key `{}`, but the change needs an existing key",
            permit.label()
        ),
    }
}
