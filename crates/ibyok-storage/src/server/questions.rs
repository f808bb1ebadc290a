use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicI64, Ordering};

/// Numbers each question; the server sends the number back in its answer.
///
/// Drivers and proxies have handed the answer to one request to another (redis-py CVE-2023-28858, redis-rs #1252).
/// The seal of a record would show that the answer is about another record, but not that it is an older answer about
/// the same one.
#[derive(Debug)]
pub(crate) struct Questions(AtomicI64);

impl Questions {
    /// Begins at a random number, so that two processes behind one proxy do not count alike.
    pub(crate) fn new() -> Self {
        let [a, b, c, d, ..] = RandomState::new().hash_one(std::process::id()).to_be_bytes();
        Questions(AtomicI64::new(i64::from(u32::from_be_bytes([a, b, c, d])) << 24))
    }

    /// The number of the next question: positive, and not used before by this handle.
    pub(crate) fn next(&self) -> i64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_is_used_twice() {
        let questions = Questions::new();
        let [first, second] = [questions.next(), questions.next()];
        assert!(first >= 0 && second > first);
    }
}
