//! Checks of a server's settings that are repeated while a sink is connected.

use std::future::Future;
use std::time::{Duration, Instant};

use ibyok_audit::Error;

/// The time for which a check of a server's settings holds. An administrator may change them while the sink is connected.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The time of the last check that a server keeps lines through a crash.
#[derive(Debug, Default)]
pub(crate) struct LastCheck(Option<Instant>);

impl LastCheck {
    /// Runs the check, unless it passed within the last second.
    pub(crate) async fn repeat(&mut self, check: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
        if self.0.is_some_and(|at| at.elapsed() < CHECK_EVERY) {
            return Ok(());
        }
        check.await?;
        self.0 = Some(Instant::now());
        Ok(())
    }
}
