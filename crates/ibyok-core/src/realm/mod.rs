//! Realms: (vault, namespace, environment), or (vault, namespace, whole) for records that span environments.
//!
//! A realm has its own keys, opened through the KEK and kept for the key cache's period only. Everything sealed under a realm
//! yields its realm from the key that opened it, never from its content.

pub(crate) mod generations;
pub(crate) mod log_keys;
pub(crate) mod make;
pub(crate) mod removal;
pub(crate) mod reseal;
pub(crate) mod rewrap;
pub(crate) mod tags;
pub(crate) mod token_keys;
pub(crate) mod vault_record;

use std::fmt;

use ibyok_crypto::{Keyring, RealmKeys, RealmRecord, RealmTag, SealedPlace, VaultId, cut};
use ibyok_policy::{RealmScope, TokenId};
use ibyok_storage::{Collection, Kind, RecordId, Store};
use sha2::{Digest, Sha256};

use crate::base::damage::Affected;
pub(crate) use crate::base::error::open_failed;
use crate::base::error::{Error, MissingKek, Result};
use crate::model::REV_MAX;
use crate::model::environment::Attributes;
use crate::model::key_info::KeyAt;
use crate::model::key_ref::SCHEME;
use crate::model::kind;
use crate::model::name::{EnvironmentName, KeyId, KeyName, Namespace};

/// The word that replaces the environment of a realm that spans them. It is reserved, so that no environment has this
/// name.
pub(crate) const WHOLE: &str = "whole";

/// The name of a realm. `environment` is `None` for the realm that spans the environments of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct RealmName {
    pub(crate) namespace: Namespace,
    pub(crate) environment: Option<EnvironmentName>,
}

impl RealmName {
    pub(crate) fn environment_word(&self) -> &str {
        self.environment.as_ref().map_or(WHOLE, EnvironmentName::as_str)
    }

    /// The id of the realm's one environment key record: found by name with one read.
    pub(crate) fn record_id(&self, vault: VaultId) -> RecordId {
        let mut hash = Sha256::new();
        hash.update(b"ibyok realm v1");
        hash.update(vault.as_bytes());
        for part in [self.namespace.as_str(), self.environment_word()] {
            // A name is at most 63 bytes, so one byte holds its length.
            hash.update([u8::try_from(part.len()).unwrap_or(u8::MAX)]);
            hash.update(part.as_bytes());
        }
        let digest: [u8; 32] = hash.finalize().into();
        RecordId::new(Collection::root(Kind::new(kind::REALM)), cut(digest))
    }
}

impl RealmName {
    /// The environment as errors name it: with its namespace, unless that is the default one.
    pub(crate) fn in_words(&self) -> String {
        match self.namespace == Namespace::default() {
            true => self.environment_word().to_owned(),
            false => self.to_string(),
        }
    }

    /// Parses the text that its `Display` writes.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (namespace, environment) = text.split_once('/')?;
        Some(RealmName {
            namespace: namespace.parse().ok()?,
            environment: match environment {
                WHOLE => None,
                name => Some(name.parse().ok()?),
            },
        })
    }
}

impl fmt::Display for RealmName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.environment_word())
    }
}

/// An opened realm.
#[derive(Debug)]
pub(crate) struct Realm {
    pub(crate) name: RealmName,
    pub(crate) keys: RealmKeys,
    pub(crate) attributes: Attributes,
    /// The revision of its record, which counts the makings and removals of its name.
    pub(crate) rev: u64,
    pub(crate) kek: String,
    /// The digest of its record as it opened.
    pub(crate) digest: [u8; 32],
    /// The number of changes of environment key records that the node knew when it opened this one.
    pub(crate) as_of: u64,
    /// True if its namespace is the vault's home, which references leave out.
    pub(crate) is_home: bool,
}

impl Realm {
    /// The reference of a key of this realm's environment, as results and errors show it: `prod/openai`, and for a namespace that
    /// is not the vault's home `ibyok://acme/prod/openai`.
    pub(crate) fn reference(&self, key: impl fmt::Display) -> String {
        self.reference_in(self.name.environment_word(), key)
    }

    /// The reference of a key of any environment of this realm's namespace.
    pub(crate) fn reference_in(&self, environment: impl fmt::Display, key: impl fmt::Display) -> String {
        if self.is_home {
            format!("{environment}/{key}")
        } else {
            format!("{SCHEME}{}/{environment}/{key}", self.name.namespace)
        }
    }

