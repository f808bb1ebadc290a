//! A realm: its identity, its keys opened, and the record that holds them.

mod body;
mod identity;
mod keys;
mod record;

pub use self::identity::RealmIdentity;
pub use self::keys::{Generation, GenerationState, RealmKeys};
pub use self::record::{OpenedRealm, RealmRecord};

#[cfg(test)]
mod tests;
