//! One bucket of a limit, in whole numbers: no rounding ever gives a use too many.
//!
//! It is the generic cell rate algorithm, and a bucket keeps the uses taken out as a debt. One use is a debt of the rate's span in
//! nanoseconds, and each nanosecond pays off `count`; a bucket is empty when it owes `count` uses. The script for Redis computes the same.

use std::time::Duration;

use ibyok_storage::Draw;

/// The uses that were taken out of a bucket and are not back yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bucket {
    debt: u128,
    at: Duration,
}

impl Bucket {
    /// A full one.
    pub(super) fn full(now: Duration) -> Self {
        Bucket { debt: 0, at: now }
    }

    /// The bucket as it is at a later time. Of a time that is not later nothing is paid off.
    pub(super) fn later(self, now: Duration, draw: &Draw) -> Self {
        let passed = now.saturating_sub(self.at).as_nanos();
        let paid = passed.saturating_mul(u128::from(draw.count.get()));
        Bucket {
            debt: self.debt.saturating_sub(paid),
            // The time never goes back, or a later call would pay off the same span twice.
            at: self.at.max(now),
        }
    }

    /// Returns the time until a use is available; zero if one is now.
    pub(super) fn wait(self, draw: &Draw) -> Duration {
        let (one, count) = (span(draw), u128::from(draw.count.get()));
        let missing = (self.debt + one).saturating_sub(one * count);
        // Rounded up: a caller that waits exactly this long finds the use there.
        let nanos = missing.div_ceil(count);
        u64::try_from(nanos).map_or(Duration::MAX, Duration::from_nanos)
    }

    /// The bucket with one use less.
    pub(super) fn less_one(self, draw: &Draw) -> Self {
        Bucket {
            debt: self.debt + span(draw),
            ..self
        }
    }

    /// True if there is nothing to be remembered about it.
    pub(super) fn is_full(self) -> bool {
        self.debt == 0
    }
}

/// The span within which an empty bucket is full again.
fn span(draw: &Draw) -> u128 {
    Duration::from_secs(draw.seconds.get().into()).as_nanos()
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use governor::clock::FakeRelativeClock;
    use governor::{Quota, RateLimiter};
    use proptest::prelude::*;

    use super::*;

    fn draw(count: u32, seconds: u32) -> Draw {
        Draw {
            bucket: [0; 16],
            count: NonZeroU32::new(count).unwrap(),
            seconds: NonZeroU32::new(seconds).unwrap(),
        }
    }

    /// Takes one if it is there.
    fn take(bucket: &mut Bucket, now: Duration, draw: &Draw) -> Duration {
        let there = bucket.later(now, draw);
        let wait = there.wait(draw);
        *bucket = if wait.is_zero() { there.less_one(draw) } else { there };
        wait
    }

    #[test]
    fn a_bucket_gives_what_it_holds_and_then_one_at_a_time() {
        let (draw, mut bucket) = (draw(60, 60), Bucket::full(Duration::ZERO));
        for _ in 0..60 {
            assert!(take(&mut bucket, Duration::ZERO, &draw).is_zero());
        }
        assert_eq!(take(&mut bucket, Duration::ZERO, &draw), Duration::from_secs(1));
        let almost = Duration::from_nanos(999_999_999);
        assert_eq!(take(&mut bucket, almost, &draw), Duration::from_nanos(1));
        assert!(take(&mut bucket, Duration::from_secs(1), &draw).is_zero());
        assert!(!take(&mut bucket, Duration::from_secs(1), &draw).is_zero());
    }

    #[test]
    fn a_time_that_goes_back_gives_nothing_and_costs_nothing() {
        let (draw, mut bucket) = (draw(1, 1), Bucket::full(Duration::from_secs(100)));
        assert!(take(&mut bucket, Duration::from_secs(100), &draw).is_zero());
        assert_eq!(take(&mut bucket, Duration::ZERO, &draw), Duration::from_secs(1));
        assert!(take(&mut bucket, Duration::from_secs(101), &draw).is_zero());
    }

    #[test]
    fn the_largest_rate_and_the_longest_time_do_not_overflow() {
        for draw in [draw(u32::MAX, 1), draw(u32::MAX, 86_400), draw(1, 86_400)] {
            let mut bucket = Bucket::full(Duration::ZERO);
            assert!(take(&mut bucket, Duration::MAX, &draw).is_zero());
            take(&mut bucket, Duration::MAX, &draw);
            assert!(take(&mut bucket, Duration::ZERO, &draw) <= Duration::from_secs(86_400));
        }
    }

    proptest! {
        /// The model keeps the times of all uses. No span may contain more uses than the bucket holds plus those that come
        /// back within the span, and each refused use would have been one too many.
        #[test]
        fn no_span_of_time_sees_more_uses_than_the_rate_allows(
            count in 1u32..50, seconds in 1u32..200,
            steps in proptest::collection::vec(0u64..3_000_000_000, 1..200),
        ) {
            let (draw, mut bucket) = (draw(count, seconds), Bucket::full(Duration::ZERO));
            let (mut now, mut uses) = (Duration::ZERO, Vec::new());
            for step in steps {
                now += Duration::from_nanos(step);
                let wait = take(&mut bucket, now, &draw);
                // In units of which one use costs `seconds * 10^9`.
                let one = u128::from(seconds) * 1_000_000_000;
                let most = |uses: &[Duration]| {
                    uses.iter().enumerate().map(|(before, first)| {
                        let spent = (uses.len() - before) as u128 * one;
                        let paid = (now - *first).as_nanos() * u128::from(count);
                        (spent + one).saturating_sub(paid)
                    }).max().unwrap_or(one)
                };
                let fits = most(&uses) <= one * u128::from(count);
                prop_assert_eq!(wait.is_zero(), fits);
                if fits {
                    uses.push(now);
                } else {
                    let mut later = bucket;
                    prop_assert!(!take(&mut later, now + wait - Duration::from_nanos(1), &draw).is_zero());
                    let mut later = bucket;
                    prop_assert!(take(&mut later, now + wait, &draw).is_zero(), "as it said");
                }
            }
        }

        /// If its rounding to nanoseconds is exact, `governor` decides the same.
        #[test]
        fn governor_decides_the_same(
            per_second in prop::sample::select(vec![1u32, 2, 4, 5, 8, 10, 20, 25, 50, 100]),
            steps in proptest::collection::vec(0u64..500_000_000, 1..200),
        ) {
            let clock = FakeRelativeClock::default();
            let quota = Quota::per_second(NonZeroU32::new(per_second).unwrap());
            let theirs = RateLimiter::direct_with_clock(quota, clock.clone());
            let (draw, mut bucket) = (draw(per_second, 1), Bucket::full(Duration::ZERO));
            let mut now = Duration::ZERO;
            for step in steps {
                now += Duration::from_nanos(step);
                clock.advance(Duration::from_nanos(step));
                prop_assert_eq!(take(&mut bucket, now, &draw).is_zero(), theirs.check().is_ok());
            }
        }
    }
}
