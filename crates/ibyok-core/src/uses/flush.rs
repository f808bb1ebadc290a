//! Adding counts from memory to the store: about once a second while there are reads, and at the end.

use std::collections::BTreeSet;
use std::mem;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use ibyok_crypto::RealmTag;
use tokio::time::Instant;

use super::books::{Add, Books};
use super::forget::FIRST;
use super::mark::Mark;
use super::rollup::Subject;
use super::sign::OwnSign;
use super::{Counting, Usage};
use crate::base::clock::Clock;
use crate::base::error::{Error, Part, Result};
use crate::realm::Realm;

/// The least time between two flushes, while there are counts to add.
const EVERY: Duration = Duration::from_secs(1);

/// The time for which the first count after a rest waits for others.
const GATHER: Duration = Duration::from_millis(100);

/// The share of the time that flushes may take: a flush that took long makes the next one wait this many times as
/// long, up to the most.
const SHARE: u32 = 10;
const AT_MOST: Duration = Duration::from_secs(2);

/// Adds counts to the store as long as the vault lives.
pub(crate) async fn keep_counts(usage: Weak<Usage>, counting: Arc<Counting>) {
    let mut next = Instant::now();
    let mut forget = next + FIRST;
    loop {
        // Woken by the first count after a flush; now and then it looks whether the vault is still there.
        drop(tokio::time::timeout(EVERY, counting.noted.notified()).await);
        let unfinished = match usage.upgrade() {
            Some(usage) => usage.unfinished.load(Ordering::Acquire),
            None => return,
        };
        // Counts that the store refused last time are work too, although nothing new was counted.
        let idle = counting.is_empty() && !unfinished;
        if !idle {
            tokio::time::sleep_until(next.max(Instant::now() + GATHER)).await;
        }
        let Some(usage) = usage.upgrade() else { return };
        if usage.recorder.is_closed() {
            return;
        }
        // Also while idle: old counts must go even if nobody uses the vault.
        if Instant::now() >= forget {
            forget = Instant::now() + usage.forget_old_counts().await;
        }
        if idle {
            continue;
        }
        let began = Instant::now();
        if let Err(error) = usage.flush_usage().await {
            tracing::warn!(%error, "cannot add usage to the store; will retry");
        }
        // A slow store is asked less often, so that flushes do not slow down the requests beside them.
        next = began + (began.elapsed() * SHARE).clamp(EVERY, AT_MOST);
    }
}

impl Usage {
    /// Adds everything that was counted until now to the store.
    pub(crate) async fn flush_usage(self: &Arc<Self>) -> Result<()> {
        self.flush_on_a_task(false).await
    }

    /// The last flush: from here on nothing of this node is missing.
    pub(crate) async fn finish_usage(self: &Arc<Self>) -> bool {
        let finished = self.flush_on_a_task(true).await;
        if let Err(error) = &finished {
            tracing::warn!(%error, "cannot add usage to the store; the next process counts it from the audit log");
        }
        finished.is_ok()
    }

    /// Finishes after the log is closed: no further use can be counted.
    pub(crate) async fn close_usage(self: &Arc<Self>, mut finished: bool) {
        // A request that was under way can be counted after the last flush and before the log closed.
        if finished && !self.counting.is_empty() {
            finished = self.finish_usage().await;
        }
        if finished {
            self.mark(self.recorder.log.last_seq(), true);
        }
    }

    fn mark(&self, seq: u64, closed: bool) {
        let Some(directory) = self.recorder.log.directory() else {
            return;
        };
        // A warning is enough: the mark only saves time, and the records in the store say what they count.
        if let Err(error) = (Mark { seq, closed }).write(directory) {
            tracing::warn!(%error, "cannot write the mark of the counted lines next to the audit log; the next start takes longer");
        }
    }

    /// Flushes on a separate task, so that counts taken out of memory are not lost if the caller goes away.
    async fn flush_on_a_task(self: &Arc<Self>, last: bool) -> Result<()> {
        let this = Arc::clone(self);
        let task = tokio::spawn(async move {
            let mut books = this.books.lock().await;
            let flushed = this.flush(&mut books, last).await;
            let resting = books.replay.is_none() && books.signs.values().all(|sign| sign.at_rest);
            let unfinished = !books.are_saved() || !resting;
            this.unfinished.store(unfinished, Ordering::Release);
            flushed
        });
        task.await
            .map_err(|_| Error::unavailable(Part::Store, "adding up usage was interrupted"))?
    }

    async fn flush(self: &Arc<Self>, books: &mut Books, last: bool) -> Result<()> {
        // First, so that a record never claims a later line while lines of an earlier process are still missing from it.
        self.replay(books).await?;
        // Counts are sealed under the generations of now. A store that does not answer takes no counts either.
        if let Err(error) = self.records.hold_lease().await {
            tracing::debug!(%error, "cannot renew the lease before counts are added to the store");
        }
        let (uses, seq) = self.counting.cut(|| self.recorder.log.last_seq()).await;
        let mut active = BTreeSet::new();
        books.waiting.extend(Add::all(uses));
        let mut failure = None;
        for add in mem::take(&mut books.waiting) {
            // Only counts of keys get a sign: rotation asks for the readers of keys, and nobody waits for the counts of tokens.
            if matches!(add.subject, Subject::Key(_)) {
                active.insert(add.realm.tag());
                books
                    .signs
                    .entry(add.realm.tag())
                    .or_insert_with(|| OwnSign::new(&add.realm));
            }
            if let Err(error) = self.take_in(books, &add).await {
                books.waiting.push(add);
                failure = failure.or(Some(error));
            }
        }
        // Also after a failure: one row that cannot be taken in does not hold up the others.
        let saved = self.save(books, seq).await;
        books.tidy(self.records.clock.elapsed());
        failure.map_or(saved, Err)?;
        // After the counts: a fresh sign tells other nodes that the counts up to `seq` are in the store.
        self.put_signs(books, &active, seq, last).await?;
        // Last: a mark that lags costs time, and one that ran ahead would lose counts.
        self.mark(seq, false);
        Ok(())
    }

    async fn put_signs(&self, books: &mut Books, active: &BTreeSet<RealmTag>, seq: u64, last: bool) -> Result<()> {
        for (tag, sign) in &mut books.signs {
            let at_rest = last || !active.contains(tag);
            // A process that is over before anybody could miss it leaves no sign.
            let never = last && !sign.is_put();
            if !never && (!at_rest || !sign.at_rest) {
                self.put_sign(sign, seq, at_rest).await?;
            }
        }
        // The keys of a realm are not held on to for a sign that says all.
        books.signs.retain(|_, sign| !sign.at_rest);
        Ok(())
    }
}

impl OwnSign {
    pub(super) fn new(realm: &Arc<Realm>) -> Self {
        OwnSign {
            realm: Arc::clone(realm),
            revision: None,
            at_rest: false,
        }
    }

    fn is_put(&self) -> bool {
        self.revision.is_some()
    }
}
