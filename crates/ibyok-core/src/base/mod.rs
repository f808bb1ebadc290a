//! The ground: time, errors, and the facts about a request. It depends on nothing that a vault keeps.

pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod damage;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod memory;
pub(crate) mod private_file;
pub(crate) mod remedy;
pub(crate) mod secret_text;
pub(crate) mod version_state;
pub(crate) mod words;
