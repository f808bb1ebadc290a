//! The harness that a backend gives to the suite, and a promise that was not kept.

use std::fmt::{self, Debug, Display};
use std::sync::Arc;

use async_trait::async_trait;

use super::why::why;
use crate::error::{Error, Result};
use crate::health::Durability;
use crate::store::Store;

/// Opens stores of your kind for the suite.
#[async_trait]
pub trait StoreHarness: Send + Sync {
    /// Opens the store that is called `place`. At the first time it is new and empty, and nothing else sees it. At the next times
    /// it is another handle on the same data, as another process or a restarted one would have; earlier handles may still be
    /// open. A place is a name of lower-case ASCII letters and digits, at most 32, and beginning with a letter: good for a file, a
    /// database schema or a key prefix. The suite never uses one twice.
    async fn open(&self, place: &str) -> Result<Arc<dyn Store>>;

    /// The same for a new place, but the store's change feed shall forget early: give it with a number of changes after which its
    /// beginning is forgotten for sure. `None` means that the feeds of this backend forget nothing, and the suite then tests that.
    async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>>;

    /// The worst event that a record survives in these stores. The suite compares it with the report of
    /// [`Store::check`].
    fn durability(&self) -> Durability;
}

/// A promise that a backend did not keep: the first thing that breaks it, and the reason why the promise matters.
pub struct Broken {
    found: String,
    promise: Option<&'static str>,
}

impl Broken {
    /// Says what happened and what should have.
    pub fn new(found: impl Into<String>) -> Self {
        Broken {
            found: found.into(),
            promise: None,
        }
    }

    /// Names the promise, whose reason is then part of the message.
    #[must_use]
    pub fn of(mut self, promise: &'static str) -> Self {
        self.promise = Some(promise);
        self
    }
}

impl Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.promise {
            Some(promise) => write!(
                f,
                "the promise `{promise}` is broken: {}\n  it matters because {}",
                self.found,
                why(promise)
            ),
            None => f.write_str(&self.found),
        }
    }
}

/// As [`Display`], because that is what a failing `#[test]` shows.
impl Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

impl std::error::Error for Broken {}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Broken::new(format!("a call failed that should not: {error}"))
    }
}

/// Ends a promise as broken unless something holds.
macro_rules! ensure {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::conformance::harness::Broken::new(format!($($what)+)));
        }
    };
}
pub(super) use ensure;
