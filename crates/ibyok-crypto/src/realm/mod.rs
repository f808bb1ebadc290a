//! A realm: its identity, its keys opened, and the record that holds them.

mod body;
mod identity;
mod keys;
mod record;

pub use self::identity::RealmIdentity;
pub use self::keys::{Generation, GenerationState, RealmKeys};
pub use self::record::{OpenedRealm, RealmRecord};

/// The kind byte of environment key records and of what KEKs wrap for them.
pub(crate) const ENVIRONMENT_KEY_RECORD: u8 = 1;

#[cfg(test)]
mod tests;
