//! The callers that wait for the same write, and how they are woken.
//!
//! A wake from the writer's thread takes a lock of the runtime and often a system call. So the writer wakes one caller, and that caller
//! wakes the others from within the runtime, which needs neither.

use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::{Shared, lock};

/// The end of a write, for each caller that waited for it.
#[derive(Clone, Debug)]
pub(super) enum Written {
    /// The lines are durable; the first has this `seq`.
    From(u64),
    /// The log had failed.
    Poisoned(Arc<str>),
    /// The lines were refused.
    Refused(Arc<str>),
    /// The log was closed.
    Closed,
    /// The deadline passed.
    Late,
}

/// The callers that wait for the same write.
#[derive(Debug, Default)]
pub(super) struct Group(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    written: Option<Written>,
    waiters: Vec<Waiter>,
}

/// One caller, at the index of its line.
#[derive(Debug, Default)]
struct Waiter {
    waker: Option<Waker>,
    /// The tick of the watch at which the line was put in.
    since: u64,
    late: bool,
}

impl Group {
    /// Adds the waiter of a line. Lines that no caller waits for have one that is never polled.
    pub(super) fn join(&self, index: usize, since: u64) {
        let mut state = lock(&self.0);
        state.waiters.resize_with(index + 1, Waiter::default);
        if let Some(waiter) = state.waiters.get_mut(index) {
            waiter.since = since;
        }
    }

    fn poll(&self, index: usize, context: &Context<'_>) -> Poll<Written> {
        let mut state = lock(&self.0);
        if let Some(written) = &state.written {
            return Poll::Ready(written.clone());
        }
        match state.waiters.get_mut(index) {
            Some(waiter) if !waiter.late => {
                match &mut waiter.waker {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
            _ => Poll::Ready(Written::Late),
        }
    }

    /// Forgets a caller that is gone.
    fn leave(&self, index: usize) {
        if let Some(waiter) = lock(&self.0).waiters.get_mut(index) {
            waiter.waker = None;
        }
    }

    /// Answers all callers. They are woken later.
    pub(super) fn answer(&self, written: Written) {
        lock(&self.0).written.get_or_insert(written);
    }

    /// Wakes all callers.
    pub(super) fn wake(&self) {
        // Without the lock: a woken caller takes it at once.
        let waiters = mem::take(&mut lock(&self.0).waiters);
        waiters
            .into_iter()
            .filter_map(|waiter| waiter.waker)
            .for_each(Waker::wake);
    }

    /// Wakes one caller, and returns false if no caller waits.
    fn wake_one(&self) -> bool {
        let waker = lock(&self.0).waiters.iter_mut().find_map(|waiter| waiter.waker.take());
        waker.map(Waker::wake).is_some()
    }

    /// Returns true if there is no answer yet.
    pub(super) fn waits(&self) -> bool {
        lock(&self.0).written.is_none()
    }

    /// Gives up the callers that have waited since this tick or longer, and wakes them. Returns true if some still wait.
    pub(super) fn give_up(&self, since: u64) -> bool {
        let mut late = Vec::new();
        let mut state = lock(&self.0);
        if state.written.is_some() {
            return false;
        }
        for waiter in state.waiters.iter_mut().filter(|waiter| waiter.since <= since) {
            waiter.late = true;
            late.extend(waiter.waker.take());
        }
        let waits = state.waiters.iter().any(|waiter| !waiter.late);
        drop(state);
        late.into_iter().for_each(Waker::wake);
        waits
    }
}

/// The groups that the writer's thread has answered, until a caller wakes them.
#[derive(Debug, Default)]
pub(super) struct Bell {
    answered: Mutex<Vec<Arc<Group>>>,
    /// True if there may be such groups.
    rung: AtomicBool,
}

impl Bell {
    /// Answers a group from the writer's thread: wakes one caller, unless one is on its way already.
    pub(super) fn ring(&self, group: Arc<Group>) {
        let mut answered = lock(&self.answered);
        answered.push(Arc::clone(&group));
        let first = answered.len() == 1;
        self.rung.store(true, Ordering::Release);
        drop(answered);
        if first && !group.wake_one() {
            self.wake();
        }
    }

    /// Returns true if callers are to be woken.
    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::Acquire)
    }

    /// Wakes the callers of all groups that were answered. Every caller that got its answer does this.
    pub(super) fn wake(&self) {
        if self.rung.swap(false, Ordering::AcqRel) {
            let answered = mem::take(&mut *lock(&self.answered));
            answered.iter().for_each(|group| group.wake());
        }
    }
}

/// A caller that waits for its line.
pub(super) struct Waiting<'l> {
    pub(super) shared: &'l Shared,
    pub(super) group: Arc<Group>,
    pub(super) index: usize,
    /// True as long as this caller has to see to it that the lines are written.
    pub(super) leads: bool,
}

impl Future for Waiting<'_> {
    type Output = Written;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Written> {
        let answer = self.group.poll(self.index, context);
        if answer.is_ready() {
            self.shared.bell.wake();
        }
        answer
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.group.leave(self.index);
        // The caller that was woken for all may be the one that goes away.
        self.shared.bell.wake();
        if self.leads {
            self.shared.queue.call();
        }
    }
}
