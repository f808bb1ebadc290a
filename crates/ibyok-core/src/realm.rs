//! Realms: (vault, namespace, environment), or (vault, namespace, whole) for what spans environments.
//!
//! A realm has keys of its own, opened through the KEK and kept for the key cache's period only. Everything sealed under a realm
//! yields its realm from the key that opened it, never from its content.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ibyok_crypto::{Keyring, Place, RealmKeys, RealmRecord, RealmTag, VaultId};
use ibyok_policy::RealmScope;
use ibyok_storage::{Collection, Kind, RecordId, Store};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex as AsyncMutex;

use crate::cache::RecordCache;
use crate::clock::Clock;
use crate::damage::{Affected, Damage};
use crate::error::{Error, Part, Result};
use crate::model::environment::Attributes;
use crate::model::key_ref::SCHEME;
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
use crate::tags::Tags;
use crate::token_keys::TokenKeys;
use crate::vault::Inner;

/// The word that stands for "spans environments" where an environment would; reserved, so that no environment is called so.
pub(crate) const WHOLE: &str = "whole";

/// Which realm, by name. `environment` is `None` for the realm that spans them.
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
        let digest = hash.finalize();
        let mut id = [0; 16];
        id.iter_mut().zip(digest.iter()).for_each(|(to, from)| *to = *from);
        RecordId::new(Collection::root(Kind::new(kind::REALM)), id)
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
    pub(crate) kek: String,
    /// Whether its namespace is the vault's home, which references leave out.
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

    pub(crate) fn tag(&self) -> RealmTag {
        self.keys.identity().tag()
    }

    /// Whether this is the realm of an environment.
    pub(crate) fn is(&self, namespace: &Namespace, environment: &EnvironmentName) -> bool {
        self.name.environment.as_ref() == Some(environment) && self.name.namespace == *namespace
    }

    pub(crate) fn collection(&self, kind: u8) -> Result<Collection> {
        Ok(Collection::new(Kind::new(kind), *self.tag().as_bytes())?)
    }

    pub(crate) fn record(&self, kind: u8, id: [u8; 16]) -> Result<RecordId> {
        Ok(RecordId::new(self.collection(kind)?, id))
    }

    /// Where a record of this realm lives: the source of its associated data.
    pub(crate) fn place(&self, id: &RecordId) -> Place<'_> {
        let identity = self.keys.identity();
        Place::new(
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

/// The realms that a node knows, and those that it holds opened.
#[derive(Debug, Default)]
pub(crate) struct Realms {
    /// Every tag of the store; `None` when it has to be read again.
    pub(crate) tags: RwLock<Option<Arc<Tags>>>,
    /// Opened realms, and since when.
    opened: RwLock<HashMap<RealmName, (Arc<Realm>, Duration)>>,
    /// One lock a realm, so that however many requests wait there is one call to the KEK; under it, how the last one failed.
    opening: Mutex<HashMap<RealmName, Arc<AsyncMutex<Option<Failure>>>>>,
    /// What tells a stranger from the holder of a token, apart from the opened realms.
    pub(crate) token_keys: TokenKeys,
}

/// How long a KEK that failed is left alone.
const PAUSE: Duration = Duration::from_millis(200);

/// How opening a realm failed, for everybody who waited for the same call and for those who come right after.
#[derive(Debug)]
struct Failure {
    at: Duration,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unavailable(Part, String),
    Kek(String),
    /// A damaged record: whoever asks for it again must not cost a KMS a call each time.
    Damaged(String, Damage),
}

impl Failure {
    fn of(error: &Error, at: Duration) -> Option<Self> {
        let why = match error {
            Error::Unavailable { part, source } => Why::Unavailable(*part, source.to_string()),
            Error::Kek { source } => Why::Kek(source.to_string()),
            Error::Integrity { what, damage, .. } => Why::Damaged(what.clone(), *damage),
            _ => return None,
        };
        Some(Failure { at, why })
    }

    /// Says whether it still holds for somebody who asked at `asked`. What was damaged stays so until the record changes, which the
    /// feed tells.
    fn holds(&self, asked: Duration, now: Duration, period: Duration) -> bool {
        let pause = match self.why {
            Why::Unavailable(..) | Why::Kek(_) => PAUSE,
            Why::Damaged(..) => period,
        };
        self.at >= asked || now.saturating_sub(self.at) < pause
    }

    fn error(&self) -> Error {
        match &self.why {
            Why::Unavailable(part, why) => Error::unavailable(*part, why.clone()),
            Why::Kek(why) => Error::Kek {
                source: why.clone().into(),
            },
            Why::Damaged(what, damage) => Error::damaged(what.clone(), *damage).about(Affected::Environment),
        }
    }
}

impl Realms {
    pub(crate) fn forget_all(&self) {
        self.forget_tags();
        self.forget_keys();
    }

    pub(crate) fn forget_tags(&self) {
        *self.tags.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Drops every opened realm, and how opening failed, after an environment key record changed: its id does not tell whose it is.
    pub(crate) fn forget_keys(&self) {
        self.opening.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.token_keys.forget_all();
        self.opened.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn held(&self, name: &RealmName, now: Duration, period: Duration) -> Option<Arc<Realm>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let (realm, since) = opened.get(name)?;
        (now.saturating_sub(*since) < period).then(|| Arc::clone(realm))
    }

    /// Keeps an opened realm, unless something was invalidated since `epoch`: those that invalidate clear this afterwards.
    fn keep(&self, realm: &Arc<Realm>, (since, period): (Duration, Duration), cache: &RecordCache, epoch: u64) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        if cache.epoch() == epoch {
            self.token_keys.keep(realm, since);
            // Without a period the environment's keys are wiped after this request.
            if !period.is_zero() {
                opened.insert(realm.name.clone(), (Arc::clone(realm), since));
            }
        }
    }

    fn opening(&self, name: &RealmName) -> Arc<AsyncMutex<Option<Failure>>> {
        let mut opening = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        // Only names of the store's own tags get here, so this stays as small as the number of realms.
        Arc::clone(opening.entry(name.clone()).or_default())
    }

    /// How a realm last failed to open, if it did.
    pub(crate) async fn last_failure(&self, name: &RealmName) -> Option<Error> {
        let lock = self.opening(name);
        let failure = lock.lock().await;
        failure.as_ref().map(Failure::error)
    }

    /// Drops what has been held for its whole period, so that idle nodes hold no keys.
    pub(crate) fn expire(&self, now: Duration, period: Duration) {
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.retain(|_, (_, since)| now.saturating_sub(*since) < period);
    }
}

impl Inner {
    /// The realm of a name with its keys opened; `None` if there is no such realm.
    pub(crate) async fn realm(&self, name: &RealmName) -> Result<Option<Arc<Realm>>> {
        let asked = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, asked, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        // Only names that the store has: others must leave nothing behind here.
        if !self.tags().await?.has(name) {
            return Ok(None);
        }
        let lock = self.realms.opening(name);
        let mut failure = lock.lock().await;
        let now = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, now, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        let period = self.token_key_period();
        if let Some(failed) = failure.as_ref().filter(|failure| failure.holds(asked, now, period)) {
            return Err(failed.error());
        }
        let epoch = self.cache.epoch();
        let opened = self.open_realm(name).await;
        self.note_damage(&name.record_id(self.vault), opened.as_ref().err());
        *failure = opened
            .as_ref()
            .err()
            .and_then(|error| Failure::of(error, self.clock.elapsed()));
        self.realms
            .token_keys
            .note(name, opened.as_ref().err(), self.clock.elapsed(), period);
        let Some(realm) = opened? else { return Ok(None) };
        let realm = Arc::new(realm);
        // One that raced a change is good for this request, and read anew for the next.
        self.realms.keep(&realm, (now, self.key_cache_ttl), &self.cache, epoch);
        Ok(Some(realm))
    }

    async fn open_realm(&self, name: &RealmName) -> Result<Option<Realm>> {
        let mut opened = self.read_realm(name).await?;
        // Its record may come after its tag, and goes before it: only then a tag that is finished stands for a record that is lost.
        if opened.is_none() && self.is_made(name).await? {
            opened = self.read_realm(name).await?;
            if opened.is_none() {
                let id = name.record_id(self.vault);
                return Err(Error::damaged(environment_key(name, &id), Damage::Missing).about(Affected::Environment));
            }
        }
        let is_home = name.namespace == self.home.name.namespace;
        Ok(opened.map(|realm| Realm { is_home, ..realm }))
    }

    async fn read_realm(&self, name: &RealmName) -> Result<Option<Realm>> {
        read_realm(self.vault, self.store.as_ref(), &self.keyring, name).await
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
fn environment_key(name: &RealmName, id: &RecordId) -> String {
    format!("the environment key of `{name}` ({id})")
}

async fn open_stored(
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
    let opened = record.open(keyring).await.map_err(|error| open_failed(what(), error))?;
    let attributes = serde_json::from_slice(&opened.attributes).map_err(|_| Error::integrity(what()))?;
    Ok(Realm {
        name: name.clone(),
        keys: opened.keys,
        attributes,
        kek: opened.kek.to_string(),
        is_home: true,
    })
}

/// How many ids are listed at a time.
pub(crate) const PAGE: usize = 500;

/// What failing to open means: damage is an integrity error, a KEK that does not answer is unavailable.
pub(crate) fn open_failed(what: String, error: ibyok_crypto::Error) -> Error {
    use ibyok_crypto::Error as Crypto;
    match error {
        Crypto::KekUnavailable { .. } | Crypto::KekAnswer { .. } => Error::unavailable(Part::Kek, error),
        Crypto::UnknownKek { .. }
        | Crypto::KekDenied { .. }
        | Crypto::KekRefused { .. }
        | Crypto::KekUnusable { .. }
        | Crypto::KekFile { .. }
        | Crypto::KekFileAccess { .. }
        | Crypto::KekSize => Error::Kek { source: error.into() },
        Crypto::Random => Error::unavailable(Part::Kek, error),
        Crypto::UnsupportedFormat { .. } => Error::damaged(what, Damage::UnknownFormat),
        _ => Error::integrity(what),
    }
}
