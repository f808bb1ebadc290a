//! Refusals of a valid token: on the log, but a token cannot fill the log with them.
//!
//! The first few refusals of a token in a minute get their own lines, durable before the caller gets the answer.
//! The rest is counted, and becomes one line a minute for each action and reason. Retrievals that a limit refused are
//! folded each second (`recorder/limit_refusals.rs`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ibyok_audit::{Action, Outcome};
use ibyok_policy::TokenId;

use crate::gate::attempt::Attempt;
use crate::recorder::folded::Common;

/// The number of refusals of a token in one minute that get their own lines.
const SINGLY: u32 = 20;

/// The time for which refusals are folded together.
const WINDOW: Duration = Duration::from_secs(60);

/// The number of tokens that have their own count; further tokens share one.
const TOKENS: usize = 1024;

/// The number of actions and reasons that a token has counts for; further ones join the first.
const SORTS: usize = 64;

/// The way in which attempts ended: a folded line states it of all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sort {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) reason: &'static str,
    /// True for a retrieval, which usage counts.
    pub(super) is_use: bool,
}

/// The minute of one token.
#[derive(Debug)]
struct Window {
    started: Duration,
    singly: u32,
    folded: HashMap<Sort, (Common, u64)>,
}

/// The refusals of each token, in all its narrower forms; `None` is for tokens that share one count.
#[derive(Debug, Default)]
pub(crate) struct TokenRefusals(Mutex<HashMap<Option<TokenId>, Window>>);

impl TokenRefusals {
    /// Returns true if the refusal gets its own line; else counts it.
    pub(super) fn is_a_line(&self, token: TokenId, sort: Sort, attempt: &Attempt<'_>, now: Duration) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut token = Some(token);
        // Tokens that a holder issues for this purpose must not fill the memory.
        if windows.len() >= TOKENS && !windows.contains_key(&token) {
            token = None;
        }
        let window = windows.entry(token).or_insert_with(|| Window {
            started: now,
            singly: 0,
            folded: HashMap::new(),
        });
        // A line that only says again what is so already never stands alone.
        if window.singly < SINGLY && sort.outcome != Outcome::Allowed {
            window.singly += 1;
            return true;
        }
        window.count(token, sort, Common::of(attempt));
        false
    }

    /// The counts of the windows that are over, or of all.
    pub(super) fn over(&self, now: Duration, all: bool) -> Vec<(Sort, Common, u64)> {
        let mut counts = Vec::new();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| {
            let over = all || now.saturating_sub(window.started) >= WINDOW;
            if over {
                let folded = window.folded.drain();
                counts.extend(folded.map(|(sort, (common, count))| (sort, common, count)));
            }
            !over
        });
        counts
    }
}

impl Window {
    fn count(&mut self, token: Option<TokenId>, sort: Sort, common: Common) {
        let joined = match self.folded.keys().next() {
            // A count under another reason is less exact, but no refusal goes uncounted.
            Some(first) if self.folded.len() >= SORTS && !self.folded.contains_key(&sort) => *first,
            _ => sort,
        };
        match self.folded.entry(joined) {
            Entry::Occupied(mut entry) => {
                let (ours, count) = entry.get_mut();
                ours.narrow(token, common);
                *count = count.saturating_add(1);
            }
            Entry::Vacant(entry) => {
                entry.insert((common, 1));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::base::context::RequestContext;

    fn sort(action: Action) -> Sort {
        Sort {
            action,
            outcome: Outcome::Denied,
            reason: "scope",
            is_use: false,
        }
    }

    fn token(number: u128) -> TokenId {
        TokenId::new(*b"abcdefgh", number.to_be_bytes()).unwrap()
    }

    #[test]
    fn the_first_twenty_are_lines_and_the_rest_one_count_for_each_action() {
        let (refusals, context) = (TokenRefusals::default(), RequestContext::default());
        let mut lines = 0;
        for number in 0..1000 {
            let action = [Action::KeyShow, Action::KeyList][number % 2];
            let attempt = Attempt::new(action, Timestamp::UNIX_EPOCH, &context);
            lines += u32::from(refusals.is_a_line(token(1), sort(action), &attempt, Duration::ZERO));
        }
        assert_eq!(lines, SINGLY);
        assert!(refusals.over(Duration::from_secs(59), false).is_empty());
        let counts: Vec<u64> = refusals.over(WINDOW, false).iter().map(|(.., count)| *count).collect();
        assert_eq!(counts, [490, 490]);
    }

    #[test]
    fn tokens_beyond_the_bound_share_one_count() {
        let (refusals, context) = (TokenRefusals::default(), RequestContext::default());
        let attempt = Attempt::new(Action::KeyShow, Timestamp::UNIX_EPOCH, &context);
        let lines = (0..5000).filter(|n| refusals.is_a_line(token(*n), sort(attempt.action), &attempt, Duration::ZERO));
        assert_eq!(lines.count(), TOKENS + SINGLY as usize);
        assert_eq!(refusals.over(Duration::ZERO, true).len(), 1);
    }
}
