//! The limit of values that a token may try. A refusal shows that a value leaked, and the absence of a refusal shows
//! that it did not. Guessing must not find out either.
//!
//! An operator is not counted. Neither is a token where nothing leaked, or that may read at this moment every value that leaked. All
//! others are counted, each together with every token that descends from the same one:
//!
//! - values that could be guessed: 30 different ones a day, whether or not one of them leaked
//! - refusals of a token that may not read the environment's values: 5 an hour, for any value. After those the vault refuses each
//!   write of its values.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ibyok_policy::TokenId;
use tokio::sync::OwnedMutexGuard;

use super::prints::Prints;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::gate::principal::Holder;
use crate::leaked::Leaks;

/// The most refusals within [`HITS_SPAN`].
const HITS_MOST: usize = 5;

/// The span in which refusals are counted.
const HITS_SPAN: Duration = Duration::from_secs(3600);

/// The most different guessable values within [`GUESSES_SPAN`].
const GUESSES_MOST: usize = 30;

/// The span in which values that could be guessed are counted.
const GUESSES_SPAN: Duration = Duration::from_secs(24 * 3600);

/// The number of families of tokens that are remembered before the families without any try left are forgotten.
const FAMILIES: usize = 4096;

/// The tries of one family of tokens.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    hits: Vec<Duration>,
    guesses: Vec<(Duration, [u8; 32])>,
}

impl Tries {
    fn forget_old(&mut self, now: Duration) {
        self.hits.retain(|at| now.saturating_sub(*at) < HITS_SPAN);
        self.guesses.retain(|(at, _)| now.saturating_sub(*at) < GUESSES_SPAN);
    }

    fn is_empty(&self) -> bool {
        self.hits.is_empty() && self.guesses.is_empty()
    }
}

type Shared = Arc<tokio::sync::Mutex<Tries>>;

/// The tries of each family of tokens, on this node.
#[derive(Debug, Default)]
pub(crate) struct LeakTries(Mutex<HashMap<TokenId, Shared>>);

impl LeakTries {
    fn of(&self, family: TokenId, now: Duration) -> Shared {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= FAMILIES && !all.contains_key(&family) {
            all.retain(|_, tries| {
                // Tries that a request holds stay: a second counter for the family would double its limit.
                let idle = Arc::strong_count(tries) == 1;
                !idle
                    || tries.try_lock().is_ok_and(|mut tries| {
                        tries.forget_old(now);
                        !tries.is_empty()
                    })
            });
        }
        Arc::clone(all.entry(family).or_default())
    }
}

/// The tries of the holder of a permit, one request at a time.
pub(super) struct Counted {
    tries: OwnedMutexGuard<Tries>,
    now: Duration,
    /// True if refusals are counted one by one, since none of the environment's values is for this token to read.
    blind: bool,
}

impl Counted {
    /// Takes a look-up for each value that could be guessed and was not tried within the day; for all of them or for none.
    ///
    /// # Errors
    /// [`Error::Limited`].
    pub(super) fn guess<'p>(&mut self, values: impl Iterator<Item = &'p Prints>) -> Result<()> {
        let mut new: Vec<[u8; 32]> = values.filter_map(|prints| prints.canonical().copied()).collect();
        new.retain(|print| !self.tries.guesses.iter().any(|(_, known)| known == print));
        new.sort_unstable();
        new.dedup();
        if self.tries.guesses.len() + new.len() > GUESSES_MOST {
            let oldest = self.tries.guesses.first().map(|(at, _)| *at);
            return Err(Error::Limited {
                what: format!(
                    "values that this token may not read leaked, and the token gave {GUESSES_MOST} values that could be guesses within a day"
                ),
                retry_after: left(oldest, GUESSES_SPAN, self.now),
            });
        }
        let now = self.now;
        self.tries.guesses.extend(new.into_iter().map(|print| (now, print)));
        Ok(())
    }

    /// Counts a refusal.
    pub(super) fn hit(&mut self) {
        if self.blind {
            let now = self.now;
            self.tries.hits.push(now);
        }
    }
}

/// Returns the time until the oldest of some tries no longer counts.
fn left(oldest: Option<Duration>, span: Duration, now: Duration) -> Duration {
    span.saturating_sub(now.saturating_sub(oldest.unwrap_or(now)))
}

impl Leaks {
    /// The tries of a token's family. Holding them makes others of the family wait.
    ///
    /// # Errors
    /// [`Error::Limited`] where a token that may not read had too many refusals.
    pub(super) async fn tries_of(&self, holder: &Holder, blind: bool) -> Result<Counted> {
        let family = holder.held().record.parents.last().copied().unwrap_or(holder.id());
        let tries = self.leak_tries.of(family, self.records.clock.elapsed());
        let mut tries = tries.lock_owned().await;
        // Read again: the wait for the lock may have been long.
        let now = self.records.clock.elapsed();
        tries.forget_old(now);
        if blind && tries.hits.len() >= HITS_MOST {
            return Err(Error::Limited {
                what: "the vault refused too many values".to_owned(),
                retry_after: left(tries.hits.first().copied(), HITS_SPAN, now),
            });
        }
        Ok(Counted { tries, now, blind })
    }
}
