//! Realms: (vault, namespace, environment), or (vault, namespace, whole) for what spans environments.
//!
//! A realm has keys of its own, opened through the KEK and kept for the key cache's period only. Everything sealed under a realm
//! yields its realm from the key that opened it, never from its content.

use std::collections::{BTreeMap, BTreeSet, HashMap};
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
use crate::damage::Damage;
use crate::error::{Error, Part, Result};
use crate::model::environment::Attributes;
use crate::model::key_ref::SCHEME;
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace};
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

/// The record that says which realm a tag stands for; in the clear.
pub(crate) fn tag_record(tag: RealmTag) -> RecordId {
    let mut id = [0; 16];
    id.iter_mut().zip(tag.as_bytes()).for_each(|(to, from)| *to = *from);
    RecordId::new(Collection::root(Kind::new(kind::TAG)), id)
}

/// The tag that a tag record's id stands for.
pub(crate) fn tag_of(id: &RecordId) -> Option<RealmTag> {
    let bytes = id.id().first_chunk::<8>()?;
    RealmTag::from_bytes(*bytes).ok()
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

/// Which realm each tag of the store stands for.
#[derive(Debug)]
pub(crate) struct Tags {
    by_tag: HashMap<RealmTag, Arc<RealmName>>,
    names: BTreeSet<Arc<RealmName>>,
    damaged: Vec<RecordId>,
}

impl Tags {
    /// Every tag, and the realm that it stands for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (RealmTag, &Arc<RealmName>)> {
        self.by_tag.iter().map(|(tag, name)| (*tag, name))
    }

    /// The realm that a token's tag stands for, if it stands for any.
    pub(crate) fn name_of(&self, tag: [u8; 8]) -> Option<&Arc<RealmName>> {
        self.by_tag.get(&RealmTag::from_bytes(tag).ok()?)
    }

    /// The records of realms that are damaged: nobody can say which environments they stand for.
    pub(crate) fn damaged(&self) -> &[RecordId] {
        &self.damaged
    }

    /// The error of whoever looks for a realm that is not there while a record of some realm is damaged.
    pub(crate) fn damage(&self) -> Option<Error> {
        let id = self.damaged.first()?;
        let what = format!("the record that names an environment ({id})");
        Some(Error::damaged(what, Damage::DoesNotOpen))
    }

    /// Every realm, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<RealmName>> {
        self.names.iter()
    }
}

/// The realms that a node knows, and those that it holds opened.
#[derive(Debug, Default)]
pub(crate) struct Realms {
    /// Every tag of the store; `None` when it has to be read again.
    tags: RwLock<Option<Arc<Tags>>>,
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
    part: Option<Part>,
    why: String,
}

impl Failure {
    fn of(error: &Error, at: Duration) -> Option<Self> {
        match error {
            Error::Unavailable { part, source } => Some(Failure {
                at,
                part: Some(*part),
                why: source.to_string(),
            }),
            Error::Kek { source } => Some(Failure {
                at,
                part: None,
                why: source.to_string(),
            }),
            _ => None,
        }
    }

