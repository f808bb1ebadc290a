//! A key as a person names it.

use ibyok_core::{
    KeyRef,
    keys::{FieldName, KeyId, WhichVersion},
};

use crate::error::Result;
use crate::{Access, Fetched};

/// A key as a person names it: a reference, or an id.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a key has no other names")]
pub enum KeyArgument {
    /// A reference: `env/name` or `ibyok://…`.
    Reference(KeyRef),
    /// An id: `key_…`.
    Id(KeyId),
}

impl std::str::FromStr for KeyArgument {
    type Err = ibyok_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(KeyArgument::Id(id));
        }
        text.parse().map(KeyArgument::Reference)
    }
}

impl KeyArgument {
    /// Returns the reference of the key.
    ///
    /// # Errors
    /// As [`Access::find`].
    pub async fn resolve(&self, access: &dyn Access) -> Result<KeyRef> {
        match self {
            KeyArgument::Reference(key) => Ok(key.clone()),
            KeyArgument::Id(id) => access.find(id).await,
        }
    }

    /// Retrieves the value of the key: of the given version and field, else of those in the reference.
    ///
    /// # Errors
    /// As [`Access::retrieve`].
    pub async fn retrieve(
        &self,
        access: &dyn Access,
        version: Option<WhichVersion>,
        field: Option<FieldName>,
    ) -> Result<Fetched> {
        match self {
            KeyArgument::Reference(key) => {
                let version = version.unwrap_or(key.version());
                let field = field.or_else(|| key.field().cloned());
                access
                    .retrieve(&key.clone().at_version(version).with_field(field))
                    .await
            }
            KeyArgument::Id(id) => access.retrieve_by_id(id, version.unwrap_or_default(), field).await,
        }
    }
}
