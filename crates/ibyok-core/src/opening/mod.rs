//! Opening a vault, making one, and looking after it as long as it lives.
//!
//! - `builder`: the parts of a vault
//! - `home`: the realm and the audit log of the node
//! - `keks`: its KEKs
//! - `reach`: the environments that KEKs open
//! - `memory`: the memory of the machine, for the size of the cache
//! - `upkeep`: the work between requests

pub(crate) mod builder;
pub(crate) mod home;
pub(crate) mod keks;
pub(crate) mod memory;
pub(crate) mod reach;
pub(crate) mod upkeep;
