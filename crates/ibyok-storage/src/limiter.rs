use std::fmt::Debug;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;

/// One use that is to be taken from a bucket: it holds `count` uses at most and refills evenly, `count` of them within `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a bucket is exactly these three")]
pub struct Draw {
    /// The name of the bucket. Two rates are two buckets, so a caller makes the rate a part of the name.
    pub bucket: [u8; 16],
    /// The largest number of uses that the bucket holds.
    pub count: NonZeroU32,
    /// The number of seconds in which an empty bucket fills.
    pub seconds: NonZeroU32,
}

/// The answer to a request for uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "callers must handle a new answer")]
pub enum Taken {
    /// One use was taken from each bucket.
    All,
    /// Nothing was taken from any: one of them has no use left.
    None {
        /// The bucket that takes longest to refill, by its index among the draws.
        which: usize,
        /// The time until that bucket has a use again. Never zero.
        wait: Duration,
    },
}

/// Buckets that several nodes share, so that a limit holds over all nodes together. A store may offer them:
/// [`Store::limiter`](crate::Store::limiter).
///
/// # Contract
///
/// A bucket from which nothing was ever taken is full. Taking from several buckets is one step: one use from each, or
/// nothing from any. The clock is that of the one place where the buckets are, never that of a caller. A backend may
/// forget a bucket that is full again, and must forget it by itself: no method deletes a bucket. Losing the buckets
/// fills them.
///
/// # Errors
///
/// After any error of [`take`](Limiter::take), it is unknown whether a use was taken. `take` must fail within some
/// seconds rather than wait.
#[async_trait]
pub trait Limiter: Debug + Send + Sync {
    /// Takes one use from each bucket, or nothing from any. A bucket is named once at most.
    async fn take(&self, draws: &[Draw]) -> Result<Taken>;
}
