//! The store of IBYOK: bytes under record ids, compare-and-swap, ordered listing, and a feed of changes.
//!
//! [`Store`] is all that IBYOK needs from a database. [`MemoryStore`] is always there, and forgets when the process ends.
//! Features add `FileStore` (`file`, on by default), one SQLite file that several processes may use at once, and for several
//! machines `PostgresStore` (`postgres`) and `RedisStore` (`redis`). [`open`] picks one by URL. To use another database,
//! implement the trait and run the `conformance` suite (a feature of this crate) on it. A backend is supported if it passes
//! the suite.
//!
//! ```
//! use ibyok_storage::{Collection, Error, Expect, Kind, MemoryStore, RecordId, Store};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Error> {
//! let store = MemoryStore::new();
//! let keys = Collection::new(Kind::new(3), *b"aB3dE5gH")?;
//! let id = RecordId::new(keys, [7; 16]);
//!
//! let first = store.put(&id, b"sealed bytes", Expect::Absent).await?;
//! store.put(&id, b"other sealed bytes", Expect::Revision(first)).await?;
//!
//! // Somebody who read the first revision cannot overwrite the second.
//! let late = store.put(&id, b"late", Expect::Revision(first)).await;
//! assert!(matches!(late, Err(Error::Conflict)));
//! assert_eq!(store.list(&keys, None, 100).await?, [id]);
//! # Ok(())
//! # }
//! ```
//!
//! # Out of scope
//!
//! It does not encrypt: callers give it sealed bytes. It knows no names, no tokens and no tenants, only kinds, realm
//! tags and ids. It has no transaction over two records but a batch of writes, no search by content, and no history. It cannot notice that
//! an older copy of the whole store was put back; its user must.
#![forbid(unsafe_code)]

#[cfg(feature = "file")]
mod authenticated;
mod changes;
#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
#[cfg(feature = "file")]
mod file;
mod grouped;
mod health;
mod journal_map;
mod lane;
mod limiter;
mod map;
mod memory;
mod pages;
#[cfg(feature = "postgres")]
mod postgres;
mod record;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "postgres", feature = "redis"))]
mod server;
mod store;
mod url;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

// The public interface is:
#[cfg(feature = "file")]
pub use crate::authenticated::AuthenticatedMap;
pub use crate::changes::{Change, ChangeNumber, Changes};
pub use crate::error::{Error, Result};
#[cfg(feature = "file")]
pub use crate::file::{FileOptions, FileStore};
pub use crate::grouped::GroupedStore;
pub use crate::health::{Durability, Health};
#[cfg(not(feature = "file"))]
pub use crate::journal_map::JournalMap as AuthenticatedMap;
pub use crate::journal_map::JournalMap;
pub use crate::limiter::{Draw, Limiter, Taken};
pub use crate::map::{MapChange, MapDurability, MapKey, MapReadable, MapSummary, MapVerdict, map_files};
pub use crate::memory::MemoryStore;
pub use crate::pages::Pages;
#[cfg(feature = "postgres")]
pub use crate::postgres::{PostgresOptions, PostgresStore};
pub use crate::record::{Collection, Expect, Kind, RecordId, RecordPut, Revision, Stored};
#[cfg(feature = "redis")]
pub use crate::redis::{RedisOptions, RedisStore};
pub use crate::store::{LIST_LIMIT, MAX_RECORD, Store, StoreExt};
pub use crate::url::open;
