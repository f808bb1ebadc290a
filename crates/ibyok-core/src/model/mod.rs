//! The nouns of the vault: validated names, references, and the records that are sealed in the store.

pub(crate) mod account;
pub(crate) mod attestation;
pub(crate) mod caller_kind;
pub(crate) mod condition;
pub(crate) mod environment;
pub(crate) mod guardrails;
pub(crate) mod incident;
pub(crate) mod interval;
pub(crate) mod key;
pub(crate) mod key_info;
pub(crate) mod key_life;
pub(crate) mod key_ref;
pub(crate) mod leaked;
pub(crate) mod limit;
pub(crate) mod mode;
pub(crate) mod name;
pub(crate) mod provider;
pub(crate) mod record_kind;
pub(crate) mod review;
pub(crate) mod scoped;
pub(crate) mod settings;
pub(crate) mod take_away;
pub(crate) mod token;
pub(crate) mod token_ref;
pub(crate) mod typed;
pub(crate) mod variable;
pub(crate) mod version;
pub(crate) mod which_version;
pub(crate) mod write;

/// The kinds of records that the vault stores. Each is the one byte that is in the clear in the store and in the
/// header of each sealed record.
pub(crate) mod kind {
    /// The vault's own record, in the clear: its id and format.
    pub(crate) const VAULT: u8 = 0;
    /// Environment key record of a realm.
    pub(crate) const REALM: u8 = 1;
    /// Realm tag, in the clear: the namespace and environment that a tag belongs to.
    pub(crate) const TAG: u8 = 2;
    /// A provider's key with its versions.
    pub(crate) const KEY: u8 = 3;
    /// An access token's record.
    pub(crate) const TOKEN: u8 = 4;
    /// Settings of an environment: one record a realm.
    pub(crate) const SETTINGS: u8 = 5;
    /// The private half of an audit log's key.
    pub(crate) const LOG_KEY: u8 = 6;
    /// Reviews of the audit log and the acknowledgements of their findings: one record a namespace.
    pub(crate) const REVIEW: u8 = 7;
    /// An incident.
    pub(crate) const INCIDENT: u8 = 8;
    /// The attestations of people: one record a namespace.
    pub(crate) const ATTESTATION: u8 = 9;
    /// The mark of a value that leaked, found by its keyed fingerprint.
    pub(crate) const LEAKED: u8 = 10;
    /// The tombstone of a realm that was removed.
    pub(crate) const REMOVED: u8 = 11;
    /// The uses of a key on a day, as one node counted them; outside the change feed.
    pub(crate) const KEY_USE: u8 = 128;
    /// The last checkpoint of an audit log; outside the change feed.
    pub(crate) const CHECKPOINT: u8 = 129;
    /// A node's sign of life in a realm; outside the change feed.
    pub(crate) const SIGN: u8 = 130;
    /// The uses of a token on a day, as one node counted them; outside the change feed.
    pub(crate) const TOKEN_USE: u8 = 131;
    /// The kinds of records of no realm, without the vault's own record: tags first, by which realms are found.
    pub(crate) const OF_ROOT: [u8; 3] = [TAG, REALM, REMOVED];
    /// The kinds of records that any realm may have, for backups and copies.
    pub(crate) const OF_ANY_REALM: [u8; 12] = [
        KEY,
        TOKEN,
        SETTINGS,
        LOG_KEY,
        REVIEW,
        INCIDENT,
        ATTESTATION,
        LEAKED,
        KEY_USE,
        CHECKPOINT,
        SIGN,
        TOKEN_USE,
    ];
    /// The kinds of records in the collections of any tenant's realm. Keys and checkpoints of logs are in the realms
    /// of nodes' homes alone.
    pub(crate) const OF_REALMS: [u8; 10] = [
        KEY,
        TOKEN,
        SETTINGS,
        REVIEW,
        INCIDENT,
        ATTESTATION,
        LEAKED,
        KEY_USE,
        SIGN,
        TOKEN_USE,
    ];
}

/// The highest revision of a record. A record with a higher one is damaged: only a holder of the environment's keys can have sealed
/// it, and the file of floors could not keep its floor.
pub(crate) const REV_MAX: u64 = 1 << 62;

/// Opaque sealed bytes inside a record, as base64 in its JSON.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Sealed(pub(crate) Vec<u8>);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

impl serde::Serialize for Sealed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&data_encoding::BASE64.encode(&self.0))
    }
}

impl<'de> serde::Deserialize<'de> for Sealed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        data_encoding::BASE64
            .decode(text.as_bytes())
            .map(Sealed)
            .map_err(|_| serde::de::Error::custom("not base64"))
    }
}
