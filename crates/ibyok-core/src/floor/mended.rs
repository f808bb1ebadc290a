//! The last try to mend the file.

use std::time::Instant;

/// The time of the last failed mending, and the reason for it.
#[derive(Debug, Default)]
pub(super) struct Mended(pub(super) Option<(Instant, String)>);
