//! The promises of a home.

mod files;
mod trial;
mod writers;

use std::sync::Arc;

pub use self::files::{
    a_home_begins_empty, a_replaced_file_is_new, an_append_elsewhere_is_refused, appended_bytes_are_read_back,
    files_have_their_lengths, large_files_are_kept, logs_are_kept_apart,
};
pub use self::writers::{
    a_log_goes_on_after_a_restart, a_log_has_one_holder, a_restart_loses_nothing, one_of_many_appends_wins,
    two_threads_write_at_once,
};
use super::broken::Broken;
use crate::error::Error;
use crate::home::Home;

/// Gives the suite homes of your kind.
pub trait HomeHarness: Sync {
    /// Opens the home that is called `place`. At the first time it is new and empty, and no other test sees it. At the next times it is
    /// another handle on the same data, as another process or a restarted one would have; earlier handles may still be open. A place is
    /// at most 32 lower-case ASCII letters and digits, and begins with a letter.
    ///
    /// # Errors
    /// An error fails the test.
    fn open(&self, place: &str) -> Result<Arc<dyn Home>, Error>;
}

/// Tests every promise, and returns those that were not kept.
pub fn home_promises<H: HomeHarness>(harness: &H) -> Vec<Broken> {
    let mut broken = Vec::new();
    macro_rules! keep {
        ($promise:ident) => {
            broken.extend($promise(harness).err());
        };
    }
    crate::for_each_home_promise!(keep);
    broken
}
