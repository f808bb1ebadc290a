//! What keeps a scan from being made. What it could not read on its way is in the report instead.

use std::io;

/// Why there is no scan.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Where the scan was to begin cannot be read.
    #[error("`{path}` cannot be scanned: {source}")]
    Root {
        /// The path, printable.
        path: String,
        /// Why.
        source: io::Error,
    },
}
