//! A runtime for one sink: a sink blocks, and its client is async.

use std::future::Future;
use std::time::Duration;

use ibyok_audit::Error;
use tokio::runtime::{Builder, Runtime};

/// The longest time of a call. The log's own deadline is five seconds, and a batch that is sent again must fit into it, too.
pub(crate) const DEADLINE: Duration = Duration::from_secs(3);

/// A runtime on the thread that calls the sink, made by the first call.
#[derive(Debug, Default)]
pub(crate) struct Lane(Option<Runtime>);

impl Lane {
    /// Runs a call to its end, at most for the deadline.
    pub(crate) fn run<T>(&mut self, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let runtime = match self.0.take() {
            Some(runtime) => runtime,
            None => Builder::new_current_thread()
                .enable_all()
                .build()
                .map_err(Error::other)?,
        };
        let runtime = self.0.insert(runtime);
        runtime.block_on(async {
            let late = || Error::other(format!("no answer within {} seconds", DEADLINE.as_secs()));
            tokio::time::timeout(DEADLINE, call).await.map_err(|_| late())?
        })
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            // A sink may be dropped by a task of another runtime, where nothing may block.
            runtime.shutdown_background();
        }
    }
}
