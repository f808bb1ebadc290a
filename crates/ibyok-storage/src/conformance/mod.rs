//! The suite for backends: one function for each promise of a store, and one test of yours for each function.
//!
//! ```
//! use std::collections::HashMap;
//! use std::sync::{Arc, Mutex};
//!
//! use ibyok_storage::conformance::StoreHarness;
//! use ibyok_storage::{Durability, MemoryStore, Result, Store};
//!
//! #[derive(Default)]
//! struct Memory(Mutex<HashMap<String, MemoryStore>>);
//!
//! #[async_trait::async_trait]
//! impl StoreHarness for Memory {
//!     async fn open(&self, place: &str) -> Result<Arc<dyn Store>> {
//!         Ok(Arc::new(self.0.lock().unwrap().entry(place.to_owned()).or_default().clone()))
//!     }
//!
//!     async fn open_with_short_feed(&self, place: &str) -> Result<Option<(Arc<dyn Store>, usize)>> {
//!         let store = MemoryStore::keeping(5);
//!         self.0.lock().unwrap().insert(place.to_owned(), store.clone());
//!         Ok(Some((Arc::new(store), 5)))
//!     }
//!
//!     fn durability(&self) -> Durability {
//!         Durability::None
//!     }
//! }
//!
//! // One #[test] for each promise, named after it.
//! ibyok_storage::store_conformance!(Memory::default());
//! # fn main() {}
//! ```
//!
//! The suite runs on its own runtime, so a backend's tests need none. It never deletes records that it did not
//! put: it asks the harness for a new, empty place for each promise. It may grow in any release. A supported backend
//! is one that passes it. The suite cannot test a loss of power: that takes a machine.

#[cfg(test)]
mod broken;
mod bytes;
mod changes;
mod compare_and_swap;
mod durability;
mod feed;
mod harness;
mod limits;
mod listing;
mod many;
mod run;
mod seal;
mod why;

pub use self::bytes::*;
pub use self::changes::*;
pub use self::compare_and_swap::*;
pub use self::durability::*;
pub use self::feed::*;
pub use self::harness::{Broken, StoreHarness};
pub use self::limits::*;
pub use self::listing::*;
pub use self::many::*;
pub use self::run::run;
pub use self::seal::*;

/// Makes one `#[test]` for each promise of the suite, named after it. The expression gives a [`StoreHarness`]. Each test
/// evaluates it again, and the tests run side by side.
#[macro_export]
macro_rules! store_conformance {
    ($harness:expr) => {
        $crate::__each_promise! { [$crate::__promise_tests] $harness }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __promise_tests {
    ([$harness:expr] $($promise:ident)*) => {
        $(
            #[test]
            fn $promise() -> ::core::result::Result<(), $crate::conformance::Broken> {
                $crate::conformance::run(&$harness, |harness| ::std::boxed::Box::pin($crate::conformance::$promise(harness)))
                    .map_err(|broken| broken.of(::core::stringify!($promise)))
            }
        )*
    };
}

/// The list of promises: the only one.
#[doc(hidden)]
#[macro_export]
macro_rules! __each_promise {
    ([$($callback:tt)+] $($context:tt)*) => {
        $($callback)+! {
            [$($context)*]

            an_absent_record_is_none
            what_was_put_is_read_back
            bytes_are_kept_exactly
            the_largest_record_is_kept
            a_record_over_the_limit_is_refused
            records_are_kept_apart

            expect_absent_refuses_what_exists
            a_stale_revision_is_refused
            a_revision_of_an_absent_record_is_refused
            a_delete_needs_the_right_revision
            a_revision_is_never_used_again
            a_refused_write_changes_nothing
            one_of_many_creators_wins
            one_of_many_writers_wins
            no_update_is_lost
            a_dropped_call_does_no_harm

            many_records_are_read_in_order
            a_long_read_comes_in_parts
            many_records_are_written_at_once
            a_batch_is_written_whole_or_not_at_all
            one_of_many_batches_wins

            a_listing_is_ordered_and_complete
            a_listing_goes_on_after_an_id
            a_listing_is_capped
            a_listing_is_complete_under_writes
            collections_never_mix
            a_place_of_another_collection_is_refused

            each_change_is_in_the_feed
            quiet_kinds_are_not_in_the_feed
            changes_are_seen_from_another_handle
            a_change_that_is_told_can_be_read
            changes_come_in_commit_order
            a_long_feed_is_told_in_pieces
            a_gap_is_visible
            a_feed_that_never_came_so_far_is_a_gap
            waiting_ends_after_a_change
            waiting_for_what_has_changed_ends_at_once

            a_sealed_store_takes_no_writes
            no_write_is_done_after_the_seal

            reopening_sees_everything
            revisions_go_on_after_reopening
            durability_is_as_declared
            scrubbing_changes_no_record

            a_limit_holds_over_all_handles
            a_use_is_taken_from_all_buckets_or_none
            a_bucket_refills_with_time
        }
    };
}
