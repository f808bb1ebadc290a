//! The promises of every [`Sink`](crate::Sink) and every [`Home`](crate::Home), as tests for their authors. Feature `conformance`.
//!
//! Give a suite a harness, and let [`sink_conformance!`](crate::sink_conformance) or [`home_conformance!`](crate::home_conformance) make
//! one `#[test]` of each promise:
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//!
//! use ibyok_audit::conformance::HomeHarness;
//! use ibyok_audit::{Error, Home, MemoryHome};
//!
//! #[derive(Default)]
//! struct Memory(Mutex<BTreeMap<String, MemoryHome>>);
//!
//! impl HomeHarness for Memory {
//!     fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error> {
//!         Ok(Arc::new(self.0.lock().unwrap().entry(place.to_owned()).or_default().clone()))
//!     }
//! }
//!
//! ibyok_audit::home_conformance!(Memory::default());
//! # fn main() {}
//! ```
//!
//! A broken promise names the reason why it matters, and shows the first place that breaks it. The functions are plain: [`home_promises`] and
//! [`sink_promises`] call all of them from any test framework. The suites may grow in any release: to pass them is the definition of a
//! supported sink or home. They cannot test power loss and the end of a process, which take a machine.

mod broken;
mod home;
mod sink;

pub use self::broken::Broken;
pub use self::home::{
    HomeHarness, a_home_begins_empty, a_log_goes_on_after_a_restart, a_log_has_one_holder, a_replaced_file_is_new,
    a_restart_loses_nothing, an_append_elsewhere_is_refused, appended_bytes_are_read_back, files_have_their_lengths,
    home_promises, large_files_are_kept, logs_are_kept_apart, one_of_many_appends_wins, two_threads_write_at_once,
};
pub use self::sink::{
    SinkHarness, a_close_keeps_every_line, a_large_batch_is_taken_whole, a_restart_loses_no_synced_line,
    batches_keep_their_order, sink_promises, synced_lines_are_there, the_description_is_what_the_sink_can_acknowledge,
};

/// The list of a sink's promises: the only one.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_sink_promise {
    ($each:ident) => {
        $each!(synced_lines_are_there);
        $each!(batches_keep_their_order);
        $each!(a_large_batch_is_taken_whole);
        $each!(a_restart_loses_no_synced_line);
        $each!(a_close_keeps_every_line);
        $each!(the_description_is_what_the_sink_can_acknowledge);
    };
}

/// The list of a home's promises: the only one.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_home_promise {
    ($each:ident) => {
        $each!(a_home_begins_empty);
        $each!(appended_bytes_are_read_back);
        $each!(files_have_their_lengths);
        $each!(an_append_elsewhere_is_refused);
        $each!(one_of_many_appends_wins);
        $each!(a_replaced_file_is_new);
        $each!(logs_are_kept_apart);
        $each!(large_files_are_kept);
        $each!(two_threads_write_at_once);
        $each!(a_log_has_one_holder);
        $each!(a_restart_loses_nothing);
        $each!(a_log_goes_on_after_a_restart);
    };
}

/// Makes one `#[test]` of each promise of a sink, for the [`SinkHarness`] that the expression gives.
#[macro_export]
macro_rules! sink_conformance {
    ($harness:expr) => {
        macro_rules! ibyok_sink_promise {
            ($promise:ident) => {
                #[test]
                fn $promise() -> ::core::result::Result<(), $crate::conformance::Broken> {
                    $crate::conformance::$promise(&$harness)
                }
            };
        }
        $crate::for_each_sink_promise!(ibyok_sink_promise);
    };
}

/// Makes one `#[test]` of each promise of a home, for the [`HomeHarness`] that the expression gives.
#[macro_export]
macro_rules! home_conformance {
    ($harness:expr) => {
        macro_rules! ibyok_home_promise {
            ($promise:ident) => {
                #[test]
                fn $promise() -> ::core::result::Result<(), $crate::conformance::Broken> {
                    $crate::conformance::$promise(&$harness)
                }
            };
        }
        $crate::for_each_home_promise!(ibyok_home_promise);
    };
}
