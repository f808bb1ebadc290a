//! Calls that go to a database at once while few are under way, and together when more come meanwhile.

use std::collections::VecDeque;
use std::fmt::{self, Debug};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::error::{Error, Result};

/// The most calls that go together.
const AT_ONCE: usize = 256;

/// A way to a database: at most so many questions are under way on it, and the callers of further ones wait.
pub(crate) struct Lane<Q, A> {
    waiting: Mutex<Waiting<Q, A>>,
    most: usize,
}

struct Waiting<Q, A> {
    active: usize,
    queue: VecDeque<Asked<Q, A>>,
}

/// A question of a caller, and the way back to the caller.
pub(crate) struct Asked<Q, A> {
    pub(crate) question: Q,
    answer: oneshot::Sender<Result<A>>,
}

impl<Q, A> Asked<Q, A> {
    pub(crate) fn answer(self, answer: Result<A>) {
        // A caller that went away needs no answer.
        drop(self.answer.send(answer));
    }
}

/// The permission to ask at once, or the wait for an answer.
pub(crate) enum Entered<T, A> {
    Now(T),
    Waits(oneshot::Receiver<Result<A>>),
}

/// The permission to ask. At its end the questions that wait are asked.
pub(crate) struct Turn<'a, Q, A, F: Fn()> {
    lane: &'a Lane<Q, A>,
    /// Begins a task that takes the waiting questions from the lane until none waits.
    serve: F,
}

impl<Q, A, F: Fn()> Drop for Turn<'_, Q, A, F> {
    fn drop(&mut self) {
        if self.lane.leave() {
            (self.serve)();
        }
    }
}

impl<Q, A> Lane<Q, A> {
    /// A lane on which at most `most` questions are under way.
    pub(crate) fn new(most: usize) -> Self {
        Lane {
            waiting: Mutex::new(Waiting {
                active: 0,
                queue: VecDeque::new(),
            }),
            most,
        }
    }

    /// Begins a call at once if few are under way, else puts it into the queue. `serve` must begin a task that takes the turn over,
    /// with a [`Service`].
    pub(crate) fn enter<F: Fn()>(&self, question: impl FnOnce() -> Q, serve: F) -> Entered<Turn<'_, Q, A, F>, A> {
        let mut waiting = self.waiting();
        if waiting.active < self.most {
            waiting.active += 1;
            return Entered::Now(Turn { lane: self, serve });
        }
        let (answer, answered) = oneshot::channel();
        waiting.queue.push_back(Asked {
            question: question(),
            answer,
        });
        Entered::Waits(answered)
    }

    /// Takes waiting questions, as long as they fit together. `None` ends the service: none waits, and the turn is over.
    pub(crate) fn next(&self, mut fits: impl FnMut(&Q) -> bool) -> Option<VecDeque<Asked<Q, A>>> {
        let mut waiting = self.waiting();
        let here = waiting.queue.iter().take(AT_ONCE);
        let count = here.take_while(|asked| fits(&asked.question)).count();
        let batch: VecDeque<_> = waiting.queue.drain(..count).collect();
        if batch.is_empty() {
            waiting.active = waiting.active.saturating_sub(1);
            return None;
        }
        Some(batch)
    }

    /// Ends a call. Returns true if others wait: the task that serves them then has the turn.
    fn leave(&self) -> bool {
        let mut waiting = self.waiting();
        if waiting.queue.is_empty() {
            waiting.active = waiting.active.saturating_sub(1);
            return false;
        }
        drop(waiting);
        if Handle::try_current().is_err() {
            self.abandon();
            return false;
        }
        true
    }

    /// Ends a turn that nobody serves any more, because the store panicked or the runtime ended. Callers that wait learn it from their
    /// closed channels, and the next caller asks at once.
    pub(crate) fn abandon(&self) {
        let mut waiting = self.waiting();
        waiting.active = waiting.active.saturating_sub(1);
        waiting.queue.clear();
    }

    /// Nothing panics while it holds the lock.
    fn waiting(&self) -> MutexGuard<'_, Waiting<Q, A>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Q, A> Debug for Lane<Q, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("most", &self.most).finish_non_exhaustive()
    }
}

/// A service of a lane that is under way. Dropped before its end, it abandons the turn.
pub(crate) struct Service<T> {
    of: Option<Arc<T>>,
    abandon: fn(&T),
}

impl<T> Service<T> {
    pub(crate) fn new(of: &Arc<T>, abandon: fn(&T)) -> Self {
        Service {
            of: Some(Arc::clone(of)),
            abandon,
        }
    }

    /// Ends the service: the lane has taken its turn back.
    pub(crate) fn end(mut self) {
        self.of = None;
    }
}

impl<T> Drop for Service<T> {
    fn drop(&mut self) {
        if let Some(of) = &self.of {
            (self.abandon)(of);
        }
    }
}

/// The answer to a call that went at once, by `now`, or that waited.
pub(crate) async fn answered<T, A>(
    backend: &'static str,
    entered: Entered<T, A>,
    now: impl Future<Output = Result<A>>,
) -> Result<A> {
    match entered {
        Entered::Now(turn) => {
            let answer = now.await;
            drop(turn);
            answer
        }
        Entered::Waits(answer) => answer
            .await
            .unwrap_or_else(|_| Err(Error::unavailable(backend, "the call was interrupted"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Owner {
        lane: Lane<u8, u8>,
    }

    fn serve(owner: &Arc<Owner>) {
        let (serving, owner) = (
            Service::new(owner, |owner: &Owner| owner.lane.abandon()),
            Arc::clone(owner),
        );
        tokio::spawn(async move {
            while let Some(batch) = owner.lane.next(|_| true) {
                for asked in batch {
                    assert_ne!(asked.question, 13, "the database panics");
                    let double = asked.question * 2;
                    asked.answer(Ok(double));
                }
            }
            serving.end();
        });
    }

    async fn ask(owner: &Arc<Owner>, question: u8) -> Result<u8> {
        let entered = owner.lane.enter(|| question, || serve(owner));
        answered("test", entered, async {
            // The others come meanwhile.
            tokio::task::yield_now().await;
            Ok(question * 2)
        })
        .await
    }

    fn owner() -> Arc<Owner> {
        Arc::new(Owner { lane: Lane::new(1) })
    }

    #[tokio::test]
    async fn calls_that_wait_are_answered_and_the_lane_is_free_again() {
        let owner = owner();
        let (one, two, three) = tokio::join!(ask(&owner, 1), ask(&owner, 2), ask(&owner, 3));
        assert_eq!([one.unwrap(), two.unwrap(), three.unwrap()], [2, 4, 6]);
        tokio::task::yield_now().await;
        assert_eq!(owner.lane.waiting().active, 0);
        assert_eq!(ask(&owner, 4).await.unwrap(), 8);
    }

    #[tokio::test]
    async fn a_panic_fails_those_that_wait_and_no_later_call() {
        let owner = owner();
        let (_, two, three) = tokio::join!(ask(&owner, 1), ask(&owner, 13), ask(&owner, 3));
        assert!(two.is_err() && three.is_err());
        assert_eq!(ask(&owner, 4).await.unwrap(), 8);
    }

    #[test]
    fn the_end_of_a_runtime_leaves_the_lane_to_the_next_one() {
        let owner = owner();
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime();
        for question in 1..=3 {
            let owner = Arc::clone(&owner);
            first.spawn(async move { ask(&owner, question).await });
        }
        first.block_on(tokio::task::yield_now());
        drop(first);
        assert_eq!(runtime().block_on(ask(&owner, 4)).unwrap(), 8);
    }
}