    /// Returns the place of a key of an environment of this realm.
    pub(crate) fn key_at<'a>(&'a self, environment: &'a EnvironmentName, key: &KeyName, id: KeyId) -> KeyAt<'a> {
        KeyAt {
            reference: self.reference_in(environment, key),
            id,
            namespace: &self.name.namespace,
            environment,
        }
    }

    pub(crate) fn tag(&self) -> RealmTag {
        self.keys.identity().tag()
    }

    /// True if this is the realm of that environment.
    pub(crate) fn is(&self, namespace: &Namespace, environment: &EnvironmentName) -> bool {
        self.name.environment.as_ref() == Some(environment) && self.name.namespace == *namespace
    }

    pub(crate) fn collection(&self, kind: u8) -> Result<Collection> {
        Ok(Collection::new(Kind::new(kind), *self.tag().as_bytes())?)
    }

    pub(crate) fn record(&self, kind: u8, id: [u8; 16]) -> Result<RecordId> {
        Ok(RecordId::new(self.collection(kind)?, id))
    }

    /// The place of a record of this realm: the source of its associated data.
    pub(crate) fn place(&self, id: &RecordId) -> SealedPlace<'_> {
        let identity = self.keys.identity();
        SealedPlace::new(
            identity.vault(),
            identity.tag(),
            id.collection().kind().as_u8(),
            *id.id(),
            self.name.namespace.as_str(),
            self.name.environment_word(),
        )
    }

    pub(crate) fn scope(&self) -> RealmScope<'_> {
        RealmScope {
            namespace: self.name.namespace.as_str(),
            environment: self.name.environment.as_ref().map(EnvironmentName::as_str),
        }
    }
}

/// Reads a realm's one record and opens its keys through the KEK; `None` if there is no such realm. Takes it for one of the home.
pub(crate) async fn read_realm(
    vault: VaultId,
    store: &dyn Store,
    keyring: &Keyring,
    name: &RealmName,
) -> Result<Option<Realm>> {
    let id = name.record_id(vault);
    let stored = store.get(&id).await;
    match stored.map_err(|error| Error::from(error).about(Affected::Environment))? {
        None => Ok(None),
        Some(stored) => open_stored(vault, keyring, name, (&id, &stored.bytes))
            .await
            .map(Some)
            .map_err(|error| error.about(Affected::Environment)),
    }
}

/// The record of a realm, as errors name it.
pub(crate) fn environment_key(name: &RealmName, id: &RecordId) -> String {
    format!("the environment key of `{name}` ({id})")
}

pub(crate) async fn open_stored(
    vault: VaultId,
    keyring: &Keyring,
    name: &RealmName,
    (id, bytes): (&RecordId, &[u8]),
) -> Result<Realm> {
    let what = || environment_key(name, id);
    let record = RealmRecord::parse(bytes).map_err(|error| open_failed(what(), error))?;
    let environment = name.environment.as_ref().map(EnvironmentName::as_str);
    if record.vault() != vault || record.namespace() != name.namespace.as_str() || record.environment() != environment {
        return Err(Error::integrity(what()));
    }
    let opened = record.open(keyring).await;
    let opened = opened.map_err(|error| not_opened(name, what(), error))?;
    let attributes = serde_json::from_slice(&opened.attributes).map_err(|_| Error::integrity(what()))?;
    if opened.rev > REV_MAX {
        return Err(Error::integrity(what()));
    }
    Ok(Realm {
        name: name.clone(),
        keys: opened.keys,
        attributes,
        rev: opened.rev,
        kek: opened.kek.to_string(),
        digest: Sha256::digest(bytes).into(),
        as_of: 0,
        is_home: true,
    })
}

/// The error of a realm that does not open. A KEK that this node lacks for one environment is named with the environment.
pub(crate) fn not_opened(name: &RealmName, what: String, error: ibyok_crypto::Error) -> Error {
    match (&name.environment, error) {
        (Some(_), ibyok_crypto::Error::UnknownKek { named }) => Error::Kek {
            source: MissingKek {
                environment: name.in_words(),
                kek: named,
            }
            .into(),
        },
        (_, error) => open_failed(what, error),
    }
}

/// The id of a token, from its record's.
pub(crate) fn token_id(realm: &Realm, id: [u8; 16]) -> Result<TokenId> {
    TokenId::new(*realm.tag().as_bytes(), id).map_err(|_| Error::integrity("a realm's tag"))
}

/// The backend of a store that is a file: it belongs to one machine.
pub(crate) const FILE: &str = "file";
