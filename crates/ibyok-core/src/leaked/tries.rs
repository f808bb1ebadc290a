//! How often a token may try a value that leaked: a refusal tells that the value is one of those, which is not for everybody to find out
//! by guessing.
//!
//! A token that may read every key of the environment could have read them, and is not counted. All others have five refusals an
//! hour, together with every token that descends from the same one. After those each write of theirs is refused, whatever it holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibyok_policy::{Scope, TokenId};
use tokio::sync::OwnedMutexGuard;

use crate::attempt::Attempt;
use crate::authorize::Permit;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::vault::Inner;

/// How many refusals within [`SPAN`].
const MOST: usize = 5;

/// The span that they are counted in.
const SPAN: Duration = Duration::from_secs(3600);

/// How many families of tokens are remembered before those are forgotten that have nothing to be remembered.
const FAMILIES: usize = 4096;

type Times = Arc<tokio::sync::Mutex<Vec<Duration>>>;

/// When each family of tokens was refused, on this node.
#[derive(Debug, Default)]
pub(crate) struct LeakTries(Mutex<HashMap<TokenId, Times>>);

impl LeakTries {
    fn of(&self, family: TokenId) -> Times {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= FAMILIES && !all.contains_key(&family) {
            all.retain(|_, times| {
                let idle = Arc::strong_count(times) == 1;
                !idle || times.try_lock().is_ok_and(|times| !times.is_empty())
            });
        }
        Arc::clone(all.entry(family).or_default())
    }
}

impl Inner {
    /// The refusals of whoever holds a permit, until they are counted; `None` for who is not counted.
    ///
    /// # Errors
    /// [`Error::Limited`] where there were too many.
    pub(super) async fn tries_of(
        &self,
        attempt: &Attempt<'_>,
        permit: &Permit,
    ) -> Result<Option<OwnedMutexGuard<Vec<Duration>>>> {
        let who = &permit.principal;
        let Some(holder) = who.holder() else { return Ok(None) };
        if self.could(attempt, who, Scope::KeysRead, &permit.realm.name, None) {
            return Ok(None);
        }
        let family = holder.held.record.parents.last().copied().unwrap_or(holder.id);
        let mut times = self.leak_tries.of(family).lock_owned().await;
        let now = self.clock.elapsed();
        times.retain(|at| now.saturating_sub(*at) < SPAN);
        match times.first() {
            Some(first) if times.len() >= MOST => Err(Error::Limited {
                what: "too many values were refused".to_owned(),
                retry_after: SPAN.saturating_sub(now.saturating_sub(*first)),
            }),
            _ => Ok(Some(times)),
        }
    }
}
