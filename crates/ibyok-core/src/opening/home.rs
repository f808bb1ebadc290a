//! The needs of opening before there is a vault: its home realm, and its audit log with the log's key.

use std::path::Path;
use std::sync::Arc;

use ibyok_audit::{
    Checkpoint, FileSink, Log, LogBuilder, LogPlace, Principal as Who, PrincipalKind, SigningKey, claimed_keys, logs_in,
};
use ibyok_storage::{AuthenticatedMap, Collection, Expect, Kind, MapKey, RecordId, Store};

use crate::base::damage::{Affected, Damage};
use crate::base::error::{Error, OtherHome, Result};
use crate::floor::entry::FILE;
use crate::floor::key::FloorKey;
use crate::logs::kept::{Checkpoints, Kept, Spot};
use crate::model::kind;
use crate::model::name::{Namespace, from_base62};
use crate::realm::log_keys::{line_key, log_key, proven_key};
use crate::realm::make::Opening;
use crate::realm::tags::{list_root, list_tags, tag_of};
use crate::realm::{Realm, RealmName, open_failed, read_realm};

impl Opening<'_> {
    /// The realm that seals this node's own records: the one that spans environments, or where the KEK does not open that (a
    /// server that may open only `dev`), the first environment that it opens. A place with a log of the realm that spans them belongs to
    /// that realm: a refusal of the KEK is then no reason to take another home, and to leave log and floors behind.
    pub(crate) async fn home(&self, namespace: &Namespace, place: &Path) -> Result<Arc<Realm>> {
        let whole = RealmName {
            namespace: namespace.clone(),
            environment: None,
        };
        let refused = match read_realm(self.vault, self.store, self.keyring, &whole).await {
            Ok(Some(realm)) => return Ok(Arc::new(realm)),
            Ok(None) => return Err(self.no_namespace(&whole).await?),
            Err(error @ Error::Kek { .. }) => error,
            Err(error) => return Err(error.about(Affected::Home)),
        };
        let names = list_tags(self.vault, self.store).await?.names;
        for (tag, _) in names.iter().filter(|(_, name)| **name == whole) {
            if self.has_log_of(*tag.as_bytes(), place).await? {
                return Err(other_home(place, refused));
            }
        }
        for name in names.into_values() {
            if name.namespace != *namespace || name.environment.is_none() {
                continue;
            }
            // Continue only after a refusal of the KEK: after another error, chance would decide about this node's home.
            match read_realm(self.vault, self.store, self.keyring, &name).await {
                Ok(Some(realm)) => return Ok(Arc::new(realm)),
                Ok(None) | Err(Error::Kek { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(refused)
    }

    /// Returns true if the store holds the key of a log in this place under the realm with this tag.
    async fn has_log_of(&self, realm: [u8; 8], place: &Path) -> Result<bool> {
        let collection = Collection::new(Kind::new(kind::LOG_KEY), realm)?;
        let logs = if place.is_dir() { logs_in(place)? } else { Vec::new() };
        for id in logs.iter().filter_map(|log| from_base62(log)) {
            if self.store.get(&RecordId::new(collection, id)).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns the error for a namespace without a realm: damage, if the store lists one for it.
    async fn no_namespace(&self, whole: &RealmName) -> Result<Error> {
        let listed = list_tags(self.vault, self.store).await?;
        // Another vault's id in the vault's own record leaves every realm without a name.
        if listed.names.values().any(|name| name == whole) || !listed.damaged.is_empty() {
            let what = format!("the environment key of `{whole}` ({})", whole.record_id(self.vault));
            return Ok(Error::damaged(what, Damage::Missing).about(Affected::Home));
        }
        Ok(Error::NotFound {
            what: format!("namespace `{}`", whole.namespace),
            hint: None,
        })
    }

    /// The log that this process writes, with its key. Where the store holds no key of the log that was free, it is another's, or began
    /// after the copy of the store that was put back: then the next slot is taken, if the place is this vault's at all.
    pub(crate) async fn own_log(&self, sink: FileSink, home: &Arc<Realm>) -> Result<(FileSink, SigningKey)> {
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
            "skipped logs in the directory: the store holds no key of these logs for this node"
        );
        let sink = sink.passing_over(others).await?;
        let place = sink.state();
        let key = self.signing_key(&place, home).await?;
        Ok((sink, key.ok_or_else(|| no_log_key(&place))?))
    }

    /// The logs of a place that are passed over by a node of this home: the store holds no key of theirs under the home. None where the
    /// place is not known to be this vault's: the store knows none of its logs, and no log's own lines prove that they are the vault's.
    pub(crate) async fn other_logs(&self, place: &Path, home: &Arc<Realm>) -> Result<Vec<String>> {
        if !place.is_dir() {
            return Ok(Vec::new());
        }
        let (mut others, mut is_known) = (Vec::new(), false);
        for log in logs_in(place)? {
            let own = match from_base62(&log) {
                Some(id) => self.own_key(home, id).await?.is_some(),
                None => false,
            };
            is_known |= own;
            if !own {
                others.push(log);
            }
        }
        let is_ours =
            is_known || is_known_elsewhere(self.store, &others).await? || self.proves_own(place, home).await?;
        let is_ours = is_ours || self.kept_logs_here(place, home).await? || self.has_floors(place, home).await;
        Ok(if is_ours { others } else { Vec::new() })
    }

    /// Returns true if a checkpoint in the store says that a log of this node's home was kept in the place: its slot was replaced.
    async fn kept_logs_here(&self, place: &Path, home: &Arc<Realm>) -> Result<bool> {
        let here = Kept::here(&Spot::of_directory(place), "");
        let (store, home) = (self.store, Arc::clone(home));
        let kept = Checkpoints { store, home }.all().await?;
        Ok(kept.whole.iter().any(|(_, kept)| kept.is_of(&here)))
    }

    /// Returns true if the place holds floors of this node's home: lines and keys of all its logs were removed. Floors that do not open
    /// prove nothing.
    async fn has_floors(&self, place: &Path, home: &Arc<Realm>) -> bool {
        let key: Arc<dyn MapKey> = Arc::new(FloorKey {
            vault: self.vault,
            home: Arc::clone(home),
        });
        matches!(AuthenticatedMap::open(place.join(FILE), key).await, Ok(Some(_)))
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

    /// Returns the key of an audit log. It is sealed in the store and never in the log's directory; `None` for a log
    /// that is not this vault's.
    async fn signing_key(&self, place: &LogPlace, home: &Arc<Realm>) -> Result<Option<SigningKey>> {
        let id = from_base62(place.log()).ok_or_else(|| Error::integrity("the audit log's id"))?;
        match log_key(self.store, home, &home.record(kind::LOG_KEY, id)?).await {
            Ok(None) if place.public_key().is_none() => self.new_log_key(place, home, id).await.map(Some),
            Err(Error::Integrity { .. }) => Ok(None),
            key => key,
        }
    }

    /// Returns the key of a log under this home; `None` also for a record that does not open. Nobody can go on with such a log, and its
    /// own lines still prove whose it is.
    async fn own_key(&self, home: &Realm, id: [u8; 16]) -> Result<Option<SigningKey>> {
        match log_key(self.store, home, &home.record(kind::LOG_KEY, id)?).await {
            Err(Error::Integrity { .. }) => Ok(None),
            key => key,
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

    /// Makes the key of a new log. Its checkpoint is in the store before it, so that a key without a checkpoint is always a loss.
    async fn new_log_key(&self, place: &LogPlace, home: &Arc<Realm>, id: [u8; 16]) -> Result<SigningKey> {
        let (key, store) = (SigningKey::generate()?, self.store);
        let kept = Checkpoints {
            store,
            home: Arc::clone(home),
        };
        let first = Checkpoint::before_first_line(&key, place.log());
        kept.put(&kept.record_of(place.log())?, &Spot::from(place), first.text())
            .await?;
        let id = home.record(kind::LOG_KEY, id)?;
        let sealed = home.keys.seal_record(&home.place(&id), key.expose_seed());
        let sealed = sealed.map_err(|error| open_failed("the audit log's key".to_owned(), error))?;
        self.store.put(&id, &sealed, Expect::Absent).await?;
        Ok(key)
    }
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

/// The error for a directory with logs of the realm that spans environments, where the KEK does not open that realm.
fn other_home(place: &Path, refused: Error) -> Error {
    let Error::Kek { source } = refused else { return refused };
    Error::Kek {
        source: OtherHome {
            place: place.display().to_string(),
            why: source.to_string(),
        }
        .into(),
    }
}

fn no_log_key(place: &LogPlace) -> Error {
    let place = place.root().display();
    Error::invalid(
        format!("the store holds no key for the audit log in `{place}`"),
        "if it is another vault's log, give this vault its own directory; if the store is an older backup than the log, restore \
        a newer backup",
    )
}
