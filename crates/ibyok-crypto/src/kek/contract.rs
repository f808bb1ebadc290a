//! The trait that every KEK implements.

use std::fmt::Debug;

use async_trait::async_trait;

use super::context::KekContext;
use super::wrapped::{KekDescription, KekId, WrappedKey};
use crate::{EnvironmentKey, Error};

/// A key-encryption key: wraps environment keys and unwraps them.
///
/// # Contract
/// - `unwrap` opens the result of `wrap` under an equal context, for as long as the KEK exists and after any restart.
/// - Under another context, or with any byte changed or missing, `unwrap` refuses. It never returns a key that was not wrapped.
/// - The wrapped bytes reveal nothing about the key.
/// - The [`KekId`] in a wrapped key is one that this KEK, and no other, accepts (for a passphrase: that only the right one opens).
/// - `unwrap` of a key that names a KEK which this one does not accept refuses without using the key material or calling any service.
///
/// # Errors
/// [`Error::Open`] for bytes that do not open, [`Error::UnknownKek`] for another's, [`Error::KekDenied`] or (of a key service)
/// [`Error::KekRefused`] for a refusal that will stay, [`Error::KekUnavailable`] for a failure that may pass, and [`Error::KekAnswer`] for an
/// answer that cannot be right. No message holds key bytes.
///
/// # Cancellation
/// Dropping the future cancels the call and changes nothing else.
///
/// # Writing your own
/// Bind the whole of [`KekContext::encryption_context`]. Read the key's bytes with `secrecy::ExposeSecret`, and hand them back through
/// [`EnvironmentKey::init_with_mut`]. Then run the suite of the feature `conformance` over it.
#[async_trait]
pub trait Kek: Debug + Send + Sync {
    /// Wraps a key for a context.
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error>;

    /// Opens the result of `wrap` under an equal context.
    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error>;

    /// Returns a description of the KEK, for people. Never holds a secret, and never calls a service.
    fn describe(&self) -> KekDescription;

    /// Returns true if a wrapped key of this id is for this KEK to unwrap. Never calls a service.
    fn accepts(&self, id: &KekId) -> bool;
}
