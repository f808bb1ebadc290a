//! The promises of every [`Kek`], one function each, as tests for authors of a KEK.
//!
//! Give the suite a [`KekHarness`] and let [`kek_conformance!`](crate::kek_conformance) make one `#[test]` of each promise:
//!
//! ```
//! use std::sync::Arc;
//!
//! use ibyok_crypto::conformance::KekHarness;
//! use ibyok_crypto::{Error, Kek, LocalKek};
//!
//! struct Local;
//!
//! impl KekHarness for Local {
//!     fn kek(&self) -> Result<Arc<dyn Kek>, Error> {
//!         Ok(Arc::new(LocalKek::copy_of(&[7; 32])))
//!     }
//!
//!     fn other(&self) -> Result<Arc<dyn Kek>, Error> {
//!         Ok(Arc::new(LocalKek::copy_of(&[8; 32])))
//!     }
//! }
//!
//! mod local {
//!     ibyok_crypto::kek_conformance!(super::Local);
//! }
//! ```
//!
//! The functions are plain and async: a KEK that needs a special runtime calls them from there, through [`promises`]. The suite may grow in
//! any release; a supported KEK passes it.

mod promise;
mod runtime;

use std::sync::Arc;

pub use self::promise::{
    a_key_comes_back_after_a_restart, a_wrapped_key_names_a_kek_that_its_own_accepts, another_kek_does_not_open,
    any_change_is_refused, debug_and_description_hold_no_key, debug_holds_none_of_its_own_bytes,
    every_length_but_the_right_one_is_refused, nothing_of_the_key_shows, the_whole_context_is_bound,
    two_keks_have_two_ids, what_names_another_kek_is_refused,
};
pub use self::runtime::block_on;
use crate::{Error, Kek};

/// Makes KEKs for the suite.
pub trait KekHarness: Sync {
    /// Makes the KEK as a restart would: every call returns a KEK that opens the keys that the others wrapped.
    ///
    /// # Errors
    /// Any error of making the KEK, which fails the test.
    fn kek(&self) -> Result<Arc<dyn Kek>, Error>;

    /// Another KEK of the same kind, with other key material.
    ///
    /// # Errors
    /// As [`KekHarness::kek`].
    fn other(&self) -> Result<Arc<dyn Kek>, Error>;
}

/// A promise that was not kept: its name, the first thing that breaks it, and the reason why it matters.
#[derive(Debug, thiserror::Error)]
#[error("the promise `{promise}` is broken: {found}\n  it matters because {why}")]
pub struct Broken {
    promise: &'static str,
    why: &'static str,
    found: String,
}

impl Broken {
    pub(crate) const fn new(promise: &'static str, why: &'static str, found: String) -> Self {
        Self { promise, why, found }
    }

    /// The name of the function that tests the promise.
    #[must_use]
    pub const fn promise(&self) -> &'static str {
        self.promise
    }

    /// The reason why the promise matters.
    #[must_use]
    pub const fn why(&self) -> &'static str {
        self.why
    }

    /// The first thing that breaks the promise.
    #[must_use]
    pub fn found(&self) -> &str {
        &self.found
    }
}

/// Calls `$each!(name)` for every promise of the suite.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_kek_promise {
    ($each:ident) => {
        $each!(a_key_comes_back_after_a_restart);
        $each!(a_wrapped_key_names_a_kek_that_its_own_accepts);
        $each!(another_kek_does_not_open);
        $each!(any_change_is_refused);
        $each!(debug_and_description_hold_no_key);
        $each!(debug_holds_none_of_its_own_bytes);
        $each!(every_length_but_the_right_one_is_refused);
        $each!(nothing_of_the_key_shows);
        $each!(the_whole_context_is_bound);
        $each!(two_keks_have_two_ids);
        $each!(what_names_another_kek_is_refused);
    };
}

/// Makes one `#[test]` of each promise, for the harness that the expression gives.
#[macro_export]
macro_rules! kek_conformance {
    ($harness:expr) => {
        macro_rules! ibyok_kek_promise {
            ($promise:ident) => {
                #[test]
                fn $promise() {
                    let kept = $crate::conformance::block_on($crate::conformance::$promise(&$harness));
                    if let ::std::result::Result::Err(broken) = kept {
                        ::std::panic!("{broken}");
                    }
                }
            };
        }
        $crate::for_each_kek_promise!(ibyok_kek_promise);
    };
}

/// All promises in turn, and those that were not kept.
pub async fn promises(harness: &impl KekHarness) -> Vec<Broken> {
    let mut broken = Vec::new();
    macro_rules! keep {
        ($promise:ident) => {
            broken.extend($promise(harness).await.err());
        };
    }
    crate::for_each_kek_promise!(keep);
    broken
}
