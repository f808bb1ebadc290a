//! The thread on which the calls of a home run: a home blocks, and its client is async.

use std::fmt;
use std::future::Future;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ibyok_audit::Error;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::lane::DEADLINE;

/// The time that a caller waits beyond the deadline of its call, for a machine without a free core.
const PATIENCE: Duration = Duration::from_millis(500);

/// A runtime with one thread of its own, so that callers on any thread may block on it, also on those of another runtime.
pub(super) struct Worker(Option<Runtime>);

impl Worker {
    /// Starts the thread.
    pub(super) fn start() -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("ibyok-log-home")
            .enable_all()
            .build();
        Ok(Self(Some(runtime.map_err(Error::other)?)))
    }

    /// Runs a call to its end, at most for the deadline.
    pub(super) fn run<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, Error>> + Send + 'static,
    ) -> Result<T, Error> {
        let late = || Error::other(format!("no answer within {} seconds", DEADLINE.as_secs()));
        let (reply, answer) = sync_channel(1);
        self.spawn(async move {
            let done = tokio::time::timeout(DEADLINE, call).await;
            // An error means that the caller waits no longer.
            drop(reply.send(done.unwrap_or_else(|_| Err(late()))));
        });
        answer.recv_timeout(DEADLINE + PATIENCE).unwrap_or_else(|_| Err(late()))
    }

    /// Runs a task beside the calls. It ends with the home at the latest.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Option<JoinHandle<()>> {
        self.0.as_ref().map(|runtime| runtime.spawn(task))
    }
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Worker(..)")
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A home may be dropped by a task of another runtime, where nothing may block.
            runtime.shutdown_background();
        }
    }
}
