//! Numbers and the nouns after them, and lists in a sentence.

pub(crate) use ibyok_core::audit::words::{counted, is_or_are, plural};
pub(crate) use ibyok_reports::listed;
