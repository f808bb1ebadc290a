//! A realm: its identity, its keys opened, and the record that holds them.

mod body;
mod generations;
mod identity;
mod keys;
mod record;

pub use self::generations::{Generation, GenerationState};
pub use self::identity::RealmIdentity;
pub use self::keys::RealmKeys;
pub use self::record::{OpenedRealm, RealmRecord};

#[cfg(test)]
mod tests;
