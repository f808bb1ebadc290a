//! Refusals by a limit: on the log, one line a second and token, however often it asks.
//!
//! The first gets its own line, durable before its caller gets the answer. Those that follow are counted, and once
//! a second become one line with their `count`; it names the fields that they have in common.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ibyok_policy::TokenId;

use crate::gate::attempt::Attempt;
use crate::recorder::folded::Common;

/// The time for which refusals are folded together.
const WINDOW: Duration = Duration::from_secs(1);

/// The number of tokens that have their own window at once. Further tokens share one line.
const TOKENS: usize = 1024;

/// The refusals of a token, in all its narrower forms; `None` is for those that share one line.
type Windows = HashMap<Option<TokenId>, Window>;

#[derive(Debug)]
struct Window {
    started: Duration,
    folded: u64,
    shared: Common,
}

#[derive(Debug, Default)]
pub(crate) struct LimitRefusals(Mutex<Windows>);

impl LimitRefusals {
    /// Returns true if this refusal gets its own line; else counts it.
    pub(crate) fn is_a_line(&self, token: TokenId, attempt: &Attempt<'_>, now: Duration) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut token = Some(token);
        if windows.len() >= TOKENS && !windows.contains_key(&token) {
            token = None;
        }
        let Some(window) = windows.get_mut(&token) else {
            let (started, shared) = (now, Common::of(attempt));
            let folded = 0;
            windows.insert(
                token,
                Window {
                    started,
                    folded,
                    shared,
                },
            );
            return true;
        };
        let shared = Common::of(attempt);
        match window.folded {
            // The first refusal has its own line, so the folded line is about those after it.
            0 => window.shared = shared,
            _ => window.shared.narrow(token, shared),
        }
        window.folded = window.folded.saturating_add(1);
        false
    }

    /// Returns the counts of the windows that are over, or of all. A window that counted nothing ends, so that the
    /// next refusal is a line again.
    pub(super) fn over(&self, now: Duration, all: bool) -> Vec<(Common, u64)> {
        let mut counts = Vec::new();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|_, window| {
            if !all && now.saturating_sub(window.started) < WINDOW {
                return true;
            }
            if window.folded == 0 {
                return false;
            }
            counts.push((window.shared.clone(), window.folded));
            // The window continues: a caller that keeps asking gets one folded line a second, and no separate line.
            (window.started, window.folded) = (now, 0);
            !all
        });
        counts
    }
}
