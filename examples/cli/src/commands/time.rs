//! Times as people type them, from now.

use ibyok_core::{
    clock::{Clock, SystemClock},
    jiff::Timestamp,
};
use ibyok_operations::time;

use crate::error::Result;

/// The machine's time.
pub(crate) fn now() -> Timestamp {
    SystemClock::default().now()
}

/// Parses a time in the future.
pub(super) fn ahead(text: &str) -> Result<Timestamp> {
    Ok(time::ahead(text, now())?)
}

/// Parses a time in the past.
pub(super) fn ago(text: &str) -> Result<Timestamp> {
    Ok(time::ago(text, now())?)
}
