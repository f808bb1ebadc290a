use std::fmt::Debug;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::Result;

/// One use that is to be taken from a bucket: it holds `count` uses at most and refills evenly, `count` of them within `seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a bucket is exactly these three")]
pub struct Draw {
    /// Names the bucket. Two rates are two buckets: whoever names them makes the rate a part of the name.
    pub bucket: [u8; 16],
    /// How many uses it holds.
    pub count: NonZeroU32,
    /// Within how many seconds an empty one is full again.
    pub seconds: NonZeroU32,
}

/// What came of taking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "who asks must decide about a new answer")]
pub enum Taken {
    /// One use was taken from each bucket.
    All,
    /// Nothing was taken from any: one of them has no use left.
    None {
        /// Which, by its place among the draws: the one that takes longest.
        which: usize,
        /// After how long it has one again. Never zero.
        wait: Duration,
    },
}

/// Buckets that several nodes take from, so that a limit holds over all of them together. A store may offer it:
/// [`Store::limiter`](crate::Store::limiter).
///
/// # Contract
///
/// A bucket that was never taken from is full. Taking from several is one step: one use from each, or nothing from any. Time is that
/// of the one place where the buckets are, never that of a caller. A bucket that is full again may be forgotten, and a backend
/// must forget it by itself: there is no way to delete one. Losing the buckets fills them.
///
/// # Errors
///
/// Whatever [`take`](Limiter::take) fails with means that nobody knows whether something was taken. It must fail within some
/// seconds rather than wait.
#[async_trait]
pub trait Limiter: Debug + Send + Sync {
    /// Takes one use from each bucket, or nothing from any. A bucket is named once at most.
    async fn take(&self, draws: &[Draw]) -> Result<Taken>;
}
