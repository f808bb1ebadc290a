//! Opening a vault, making one, and looking after it as long as it lives.
//!
//! - `builder`: what a vault is put together from
//! - `home`: the realm and the audit log of the node
//! - `upkeep`: what goes on beside requests

pub(crate) mod builder;
pub(crate) mod home;
pub(crate) mod upkeep;
