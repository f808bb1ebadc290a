//! Keeps the deadline of appends: one thread looks at all callers a few times within it, so that no line takes a timer.
//!
//! A thread and no task, because a log may be used by several runtimes and outlive any of them.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::{Shared, lock};
use crate::error::Error;

/// The longest time between two looks, and the shortest.
const LOOKS: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(250));

/// The number of looks without a line after which the thread sleeps until there is one: a log that is used now and then must not wake it
/// for each line.
const IDLE_LOOKS: u32 = 8;

/// The count of looks, and the thread's sleep.
#[derive(Debug, Default)]
pub(super) struct Watch {
    ticks: AtomicU64,
    awake: AtomicBool,
    ended: Mutex<bool>,
    changed: Condvar,
}

impl Watch {
    /// The present tick, for a line that is put in now.
    pub(super) fn now(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Makes sure that the thread looks at a line that was put in before this call.
    pub(super) fn wake(&self) {
        if self.awake.load(Ordering::SeqCst) || self.awake.swap(true, Ordering::SeqCst) {
            return;
        }
        // Under the lock, which the thread holds between its last check and its sleep.
        drop(lock(&self.ended));
        self.changed.notify_one();
    }

    /// Ends the thread.
    pub(super) fn end(&self) {
        *lock(&self.ended) = true;
        self.changed.notify_one();
    }

    /// Sleeps until the next look. Returns false at the end.
    fn sleep(&self, look: Duration) -> bool {
        // Until there is a line, and from then on as long as between two looks.
        let sleeps = |ended: &mut bool| !*ended && !self.awake.load(Ordering::SeqCst);
        let ended = self.changed.wait_while(lock(&self.ended), sleeps);
        let ended = ended.unwrap_or_else(PoisonError::into_inner);
        let slept = self.changed.wait_timeout_while(ended, look, |ended| !*ended);
        let ended = slept.unwrap_or_else(PoisonError::into_inner).0;
        !*ended
    }
}

/// Starts the thread. It ends with the log.
pub(super) fn start(shared: Arc<Shared>) -> Result<(), Error> {
    let root = shared.root.clone();
    std::thread::Builder::new()
        .name("audit-deadline".to_owned())
        .spawn(move || run(&shared))
        .map(drop)
        .map_err(Error::io("start a thread for", &root))
}

fn run(shared: &Shared) {
    let look = (shared.deadline / 16).clamp(LOOKS.0, LOOKS.1);
    // A line is put in between two looks: with one look less, none waits longer than the deadline.
    let looks = u64::try_from(shared.deadline.as_nanos() / look.as_nanos().max(1)).unwrap_or(u64::MAX);
    let (mut idle, mut waited) = (0, false);
    while shared.watch.sleep(look) {
        let now = shared.watch.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        let waits = now
            .checked_sub(looks)
            .map_or_else(|| shared.queue.waits(), |since| shared.queue.give_up(since));
        // The caller that was to wake or to write for the others has not been polled since the last look.
        if waited {
            shared.bell.wake();
            if shared.queue.has_lines() {
                shared.queue.call();
            }
        }
        waited = waits || shared.bell.is_rung();
        idle = if waited { 0 } else { idle + 1 };
        if idle > IDLE_LOOKS {
            idle = 0;
            shared.watch.awake.store(false, Ordering::SeqCst);
            // A line that came just before saw the thread awake.
            if shared.queue.waits() {
                shared.watch.awake.store(true, Ordering::SeqCst);
            }
        }
    }
}
