//! A store that has not come as far as the audit log says that it had: an older copy was put back, or it lost writes.
//!
//! Every change takes the next change number of the store, and the lines of the log state it. So the log knows how far the store had
//! come at least, whatever a database gives back. Where an older store was accepted by name, the comparison begins with that.

use std::collections::HashMap;
use std::fmt;
use std::sync::PoisonError;

use ibyok_audit::{Action, Entry, Event, Filter, Outcome, Reader, StoreMark, VerifyingKey, What, store_marks};

use crate::error::{Error, Part, Result};
use crate::lease::BEFORE_THE_FIRST;
use crate::session::Session;
use crate::vault::Inner;

/// How far a store is behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Behind {
    known: u64,
    now: u64,
}

impl fmt::Display for Behind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Behind { known, now } = self;
        write!(
            f,
            "the store is at change {now}, and the audit log says that it had come to {known}: an older copy of it was put back, or it \
             lost writes; restore a newer one, or accept this one with `ibyok audit floors rebuild --accept-rollback`"
        )
    }
}

/// The highest number that logs state, those apart that an acceptance came after.
fn highest(marks: &[StoreMark]) -> u64 {
    let accepted = marks.iter().filter_map(|mark| mark.accepted).max();
    let counts = |mark: &&StoreMark| accepted.is_none_or(|accepted| mark.at.is_some_and(|at| at >= accepted));
    marks.iter().filter(counts).map(|mark| mark.change).max().unwrap_or(0)
}

/// What the lines of all logs state, in the order of their times.
#[derive(Default)]
struct Lines {
    of: HashMap<String, u64>,
    /// Where a log shows by itself that the store had gone back.
    fell: Option<(String, u64, Behind)>,
}

impl Lines {
    fn take(&mut self, entry: &Entry) {
        let Some(now) = entry.states.as_ref().and_then(|states| states.store_change) else {
            return;
        };
        if entry.action == Action::VaultRollbackAccepted.as_str() {
            self.of.clear();
            self.fell = None;
        }
        let known = self.of.entry(entry.log.clone()).or_default();
        // Ends of changes may change places on their way to the log; these lines have seen the store before they were made.
        let looked = [Action::LogOpen.as_str(), Action::VaultStoreBehind.as_str()].contains(&entry.action.as_str());
        if looked && now < *known && self.fell.is_none() {
            let behind = Behind { known: *known, now };
            self.fell = Some((entry.log.clone(), entry.seq, behind));
        }
        *known = now.max(*known);
    }
}

impl Session {
    /// Accepts the store as it stands, although the log says that it had come further: what it says from before counts no more. For an
    /// operator, after an honest restore; it is on the log.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token and for an operator of another namespace than the node's home, [`Error::Unavailable`] if store or
    /// log cannot be reached.
    pub async fn accept_older_store(&self) -> Result<()> {
        let inner = &self.inner;
        self.operator_of_home(Action::VaultRollbackAccepted).await?;
        let mut attempt = self.attempt(Action::VaultRollbackAccepted);
        inner.authenticate(&mut attempt, &self.asking).await?;
        let known = inner.stated.store_change();
        let now = inner.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        let known = inner.store_is_behind().map_or(known, |behind| behind.known);
        inner.stated.store_went_back_to(now);
        let reason = format!("the store is at change {now}, and had come to {known}");
        inner
            .record(attempt.allowed().reason(reason).states(inner.stated.now()))
            .await?;
        inner.set_behind(None).await;
        Ok(())
    }
}

impl Inner {
    /// Compares the store with what the logs of this place say, and warns once of one that is behind.
    pub(crate) async fn compare_store(&self) -> Result<()> {
        let (place, keys) = (self.log.status().place, self.vouched_keys().await?);
        let marks = tokio::task::spawn_blocking(move || store_marks(&place, &keys)).await;
        let marks = marks.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        let known = highest(&marks);
        // After the logs: what they state by then the store has.
        let now = self.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        self.set_behind((now < known).then_some(Behind { known, now })).await;
        Ok(())
    }

    /// The change feed of this running node went back.
    pub(crate) async fn store_went_back(&self, known: u64, now: u64) {
        self.stated.store_went_back_to(now);
        self.set_behind(Some(Behind { known, now })).await;
    }

    async fn set_behind(&self, behind: Option<Behind>) {
        let before = {
            let mut held = self.behind.lock().unwrap_or_else(PoisonError::into_inner);
            // What a running node saw stands until it is accepted: then the logs say so.
            std::mem::replace(&mut *held, behind)
        };
        let (Some(behind), None) = (behind, before) else { return };
        tracing::error!("{behind}");
        let event = Event::new(Action::VaultStoreBehind, Outcome::Failed, self.now())
            .target("log", self.log.id())
            .reason(format!(
                "the store is at change {}, and had come to {}",
                behind.now, behind.known
            ))
            .states(self.stated.now());
        if let Err(error) = self.record(event).await {
            tracing::warn!(%error, "that the store is behind is not on the audit log");
        }
    }

    pub(crate) fn store_is_behind(&self) -> Option<Behind> {
        *self.behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What every line of the logs for which the keys vouch says of the store.
    pub(crate) async fn store_findings(&self, keys: Vec<VerifyingKey>) -> Result<Vec<ibyok_audit::Finding>> {
        let place = self.log.status().place;
        let lines = tokio::task::spawn_blocking(move || -> Result<Lines> {
            let mut lines = Lines::default();
            let read = Reader::vouched(place, keys)?.lines(&Filter::default())?;
            read.flatten().for_each(|line| lines.take(line.entry()));
            Ok(lines)
        });
        let lines = lines.await;
        let lines = lines.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        let now = self.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        let known = lines.of.values().copied().max().unwrap_or(0);
        let finding = |log, detail| ibyok_audit::Finding::new(What::StoreBehind, log, None, detail);
        Ok(match lines.fell {
            _ if now < known => vec![finding(None, Behind { known, now }.to_string())],
            Some((log, seq, behind)) => {
                let detail = format!("line {seq} shows that the store had gone back by then: {behind}");
                vec![finding(Some(log), detail)]
            }
            None => Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn mark(stated: &[(&str, i64, u64)]) -> StoreMark {
        let mut mark = StoreMark::default();
        for (action, at, change) in stated {
            mark.take(action, Timestamp::from_second(*at).unwrap(), *change);
        }
        mark
    }

    #[test]
    fn what_was_stated_before_an_acceptance_counts_no_more() {
        let one = mark(&[("key.set", 1, 15)]);
        assert_eq!(highest(&[one]), 15);
        let accepted = mark(&[("log.open", 2, 9), ("vault.rollback_accepted", 3, 4)]);
        assert_eq!(highest(&[one, accepted]), 4);
        let later = mark(&[("key.set", 1, 3), ("key.set", 5, 6)]);
        assert_eq!(highest(&[one, accepted, later]), 6);
    }
}
