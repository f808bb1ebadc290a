//! The ground: time, errors, and the facts about a request. Nothing here knows what a vault keeps.

pub(crate) mod clock;
pub(crate) mod context;
pub(crate) mod damage;
pub(crate) mod error;
pub(crate) mod json;
pub(crate) mod private_file;
pub(crate) mod secret_text;
