//! Floors: the revision below which nodes refuse a record.
//!
//! Associated data stops a record from being swapped. It does not stop an older one of the same id that a restored
//! backup or a hostile store brings back. Every change raises its record's floor, and so does every record that is
//! read from the store. The floors are in one indexed file next to the audit logs. Every process that writes a log
//! there shares it.
//!
//! - `file`: asking it and writing it
//! - `key`, `entry`: the key of the file, the names of its items, and the changes of floors
//! - `note`: changes that are about to take something away
//! - `aside`: files that were moved aside, and reading the intact part of them
//! - `opening`: finding the file missing, damaged or set back, and making it again from the log
//! - `sources`: the logs that the file is made from, and whether they may be trusted
//! - `replay`: raising floors by the lines of the log
//! - `together`: changes of the file that share a transaction
//! - `pending`, `seen`: records that were read, noted in batches
//! - `realms`, `realm_lines`: the realms that were seen or that lines of the log speak of, with their names
//! - `remembered`: the floors in the memory of a running process
//! - `mended`, `mend`: a file that failed or was moved away while the vault is open
//! - `ends`, `checkpoint`: the newest checkpoint of each log of the place
//! - `facts`: findings that stand until an operator acknowledges them
//! - `notice`: reading and writing the facts next to the floors
//! - `accepted`: older records that an operator accepted by name
//! - `status`, `transfer`: the state of the floors, and a text that hands them to another node
//! - `stated`: the statement that lines of the log carry

pub(crate) mod accepted;
pub(crate) mod aside;
pub(crate) mod checkpoint;
pub(crate) mod ends;
pub(crate) mod entry;
pub(crate) mod facts;
pub(crate) mod file;
pub(crate) mod key;
mod mend;
mod mended;
mod note;
mod notice;
mod opening;
mod pending;
mod realm_lines;
mod realms;
mod remembered;
mod replay;
mod seen;
mod sources;
pub(crate) mod stated;
mod status;
#[cfg(test)]
mod tests;
mod together;
mod transfer;

pub(crate) use self::entry::unavailable;
pub(crate) use self::file::Floors;
pub(crate) use self::key::FloorKey;
pub(crate) use self::note::{Note, NoteId};
pub(crate) use self::opening::{Found, Setup};
pub(crate) use self::realm_lines::SeenRealm;
pub use self::status::FloorsStatus;
