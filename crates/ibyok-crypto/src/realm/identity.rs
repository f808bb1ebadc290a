//! The identity of a realm.

use crate::kek::KekContext;
use crate::place::{SealedPlace, WHOLE};
use crate::{Error, RealmTag, VaultId};

/// The most bytes of a namespace's or an environment's name.
pub(super) const NAME_LIMIT: usize = 255;

/// The identity of a realm: its vault, tag and namespace, and its environment unless it spans them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RealmIdentity {
    vault: VaultId,
    tag: RealmTag,
    namespace: String,
    environment: Option<String>,
}

impl RealmIdentity {
    /// Returns the realm of these names; `environment` is `None` for the one that spans environments.
    ///
    /// # Errors
    /// [`Error::InvalidName`] if a name is empty or over 255 bytes, or an environment is called `whole`. The caller
    /// decides about any other rule for names.
    pub fn new(vault: VaultId, tag: RealmTag, namespace: &str, environment: Option<&str>) -> Result<Self, Error> {
        if namespace.is_empty() || namespace.len() > NAME_LIMIT {
            return Err(Error::InvalidName { what: "namespace" });
        }
        if environment.is_some_and(|name| name.is_empty() || name.len() > NAME_LIMIT || name == WHOLE) {
            return Err(Error::InvalidName { what: "environment" });
        }
        Ok(Self {
            vault,
            tag,
            namespace: namespace.to_owned(),
            environment: environment.map(str::to_owned),
        })
    }

    /// The vault.
    #[must_use]
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// The tag, unique in the store.
    #[must_use]
    pub const fn tag(&self) -> RealmTag {
        self.tag
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The environment, if it is one.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// Returns the context to which a KEK binds this realm's keys.
    #[must_use]
    pub fn kek_context(&self) -> KekContext {
        KekContext::new(self.vault, &self.namespace, self.environment())
    }

    /// The place of a record of this realm.
    #[must_use]
    pub fn place(&self, kind: u8, record: [u8; 16]) -> SealedPlace<'_> {
        SealedPlace::new(
            self.vault,
            self.tag,
            kind,
            record,
            &self.namespace,
            self.environment_word(),
        )
    }

    pub(super) fn environment_word(&self) -> &str {
        self.environment().unwrap_or(WHOLE)
    }

    pub(super) fn holds(&self, place: &SealedPlace<'_>) -> bool {
        (place.vault, place.realm, place.namespace, place.environment)
            == (self.vault, self.tag, self.namespace(), self.environment_word())
    }
}
