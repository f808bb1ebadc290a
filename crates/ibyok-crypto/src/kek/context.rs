//! The context to which a wrapped environment key is bound.

use std::collections::BTreeMap;

use crate::VaultId;
use crate::place::WHOLE;

/// The context to which a wrapped environment key is bound. A rewrap changes none of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KekContext {
    vault: VaultId,
    namespace: String,
    environment: Option<String>,
}

impl KekContext {
    /// The context of a realm; `environment` is `None` for the one that spans environments.
    #[must_use]
    pub fn new(vault: VaultId, namespace: &str, environment: Option<&str>) -> Self {
        Self {
            vault,
            namespace: namespace.to_owned(),
            environment: environment.map(str::to_owned),
        }
    }

    /// The vault.
    #[must_use]
    pub const fn vault(&self) -> VaultId {
        self.vault
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

    /// The pairs that a KMS binds: `vault`, `namespace`, and `environment` or `realm=whole`.
    #[must_use]
    pub fn encryption_context(&self) -> BTreeMap<String, String> {
        let realm = self
            .environment
            .as_ref()
            .map_or(("realm", WHOLE), |name| ("environment", name));
        let vault = self.vault.to_string();
        [("vault", vault.as_str()), ("namespace", &self.namespace), realm]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }
}
