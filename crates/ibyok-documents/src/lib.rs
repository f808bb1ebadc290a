//! The things of an IBYOK vault as documents of the server's interface.
//!
//! `ibyok-core` does not know the wire, and [`ibyok_api`] does not know the vault: the conversions between them are here.
//!
//! ```
//! use ibyok_api as api;
//! use ibyok_core::modes::Mode;
//! use ibyok_documents::Documented;
//!
//! assert_eq!(Mode::Mock.document(), api::Mode::Mock);
//! ```
//!
//! # Out of scope
//! Documents of requests: the server checks a request before it becomes one of the vault.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod incidents;
mod keys;
mod reviews;
mod rotations;
mod tokens;
mod usage;

use ibyok_api as api;
use ibyok_core as core;

// The public interface is:
pub use keys::rate;

/// A thing of a vault that has a document of the wire.
pub trait Documented {
    /// The document.
    type Document;

    /// Makes the document.
    fn document(self) -> Self::Document;
}

impl<T: Documented> Documented for Vec<T> {
    type Document = Vec<T::Document>;

    fn document(self) -> Self::Document {
        self.into_iter().map(T::document).collect()
    }
}

impl<T: Documented> Documented for Option<T> {
    type Document = Option<T::Document>;

    fn document(self) -> Self::Document {
        self.map(T::document)
    }
}

impl<T: Documented> Documented for core::pages::Page<T> {
    type Document = api::Page<T::Document>;

    fn document(self) -> Self::Document {
        api::Page {
            items: self.items.document(),
            next: self.next,
            damaged: self.damaged.document(),
            incomplete: self.incomplete,
        }
    }
}

impl Documented for core::status::DamagedRecord {
    type Document = api::DamagedRecord;

    fn document(self) -> Self::Document {
        api::DamagedRecord {
            kind: self.kind.to_string(),
            id: self.id,
            record: self.record,
            environment: self.environment.map(|name| name.to_string()),
            damaged: self.damaged.as_str().into(),
        }
    }
}

/// The texts of things that are shown by their text.
fn texts<T: ToString>(things: impl IntoIterator<Item = T>) -> Vec<String> {
    things.into_iter().map(|thing| thing.to_string()).collect()
}

/// A count; no count of things in memory is larger than 64 bits.
fn count(things: usize) -> u64 {
    u64::try_from(things).unwrap_or(u64::MAX)
}
