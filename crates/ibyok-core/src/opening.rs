//! What opening a vault needs before there is one: its home realm, and its audit log with the log's key.

use std::path::Path;
use std::sync::Arc;

use ibyok_audit::{
    FileSink, LineKey, Log, LogBuilder, LogPlace, Principal as Who, PrincipalKind, SigningKey, VerifyingKey,
    claimed_keys, has_own_lines, logs_in,
};
use ibyok_crypto::{Keyring, RealmIdentity, RealmKeys, RealmTag, VaultId};
use ibyok_storage::{Collection, Expect, Kind, RecordId, Store};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretBox};

use crate::damage::{Affected, Damage};
use crate::error::{Error, Part, Result};
use crate::model::environment::{Attributes, Class};
use crate::model::kind;
use crate::model::name::{EnvironmentName, Namespace, from_base62};
use crate::realm::{Realm, RealmName, open_failed, read_realm};
use crate::tags::{TagBody, list_root, list_tags, tag_of, tag_record};

/// The parts of a vault that is being opened.
pub(crate) struct Opening<'a> {
    pub(crate) vault: VaultId,
    pub(crate) store: &'a dyn Store,
    pub(crate) keyring: &'a Keyring,
}

impl Opening<'_> {
    /// The realm that seals this node's own records: the one that spans environments, or where the KEK does not open that (a
    /// server that may open only `dev`), the first environment that it opens.
    pub(crate) async fn home(&self, namespace: &Namespace) -> Result<Arc<Realm>> {
        let whole = RealmName {
            namespace: namespace.clone(),
            environment: None,
        };
        let refused = match read_realm(self.vault, self.store, self.keyring, &whole).await {
            Ok(Some(realm)) => return Ok(Arc::new(realm)),
            Ok(None) => return Err(self.no_namespace(&whole).await?),
            Err(error @ Error::Kek { .. }) => error,
            Err(error) => return Err(error),
        };
        for name in list_tags(self.vault, self.store).await?.names.into_values() {
            if name.namespace != *namespace || name.environment.is_none() {
                continue;
            }
            // Only a KEK that refuses is a reason to go on: another error would make this node's home depend on chance.
            match read_realm(self.vault, self.store, self.keyring, &name).await {
                Ok(Some(realm)) => return Ok(Arc::new(realm)),
                Ok(None) | Err(Error::Kek { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// The error where a namespace has no realm: damage, if the store says that there is one.
    async fn no_namespace(&self, whole: &RealmName) -> Result<Error> {
        let listed = list_tags(self.vault, self.store).await?;
        // Another vault's id in the vault's own record leaves every realm without a name.
        if listed.names.values().any(|name| name == whole) || !listed.damaged.is_empty() {
            let what = format!("the environment key of `{whole}` ({})", whole.record_id(self.vault));
            return Ok(Error::damaged(what, Damage::Missing).about(Affected::Environment));
        }
        Ok(Error::NotFound {
            what: format!("namespace `{}`", whole.namespace),
            hint: None,
        })
    }

    /// The log that this process writes, with its key. Where the store holds no key of the log that was free, it is another's, or began
    /// after the copy of the store that was put back: then the next slot is taken, if the place is this vault's at all.
    pub(crate) async fn own_log(&self, sink: FileSink, home: &Realm) -> Result<(FileSink, SigningKey)> {
        let place = sink.state();
        if let Some(key) = self.signing_key(&place, home).await? {
            return Ok((sink, key));
        }
        let others = self.other_logs(place.root(), home).await?;
        if others.is_empty() {
            return Err(no_log_key(&place));
        }
        let logs = others.join(", ");
        tracing::warn!(
            logs,
            "logs in the directory are passed over: the store holds no key of theirs for this node"
        );
        let sink = sink.passing_over(others).await?;
        let place = sink.state();
        let key = self.signing_key(&place, home).await?;
        Ok((sink, key.ok_or_else(|| no_log_key(&place))?))
    }

    /// The logs of a place that are passed over by a node of this home: the store holds no key of theirs under the home. None where the
    /// place is not known to be this vault's: the store knows none of its logs, and no log's own lines prove that they are the vault's.
    pub(crate) async fn other_logs(&self, place: &Path, home: &Realm) -> Result<Vec<String>> {
        if !place.is_dir() {
            return Ok(Vec::new());
        }
        let (mut others, mut is_known) = (Vec::new(), false);
        for log in logs_in(place)? {
            let own = match from_base62(&log) {
                Some(id) => self.store.get(&home.record(kind::LOG_KEY, id)?).await?.is_some(),
                None => false,
            };
            is_known |= own;
            if !own {
                others.push(log);
            }
        }
        let is_ours =
            is_known || is_known_elsewhere(self.store, &others).await? || self.proves_own(place, home).await?;
        Ok(if is_ours { others } else { Vec::new() })
    }

    /// Returns true if a log of the place proves by its lines that a realm that opens here is behind it: the home, or the home of another
    /// process.
    async fn proves_own(&self, place: &Path, home: &Realm) -> Result<bool> {
        let claims = claimed_keys(place)?;
        if claims.is_empty() {
            return Ok(false);
        }
        if proven_key(place, home, &claims)?.is_some() {
            return Ok(true);
        }
        for name in list_tags(self.vault, self.store).await?.names.into_values() {
            match read_realm(self.vault, self.store, self.keyring, &name).await {
                Ok(Some(realm)) if proven_key(place, &realm, &claims)?.is_some() => return Ok(true),
                // A realm that does not open here proves nothing, and keeps no other from it.
                Ok(_) | Err(Error::Kek { .. } | Error::Integrity { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// The key of an audit log, which is sealed in the store and never stands beside the log; `None` for a log of somebody else.
    async fn signing_key(&self, place: &LogPlace, home: &Realm) -> Result<Option<SigningKey>> {
        let id = from_base62(place.log()).ok_or_else(|| Error::integrity("the audit log's id"))?;
        match log_key(self.store, home, &home.record(kind::LOG_KEY, id)?).await? {
            Some(key) => Ok(Some(key)),
            None if place.public_key().is_none() => self.new_log_key(home, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Opens the audit log.
    pub(crate) async fn log(
        &self,
        log: LogBuilder,
        place: &LogPlace,
        home: &Realm,
        key: SigningKey,
        actor: &str,
    ) -> Result<Log> {
        let actor = Who::new(PrincipalKind::Operator).id(actor);
        let lines = line_key(home, &key.public(place.log()));
        Ok(log.signing_key(key).line_key(lines).principal(actor).open().await?)
    }

    async fn new_log_key(&self, home: &Realm, id: [u8; 16]) -> Result<SigningKey> {
        let key = SigningKey::generate()?;
        let id = home.record(kind::LOG_KEY, id)?;
        let sealed = home.keys.seal_record(&home.place(&id), key.expose_seed());
        let sealed = sealed.map_err(|error| open_failed("the audit log's key".to_owned(), error))?;
        self.store.put(&id, &sealed, Expect::Absent).await?;
        Ok(key)
    }
}

/// Separates the keys of the lines of logs from every other use of a realm's keyed hash.
const LINES: &str = "ibyok audit lines v1";

/// Adds the keys of those logs of a place whose own lines prove that the realm's keys are behind them.
fn add_own_logs(place: &Path, home: &Realm, keys: &mut Vec<VerifyingKey>) -> Result<()> {
    for claimed in claimed_keys(place)? {
        if keys.iter().any(|key| key.log() == claimed.log()) {
            continue;
        }
        keys.extend(proven_key(place, home, [&claimed])?);
    }
    Ok(())
}

/// The first of some claimed keys of a log whose lines prove that it is the log's, and that somebody who opens the realm wrote them. Anybody
/// who can write to the directory can put a slot with the log's id and another key there.
pub(crate) fn proven_key<'a>(
    place: &Path,
    realm: &Realm,
    claims: impl IntoIterator<Item = &'a VerifyingKey>,
) -> Result<Option<VerifyingKey>> {
    for claimed in claims {
        let key = with_lines(realm, claimed.clone());
        if has_own_lines(place, &key)? {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

/// A log's public key with the key of the MACs that its lines carry, which whoever opens the log's realm can make. So a line proves that
/// somebody who opens the realm wrote it, and that the public key is the log's: also to a vault whose store knows nothing of the log.
pub(crate) fn with_lines(realm: &Realm, key: VerifyingKey) -> VerifyingKey {
    let lines = line_key(realm, &key);
    key.with_lines(lines)
}

pub(crate) fn line_key(realm: &Realm, key: &VerifyingKey) -> LineKey {
    let derived = zeroize::Zeroizing::new(realm.keys.keyed_hash(LINES, key.to_string().as_bytes()));
    LineKey::new(SecretBox::init_with_mut(|bytes: &mut [u8; 32]| {
        bytes.copy_from_slice(derived.as_slice());
    }))
}

/// Makes a realm: first its tag, which nobody else then has, then its one environment key record, of which there is one per name.
pub(crate) async fn make_realm(
    opening: &Opening<'_>,
    name: &RealmName,
    class: Class,
    at: Timestamp,
    by: &str,
) -> Result<()> {
    let random = |error| Error::unavailable(Part::Kek, error);
    let attributes = Attributes {
        class,
        created: at,
        created_by: by.to_owned(),
    };
    let attributes = serde_json::to_vec(&attributes).map_err(|_| Error::integrity("an environment"))?;
    let id = name.record_id(opening.vault);
    if opening.store.get(&id).await?.is_some() {
        return Ok(());
    }
    let tag = RealmTag::generate().map_err(random)?;
    // Marked as unfinished until the record is there: a crash in between does not look like a record that was lost.
    let marked = TagBody::print_unfinished(name);
    let marked = opening.store.put(&tag_record(tag), &marked, Expect::Absent).await?;
    let environment = name.environment.as_ref().map(EnvironmentName::as_str);
    let identity = RealmIdentity::new(opening.vault, tag, name.namespace.as_str(), environment);
    let identity = identity.map_err(|error| open_failed(format!("the name `{name}`"), error))?;
    let kek = opening.keyring.first();
    let (_, record) = RealmKeys::create(identity, &attributes, 1, kek.as_ref())
        .await
        .map_err(|error| open_failed(format!("the environment key of `{name}`"), error))?;
    opening
        .store
        .put(&id, &record, Expect::Absent)
        .await
        .map_err(|error| match error {
            ibyok_storage::Error::Exists => Error::Exists {
                what: format!("environment `{name}`"),
            },
            other => other.into(),
        })?;
    let made = Expect::Revision(marked);
    opening.store.put(&tag_record(tag), &TagBody::print(name), made).await?;
    Ok(())
}

/// The public keys of the logs of a place that the store vouches for, or whose own lines do: a store that is older than a log holds no
/// key of it.
pub(crate) async fn vouched_logs(store: &dyn Store, place: &Path, home: &Realm) -> Result<Vec<VerifyingKey>> {
    let mut keys: Vec<VerifyingKey> = Vec::new();
    for log in logs_in(place)? {
        let Some(id) = from_base62(&log) else { continue };
        let key = log_key(store, home, &home.record(kind::LOG_KEY, id)?).await?;
        keys.extend(key.map(|key| with_lines(home, key.public(&log))));
    }
    add_own_logs(place, home, &mut keys)?;
    Ok(keys)
}

/// The private half of an audit log's key, from the record that it is sealed in.
pub(crate) async fn log_key(store: &dyn Store, home: &Realm, id: &RecordId) -> Result<Option<SigningKey>> {
    let Some(stored) = store.get(id).await? else {
        return Ok(None);
    };
    let what = || "an audit log's key".to_owned();
    let seed = home.keys.open_record(&home.place(id), &stored.bytes);
    let seed = seed.map_err(|error| open_failed(what(), error))?;
    let bytes = <&[u8; 32]>::try_from(seed.expose_secret()).map_err(|_| Error::integrity(what()))?;
    Ok(Some(SigningKey::from_seed(SecretBox::init_with_mut(
        |seed: &mut [u8; 32]| seed.copy_from_slice(bytes),
    ))))
}

/// Returns true if the store holds the key of one of these logs under some realm: another process of this vault has another home.
async fn is_known_elsewhere(store: &dyn Store, logs: &[String]) -> Result<bool> {
    for tag in list_root(store, kind::TAG).await?.iter().filter_map(tag_of) {
        let collection = Collection::new(Kind::new(kind::LOG_KEY), *tag.as_bytes())?;
        for id in logs.iter().filter_map(|log| from_base62(log)) {
            if store.get(&RecordId::new(collection, id)).await?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

fn no_log_key(place: &LogPlace) -> Error {
    let place = place.root().display();
    Error::invalid(
        format!("the store holds no key of the audit log in `{place}`"),
        "it is another vault's log, and this vault needs a directory of its own; or the store is an older backup than the log, whose \
         lines cannot be read any more: restore a newer one",
    )
}
