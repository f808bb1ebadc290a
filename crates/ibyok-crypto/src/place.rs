//! The place of a record: the source of its header and associated data.

use crate::{RealmTag, VaultId};

/// The kind byte of environment key records and of the keys that KEKs wrap for them.
pub(crate) const ENVIRONMENT_KEY_RECORD: u8 = 1;

/// The word for the environment of a realm that spans environments.
pub(crate) const WHOLE: &str = "whole";

/// The place of sealed bytes. Bytes sealed at one place open at no other.
///
/// The header stores vault, realm, kind and record. It does not store namespace, environment, version and field: the
/// caller must give the same ones to open the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedPlace<'a> {
    pub(crate) vault: VaultId,
    pub(crate) realm: RealmTag,
    pub(crate) kind: u8,
    pub(crate) record: [u8; 16],
    pub(crate) namespace: &'a str,
    pub(crate) environment: &'a str,
    pub(crate) version: u32,
    pub(crate) field: &'a str,
}

impl<'a> SealedPlace<'a> {
    /// The place of a record as a whole: version 0 and no field. `environment` is `whole` in the realm that spans environments.
    #[must_use]
    pub const fn new(
        vault: VaultId,
        realm: RealmTag,
        kind: u8,
        record: [u8; 16],
        namespace: &'a str,
        environment: &'a str,
    ) -> Self {
        Self {
            vault,
            realm,
            kind,
            record,
            namespace,
            environment,
            version: 0,
            field: "",
        }
    }

    /// The same, for one version of it.
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// The same, for one field of it.
    #[must_use]
    pub const fn field(mut self, field: &'a str) -> Self {
        self.field = field;
        self
    }
}
