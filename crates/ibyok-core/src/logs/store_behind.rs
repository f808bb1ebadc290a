//! A store that has not come as far as the audit log says that it had: an older copy was put back, or it lost writes.
//!
//! Every change takes the next change number of the store, and the lines of the log state it. So the log proves a
//! least change number of the store, even if a database is set back. After an operator accepted an older store by
//! name, the comparison begins with that.

use std::collections::HashMap;

use ibyok_audit::{
    Action, Entry, Event, Filter, Outcome, Reader, Statement, StoreMark, VerifyFault, VerifyFinding, newest_store_mark,
};

use crate::base::error::{Error, Part, Result};
use crate::logs::Logs;
use crate::records::behind::Behind;
use crate::records::lease::BEFORE_THE_FIRST;

/// The statements of the lines of all logs, each log in its own order.
///
/// Clocks decide nothing here: statements from before an older store was accepted have a lower epoch.
#[derive(Default)]
struct Lines {
    newest: StoreMark,
    of: HashMap<String, StoreMark>,
    /// The last line by which a log shows by itself that the store had gone back.
    fell: Option<Fell>,
}

struct Fell {
    log: String,
    seq: u64,
    epoch: u64,
    behind: Behind,
}

impl Lines {
    fn take(&mut self, entry: &Entry) {
        let Some(mark) = entry.states.as_ref().and_then(Statement::store_mark) else {
            return;
        };
        let known = self.of.entry(entry.log.clone()).or_default();
        // Ends of changes may change places on their way to the log; these lines have seen the store before they were made.
        let looked = [Action::LogOpen.as_str(), Action::VaultStoreBehind.as_str()].contains(&entry.action.as_str());
        let fell = looked && mark.epoch == known.epoch && mark.change < known.change;
        if fell && self.fell.as_ref().is_none_or(|fell| fell.epoch < mark.epoch) {
            self.fell = Some(Fell {
                log: entry.log.clone(),
                seq: entry.seq,
                epoch: mark.epoch,
                behind: Behind {
                    known: known.change,
                    now: mark.change,
                },
            });
        }
        *known = mark.max(*known);
        self.newest = mark.max(self.newest);
    }

    /// The finding about a store that is at this change, if something is wrong.
    fn judge(self, now: u64) -> Option<VerifyFinding> {
        let known = self.newest.change;
        let finding = |log, detail| VerifyFinding::new(VerifyFault::StoreBehind, log, None, detail);
        if now < known {
            return Some(finding(None, Behind { known, now }.to_string()));
        }
        // Statements from before the last acceptance no longer count.
        let Fell { log, seq, behind, .. } = self.fell.filter(|fell| fell.epoch == self.newest.epoch)?;
        let detail = format!("line {seq} shows that the store was set back before it: {behind}");
        Some(finding(Some(log), detail))
    }
}

impl Logs {
    /// Compares the store with the change numbers in the logs of this place, and warns once if it is behind.
    pub(crate) async fn compare_store(&self) -> Result<()> {
        let (place, keys) = (self.recorder.log.status().place, self.home_keys().await?);
        let mark = tokio::task::spawn_blocking(move || newest_store_mark(&place, &keys)).await;
        let mark = mark.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        // After the logs: the store has every change that they state by then.
        let now = self.records.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        // Another process may have accepted an older store meanwhile.
        self.records.stated.store_epoch_is(mark.epoch, now);
        let known = self.records.stated.known_by(mark);
        self.set_behind((now < known).then_some(Behind { known, now })).await;
        Ok(())
    }

    pub(crate) async fn set_behind(&self, behind: Option<Behind>) {
        self.records.set_behind(behind);
        if behind.is_none()
            && let Err(error) = self.records.floors.no_longer_behind().await
        {
            tracing::warn!(%error, "the file of floors still says that the store is behind");
        }
        self.tell_behind().await;
    }

    /// Puts on the log that the store is behind: once for a state of the store, whatever the number of processes that meet it.
    pub(crate) async fn tell_behind(&self) {
        let Some(behind) = self.records.behind_untold() else {
            return;
        };
        tracing::error!("{behind}");
        match self.records.floors.reported_behind(behind.known, behind.now).await {
            // Another process put the line on a log, or this one did before it was started again.
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the report of a store that is behind is not in the file of floors"),
        }
        let event = Event::new(Action::VaultStoreBehind, Outcome::Failed, self.records.now())
            .target("log", self.recorder.log.id())
            .reason(format!(
                "the store is at change {}, and was at change {} before",
                behind.now, behind.known
            ))
            .states(self.records.stated.now());
        if let Err(error) = self.recorder.record(event).await {
            tracing::warn!(%error, "cannot record on the audit log that the store is behind");
        }
    }

    /// The findings about the store by every line of the logs of this node's home.
    pub(crate) async fn store_findings(&self) -> Result<Vec<VerifyFinding>> {
        let (place, keys) = (self.recorder.log.status().place, self.home_keys().await?);
        let lines = tokio::task::spawn_blocking(move || -> Result<Lines> {
            let mut lines = Lines::default();
            let read = Reader::vouched(place, keys)?.lines(&Filter::default())?;
            read.flatten().for_each(|line| lines.take(line.entry()));
            Ok(lines)
        });
        let lines = lines.await;
        let lines = lines.map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))??;
        let now = self.records.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        Ok(lines.judge(now).into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if lines say nothing against a store that is at change 9 by now.
    fn judged(stated: &[(&str, &str, u64, u64)]) -> bool {
        let mut lines = Lines::default();
        for ((log, action, epoch, change), seq) in stated.iter().zip(1..) {
            let text = format!(
                r#"{{"v":1,"seq":{seq},"time":"2026-01-01T00:00:00Z","log":"{log}","prev":"","action":"{action}","outcome":"allowed","principal":{{"kind":"operator"}},"count":1,"client":{{}},"states":{{"floors":null,"store_change":{change},"store_epoch":{epoch}}}}}"#
            );
            lines.take(ibyok_audit::Line::parse(text).unwrap().entry());
        }
        lines.judge(9).is_none()
    }

    #[test]
    fn what_was_stated_before_an_older_store_was_accepted_counts_no_more() {
        assert!(judged(&[("a", "key.set", 0, 9)]));
        assert!(!judged(&[("a", "key.set", 0, 10)]));
        let fell = [("a", "key.set", 0, 15), ("a", "log.open", 0, 4)];
        assert!(!judged(&fell), "15 is beyond 9");
        let fell = [("a", "key.set", 0, 8), ("a", "log.open", 0, 4), ("a", "key.set", 0, 9)];
        assert!(!judged(&fell), "also after further changes");
        let accepted = ("b", "vault.rollback_accepted", 1, 4);
        assert!(judged(&[&fell[..], &[accepted]].concat()));
        // Whichever clock was set how: the order of logs means nothing.
        assert!(judged(&[&[accepted], &fell[..]].concat()));
        assert!(!judged(&[&[accepted, ("b", "key.set", 1, 10)], &fell[..]].concat()));
        let again = [accepted, ("b", "key.set", 1, 8), ("b", "log.open", 1, 6)];
        assert!(!judged(&again), "and was put back once more");
    }
}
