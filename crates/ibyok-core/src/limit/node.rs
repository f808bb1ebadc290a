//! The buckets of this node, for a store that shares none.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ibyok_storage::{Draw, Taken};

use super::bucket::Bucket;

/// The number of buckets that are not full and are remembered at once: some 30 MB. Limits beyond that are refused,
/// never forgotten.
const BUCKETS: usize = 1 << 18;

/// A bucket with its rate, which says when it is full again.
#[derive(Debug)]
struct Kept {
    bucket: Bucket,
    draw: Draw,
}

/// The uses that were taken on this node.
#[derive(Debug)]
pub(crate) struct NodeBuckets {
    kept: Mutex<HashMap<[u8; 16], Kept>>,
    most: usize,
}

impl Default for NodeBuckets {
    fn default() -> Self {
        NodeBuckets {
            kept: Mutex::default(),
            most: BUCKETS,
        }
    }
}

impl NodeBuckets {
    /// Takes one use from each bucket, or nothing from any: as [`ibyok_storage::Limiter::take`], at the time that is given.
    pub(super) fn take(&self, draws: &[Draw], now: Duration) -> Taken {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // All buckets are checked before any is changed: a use that one of them refuses costs nothing in the others.
        let there = as_they_are(&kept, draws, now);
        if let Some((which, wait)) = longest_wait(&there, draws) {
            return Taken::None { which, wait };
        }
        let new = draws.iter().filter(|draw| !kept.contains_key(&draw.bucket)).count();
        // To forget a bucket would refill it. So new limits are refused here, and old ones still hold.
        if kept.len().saturating_add(new) > self.most {
            // The next look at the buckets that are full again is due within this time.
            let wait = Duration::from_secs(1);
            return Taken::None { which: 0, wait };
        }
        for (draw, bucket) in draws.iter().zip(there) {
            let bucket = bucket.less_one(draw);
            kept.insert(draw.bucket, Kept { bucket, draw: *draw });
        }
        Taken::All
    }

    /// Returns the answer that [`NodeBuckets::take`] would give, and takes nothing.
    pub(super) fn look(&self, draws: &[Draw], now: Duration) -> Taken {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        match longest_wait(&as_they_are(&kept, draws, now), draws) {
            Some((which, wait)) => Taken::None { which, wait },
            None => Taken::All,
        }
    }

    /// Forgets the buckets that are full again: a full bucket is no different from one that was never used.
    pub(crate) fn expire(&self, now: Duration) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, kept| !kept.bucket.later(now, &kept.draw).is_full());
        // A burst of tokens must not keep its memory for good.
        if kept.capacity() > 1024 && kept.capacity() / 4 > kept.len() {
            kept.shrink_to_fit();
        }
    }
}

fn as_they_are(kept: &HashMap<[u8; 16], Kept>, draws: &[Draw], now: Duration) -> Vec<Bucket> {
    let bucket = |draw: &Draw| {
        let found = kept.get(&draw.bucket);
        found.map_or_else(|| Bucket::full(now), |found| found.bucket.later(now, draw))
    };
    draws.iter().map(bucket).collect()
}

/// The bucket that is empty for the longest time, and that time; `None` if each has a use.
fn longest_wait(there: &[Bucket], draws: &[Draw]) -> Option<(usize, Duration)> {
    let waits = there.iter().zip(draws).map(|(bucket, draw)| bucket.wait(draw));
    let longest = waits.enumerate().max_by_key(|(_, wait)| *wait);
    longest.filter(|(_, wait)| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn draw(bucket: u32, count: u32) -> Draw {
        Draw {
            bucket: u128::from(bucket).to_be_bytes(),
            count: NonZeroU32::new(count).unwrap(),
            seconds: NonZeroU32::new(60).unwrap(),
        }
    }

    #[test]
    fn a_use_is_taken_from_all_buckets_or_none() {
        let (node, now) = (NodeBuckets::default(), Duration::from_secs(9));
        let (small, large) = (draw(1, 1), draw(2, 3));
        assert_eq!(node.take(&[large, small], now), Taken::All);
        for _ in 0..5 {
            let wait = Duration::from_secs(60);
            assert_eq!(node.take(&[large, small], now), Taken::None { which: 1, wait });
        }
        assert_eq!(node.take(&[large], now), Taken::All);
        assert_eq!(node.take(&[large], now), Taken::All);
        assert_ne!(node.take(&[large], now), Taken::All);
    }

    #[test]
    fn many_tokens_are_forgotten_once_their_buckets_are_full() {
        let node = NodeBuckets::default();
        for number in 0..100_000u32 {
            let now = Duration::from_millis(number.into());
            if number % 1000 == 0 {
                node.expire(now);
            }
            assert_eq!(node.take(&[draw(number, 60)], now), Taken::All);
        }
        assert!(node.kept.lock().unwrap().len() <= 2_000);
        node.expire(Duration::from_secs(200));
        let kept = node.kept.lock().unwrap();
        assert!(kept.is_empty() && kept.capacity() < 1024);
    }

    #[test]
    fn beyond_its_bound_a_node_refuses_and_forgets_nothing() {
        let node = NodeBuckets {
            most: 2,
            ..NodeBuckets::default()
        };
        let now = Duration::ZERO;
        assert_eq!(node.take(&[draw(1, 1), draw(2, 1)], now), Taken::All);
        assert!(matches!(node.take(&[draw(3, 1)], now), Taken::None { .. }));
        assert!(matches!(node.take(&[draw(1, 1)], now), Taken::None { .. }));
        node.expire(Duration::from_secs(60));
        assert_eq!(node.take(&[draw(3, 1)], Duration::from_secs(60)), Taken::All);
    }
}
