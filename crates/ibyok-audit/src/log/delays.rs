//! The time between two attempts at a sink that fails.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// The attempts at one batch of a best-effort sink, after which the batch is dropped.
const ATTEMPTS: usize = 10;

/// Returns the delays between the attempts at one batch of a best-effort sink: about half a minute in all. Jitter keeps nodes from
/// meeting at a collector that comes back.
pub(super) fn of_best_effort() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(100))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(ATTEMPTS)
        .with_jitter()
        .build()
}

/// Returns the delays between the attempts at a required sink, without an end. They are short, because callers wait for them.
pub(super) fn of_required() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(20))
        .with_max_delay(Duration::from_millis(250))
        .without_max_times()
        .with_jitter()
        .build()
}
