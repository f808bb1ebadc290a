//! The last try to mend the file.

use std::time::Instant;

/// When mending last failed, and why.
#[derive(Debug, Default)]
pub(super) struct Mended(pub(super) Option<(Instant, String)>);
