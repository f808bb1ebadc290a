//! Backups of a vault, restores, and copies from one store to another: ciphertext alone, whatever the store.
//!
//! - `sweep`: every record of a store, and the records that change meanwhile
//! - `fill`: makes another store equal to what a sweep or a backup has
//! - `copy`: moves a vault to another store
//! - `frames`, `manifest`: the bytes of a backup
//! - `partial`: a file that is written beside its place, and put there once it is whole
//! - `write`, `read`: taking a backup, and checking one
//! - `since`: the changes that the floors and the log know, and an older store does not have
//! - `settle`: a restored store as the newest state of the vault, without what was taken away since

pub(crate) mod copy;
pub(crate) mod fill;
pub(crate) mod frames;
pub(crate) mod manifest;
mod partial;
pub(crate) mod read;
pub(crate) mod settle;
pub(crate) mod since;
pub(crate) mod sweep;
pub(crate) mod write;