    fn error(&self) -> Error {
        match self.part {
            Some(part) => Error::unavailable(part, self.why.clone()),
            None => Error::Kek {
                source: self.why.clone().into(),
            },
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
    /// Which realm a tag stands for. A tag that this store never gave out is told without touching the store.
    pub(crate) async fn realm_by_tag(&self, tag: RealmTag) -> Result<Option<Arc<RealmName>>> {
        let tags = self.tags().await?;
        if tags.damaged.contains(&tag_record(tag)) {
            return tags.damage().map_or(Ok(None), Err);
        }
        Ok(tags.by_tag.get(&tag).cloned())
    }

    /// Whether a list over all environments may lack one, since its record is damaged.
    pub(crate) async fn has_damaged_realms(&self) -> Result<bool> {
        Ok(!self.tags().await?.damaged.is_empty())
    }

    /// Every realm of the store, read once and again after the feed told of a new one.
    pub(crate) async fn tags(&self) -> Result<Arc<Tags>> {
        if let Some(tags) = self.realms.tags.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
            return Ok(Arc::clone(tags));
        }
        let epoch = self.cache.epoch();
        let listed = list_tags(self.vault, self.store.as_ref()).await?;
        listed.damaged.iter().for_each(|id| self.remember_damaged(id));
        let by_tag: HashMap<_, _> = listed
            .names
            .into_iter()
            .map(|(tag, name)| (tag, Arc::new(name)))
            .collect();
        let names = by_tag.values().cloned().collect();
        let tags = Arc::new(Tags {
            by_tag,
            names,
            damaged: listed.damaged,
        });
        let mut kept = self.realms.tags.write().unwrap_or_else(PoisonError::into_inner);
        if self.cache.epoch() == epoch {
            *kept = Some(Arc::clone(&tags));
        }
        Ok(tags)
    }

    /// The realm of a name with its keys opened; `None` if there is no such realm.
    pub(crate) async fn realm(&self, name: &RealmName) -> Result<Option<Arc<Realm>>> {
        let asked = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, asked, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        // Only names that the store has: others must leave nothing behind here.
        if !self.tags().await?.names.contains(name) {
            return Ok(None);
        }
        let lock = self.realms.opening(name);
        let mut failure = lock.lock().await;
        let now = self.clock.elapsed();
        if let Some(realm) = self.realms.held(name, now, self.key_cache_ttl) {
            return Ok(Some(realm));
        }
        if let Some(failed) = failure
            .as_ref()
            .filter(|f| f.at >= asked || now.saturating_sub(f.at) < PAUSE)
        {
            return Err(failed.error());
        }
        let epoch = self.cache.epoch();
        let opened = self.open_realm(name).await;
        *failure = opened
            .as_ref()
            .err()
            .and_then(|error| Failure::of(error, self.clock.elapsed()));
        self.realms.token_keys.note(
            name,
            opened.as_ref().err(),
            self.clock.elapsed(),
            self.token_key_period(),
        );
        let Some(realm) = opened? else { return Ok(None) };
        let realm = Arc::new(realm);
        // One that raced a change is good for this request, and read anew for the next.
        self.realms.keep(&realm, (now, self.key_cache_ttl), &self.cache, epoch);
        Ok(Some(realm))
    }

    async fn open_realm(&self, name: &RealmName) -> Result<Option<Realm>> {
        let opened = read_realm(self.vault, self.store.as_ref(), &self.keyring, name).await?;
        let is_home = name.namespace == self.home.name.namespace;
        Ok(opened.map(|realm| Realm { is_home, ..realm }))
    }
}

/// Reads a realm's one record and opens its keys through the KEK; `None` if there is no such realm. Takes it for one of the home.
pub(crate) async fn read_realm(
    vault: VaultId,
    store: &dyn Store,
    keyring: &Keyring,
    name: &RealmName,
) -> Result<Option<Realm>> {
    let Some(stored) = store.get(&name.record_id(vault)).await? else {
        return Ok(None);
    };
    let what = || format!("the environment key of `{name}`");
    let record = RealmRecord::parse(&stored.bytes).map_err(|error| open_failed(what(), error))?;
    let environment = name.environment.as_ref().map(EnvironmentName::as_str);
    if record.vault() != vault || record.namespace() != name.namespace.as_str() || record.environment() != environment {
        return Err(Error::integrity(what()));
    }
    let opened = record.open(keyring).await.map_err(|error| open_failed(what(), error))?;
    let attributes = serde_json::from_slice(&opened.attributes).map_err(|_| Error::integrity(what()))?;
    Ok(Some(Realm {
        name: name.clone(),
        keys: opened.keys,
        attributes,
        kek: opened.kek.to_string(),
        is_home: true,
    }))
}

/// How many ids are listed at a time.
pub(crate) const PAGE: usize = 500;

/// The realms of a store.
#[derive(Debug, Default)]
pub(crate) struct TagList {
    /// By their tags.
    pub(crate) names: BTreeMap<RealmTag, RealmName>,
    /// Tag records that cannot be read, and environment key records that no tag names.
    pub(crate) damaged: Vec<RecordId>,
}

/// Every realm of a store by its tag.
pub(crate) async fn list_tags(vault: VaultId, store: &dyn Store) -> Result<TagList> {
    // Before the tags: a realm's tag is put first, so that each of these has its own by now.
    let mut unnamed: BTreeSet<RecordId> = list_root(store, kind::REALM).await?.into_iter().collect();
    let mut listed = TagList::default();
    for id in list_root(store, kind::TAG).await? {
        let Some(stored) = store.get(&id).await? else { continue };
        match (tag_of(&id), TagBody::parse(&stored.bytes)) {
            (Some(tag), Some(name)) => {
                unnamed.remove(&name.record_id(vault));
                listed.names.insert(tag, name);
            }
            _ => listed.damaged.push(id),
        }
    }
    // A tag that was changed into another name leaves the record of its realm behind. One that cannot be read does so as well,
    // and is damage enough.
    if listed.damaged.is_empty() {
        listed.damaged.extend(unnamed);
    }
    Ok(listed)
}

/// The ids of the vault's own records of a kind.
pub(crate) async fn list_root(store: &dyn Store, kind: u8) -> Result<Vec<RecordId>> {
    let collection = Collection::root(Kind::new(kind));
    let mut ids: Vec<RecordId> = Vec::new();
    loop {
        let page = store.list(&collection, ids.last(), PAGE).await?;
        let ended = page.len() < PAGE;
        ids.extend(page);
        if ended {
            return Ok(ids);
        }
    }
}

/// The clear body of a tag record.
#[derive(serde::Serialize, serde::Deserialize)]
pub(crate) struct TagBody {
    namespace: Namespace,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentName>,
}

impl TagBody {
    pub(crate) fn print(name: &RealmName) -> Vec<u8> {
        let body = TagBody {
            namespace: name.namespace.clone(),
            environment: name.environment.clone(),
        };
        // Two strings always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    fn parse(bytes: &[u8]) -> Option<RealmName> {
        let body: TagBody = serde_json::from_slice(bytes).ok()?;
        Some(RealmName {
            namespace: body.namespace,
            environment: body.environment,
        })
    }
}

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
        Crypto::UnsupportedFormat { .. } => Error::invalid(
            format!("{what} has a format that this program does not know"),
            "open it with a newer version of IBYOK",
        ),
        _ => Error::integrity(what),
    }
}
