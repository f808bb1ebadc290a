//! The timer of a connection's answers.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// The timer of a connection's answers. It stays with the connection, so that a request moves it and makes no other.
#[derive(Debug, Default)]
pub(crate) struct Timer(Mutex<Option<Pin<Box<Sleep>>>>);

impl Timer {
    /// Returns the output of a future, or `None` if it is not ready within a time.
    pub(crate) async fn within<T>(&self, time: Duration, work: impl Future<Output = T>) -> Option<T> {
        let until = Instant::now() + time;
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut sleep = match kept {
            Some(mut sleep) => {
                sleep.as_mut().reset(until);
                sleep
            }
            None => Box::pin(tokio::time::sleep_until(until)),
        };
        let mut work = pin!(work);
        let done = poll_fn(|context| match work.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
        });
        let done = done.await;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sleep);
        done
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn each_answer_has_its_whole_time_and_no_more() {
        let (timer, short, long) = (Timer::default(), Duration::from_millis(20), Duration::from_secs(60));
        for _ in 0..3 {
            assert!(timer.within(short, pending::<()>()).await.is_none());
            // The time of the answer before is over, and this one has its own.
            assert!(timer.within(long, tokio::time::sleep(2 * short)).await.is_some());
            assert_eq!(timer.within(short, ready(7)).await, Some(7));
        }
    }
}
