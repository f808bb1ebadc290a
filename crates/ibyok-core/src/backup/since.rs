//! The changes that the floors and the log of a place know, and that an older store does not have.
//!
//! A change that took something away can be made again: a revocation, a disable, a removal, a destroyed version. Every other change is
//! lost with the newer store, and an operator must accept that by name.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use ibyok_audit::{Entry, Phase, Reader, VerifyingKey};
use ibyok_crypto::{Kek, Keyring, RealmTag, VaultId};
use ibyok_storage::{AuthenticatedMap, Error as StorageError, MapKey, RecordId, Store};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};

use crate::base::error::{Error, Part, Result};
use crate::floor::entry::FILE;
use crate::floor::{FloorKey, accepted, key, unavailable};
use crate::model::kind;
use crate::model::name::Namespace;
use crate::model::record_kind::RecordKind;
use crate::model::take_away::{KeyTakeAway, TakeAway, TokenTakeAway};
use crate::model::typed::with_type_of;
use crate::realm::log_keys::vouched_logs;
use crate::realm::make::Opening;
use crate::realm::tags::list_tags;
use crate::realm::vault_record::read_vault;
use crate::realm::{Realm, RealmName, read_realm};
use crate::records::record::{Record, UNSEEN_CHANGES};
use crate::verbs::floors::rollback::RolledBack;

/// The action of the line of a record that was written again as it was.
const RESTORED: &str = "vault.restore";

/// The changes since an older store.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct ChangesSince {
    /// The records from which something was taken away since. A restore takes it away again.
    pub again: Vec<TakenAway>,
    /// The records whose changes since are lost with the newer store.
    pub lost: Vec<RolledBack>,
    /// The generations of environment keys that were deleted since. The older store needs them, so a restore brings them back.
    pub generations: Vec<NeededGeneration>,
}

/// A generation of an environment key that was deleted since, and that the records of an older store need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NeededGeneration {
    /// The namespace and the environment, where they are known.
    pub realm: Option<String>,
    /// The number of the generation.
    pub generation: u32,
}

/// Something that was taken away since, and that a restore takes away again.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TakenAway {
    /// The kind of record.
    pub kind: RecordKind,
    /// The name of the key, token or environment, where it is known.
    pub name: Option<String>,
    /// The namespace and environment of the record.
    pub realm: Option<String>,
    /// The change, in a word: `disable-key`, `revoke-token`, `remove-environment`, …
    pub change: String,
    #[serde(skip)]
    pub(crate) how: Again,
}

/// The way in which a change is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Again {
    Record(RecordId, TakeAway),
    Realm(RecordId),
    /// The token key of a realm was replaced: it is replaced again.
    TokenKey(RecordId),
    /// The store does not have the record: there is nothing to take away.
    Absent,
}

/// A change of a record that a line of the log ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    rev: u64,
    action: String,
    version: Option<u32>,
    keeps_children: bool,
}

/// The changes of records by the lines of a place's logs.
#[derive(Debug, Default)]
pub(crate) struct LogChanges {
    of: HashMap<String, Vec<Change>>,
    names: HashMap<String, String>,
}

impl LogChanges {
    /// Reads the changes of these records.
    pub(crate) fn read(place: &Path, logs: Vec<VerifyingKey>, records: &[RolledBack]) -> Result<Self> {
        let mut read = LogChanges {
            of: records
                .iter()
                .map(|rolled| (rolled.record.clone(), Vec::new()))
                .collect(),
            names: HashMap::new(),
        };
        let ids: Vec<String> = logs.iter().filter_map(|key| key.log().map(str::to_owned)).collect();
        let reader = Reader::vouched(place, logs)?;
        for log in ids {
            reader.changes(&log, 0, &mut |line| read.take(line.entry()))?;
        }
        read.of.values_mut().for_each(|changes| {
            changes.sort_by_key(|change| change.rev);
            changes.dedup_by_key(|change| change.rev);
        });
        Ok(read)
    }

    fn take(&mut self, entry: &Entry) {
        let (Some(record), Some(rev), Some(Phase::Done)) = (&entry.record, entry.rev, entry.phase) else {
            return;
        };
        let Some(changes) = self.of.get_mut(record) else { return };
        changes.push(Change {
            rev,
            action: entry.action.clone(),
            version: entry.version.and_then(|version| u32::try_from(version).ok()),
            keeps_children: entry.reason.as_deref() == Some("keep_children"),
        });
        if let Some(key) = &entry.key {
            self.names.insert(record.clone(), key.clone());
        }
    }

    /// Sorts older records by whether their changes can be made again.
    pub(crate) fn judge(&self, records: &[RolledBack]) -> ChangesSince {
        let mut since = ChangesSince::default();
        for rolled in records {
            let mut rolled = rolled.clone();
            if rolled.name.is_none() {
                rolled.name = self.names.get(&rolled.record).cloned();
            }
            self.judge_one(rolled, &mut since);
        }
        since
    }

    fn judge_one(&self, rolled: RolledBack, since: &mut ChangesSince) {
        let Ok(record) = rolled.record.parse::<RecordId>() else {
            since.lost.push(rolled);
            return;
        };
        match rolled.kind {
            // The newest of these say who looked at the log and the checklist: older ones ask for another look, and open nothing.
            RecordKind::Attestations | RecordKind::Reviews => return,
            // An even revision is that of a removal.
            RecordKind::Environment if rolled.seen.is_multiple_of(2) => {
                let how = Again::Realm(record);
                since.again.push(taken(&rolled, "remove-environment".to_owned(), how));
                return;
            }
            RecordKind::Environment if self.judge_keys(&rolled, record, since) => return,
            _ => {}
        }
        let found = rolled.found.unwrap_or(0);
        let none = Vec::new();
        let changes = self.of.get(&rolled.record).unwrap_or(&none);
        let after: Vec<&Change> = changes.iter().filter(|change| change.rev > found).collect();
        let (takes_away, is_all) = take_aways(&after);
        let counted = is_accounted_for(&after, found, rolled.seen);
        let is_gone = matches!(
            takes_away.as_slice(),
            [
                ..,
                TakeAway::Key(KeyTakeAway::Remove) | TakeAway::Token(TokenTakeAway::Revoke { .. })
            ]
        );
        let ends_with_it = after.last().is_some_and(|last| last.rev == rolled.seen);
        for what in &takes_away {
            let how = match rolled.found {
                Some(_) => Again::Record(record, *what),
                None => Again::Absent,
            };
            since.again.push(taken(&rolled, what.to_string(), how));
        }
        let kept = is_gone && ends_with_it || is_all && counted && rolled.found.is_some();
        if !kept {
            since.lost.push(rolled);
        }
    }
}

impl LogChanges {
    /// Judges an environment whose keys alone changed since: its generations, or its token key. Returns false if more changed.
    fn judge_keys(&self, rolled: &RolledBack, record: RecordId, since: &mut ChangesSince) -> bool {
        let (Some(found), Some(changes)) = (rolled.found, self.of.get(&rolled.record)) else {
            return false;
        };
        let after: Vec<&Change> = changes.iter().filter(|change| change.rev > found).collect();
        let is_of_keys = |change: &&Change| {
            let action = change.action.as_str();
            matches!(action, "kek.reseal" | "kek.drop" | "token.rekey" | RESTORED)
        };
        if !after.iter().all(is_of_keys) || after.last().is_none_or(|last| last.rev != rolled.seen) {
            return false;
        }
        if after.iter().any(|change| change.action == "token.rekey") {
            let how = Again::TokenKey(record);
            since.again.push(taken(rolled, "rekey-tokens".to_owned(), how));
        }
        let dropped = after.iter().filter(|change| change.action == "kek.drop");
        let needed = dropped.filter_map(|change| {
            Some(NeededGeneration {
                realm: rolled.realm.clone(),
                generation: change.version?,
            })
        });
        since.generations.extend(needed);
        true
    }
}

/// Returns true if the changes account for each revision from the store's to the newest. An acceptance of an older record skips revisions, which no
/// other change does. A crash right after it may have taken the lines of the two changes that follow: the record is written again, and what was
/// taken away is taken away again.
fn is_accounted_for(changes: &[&Change], found: u64, seen: u64) -> bool {
    let mut at = found;
    for change in changes {
        let step = change.rev.saturating_sub(at);
        if step != 1 && step < UNSEEN_CHANGES && change.action != RESTORED {
            return false;
        }
        at = change.rev;
    }
    let was_restored = changes.iter().any(|change| change.action == RESTORED);
    match seen.checked_sub(at) {
        Some(0) => true,
        Some(1 | 2) => was_restored,
        Some(rest) => (UNSEEN_CHANGES..=UNSEEN_CHANGES + 2).contains(&rest),
        None => false,
    }
}

/// The changes that take something away and were not undone, and whether all changes are such.
fn take_aways(changes: &[&Change]) -> (Vec<TakeAway>, bool) {
    let (mut taken, mut is_all) = (Vec::new(), true);
    for change in changes {
        // An earlier restore wrote the record again as it was.
        if change.action == RESTORED {
            continue;
        }
        let version = change.version;
        let what: Option<TakeAway> = match (change.action.as_str(), version) {
            ("key.disable", None) => Some(KeyTakeAway::Disable.into()),
            ("key.disable", Some(version)) => Some(KeyTakeAway::DisableVersion(version).into()),
            ("key.retire", Some(version)) => Some(KeyTakeAway::RetireVersion(version).into()),
            ("key.destroy", Some(version)) => Some(KeyTakeAway::DestroyVersion(version).into()),
            ("key.remove", _) => Some(KeyTakeAway::Remove.into()),
            ("token.revoke", _) => {
                let keep_children = change.keeps_children;
                Some(TokenTakeAway::Revoke { keep_children }.into())
            }
            _ => None,
        };
        match (what, change.action.as_str()) {
            (Some(what), _) => taken.push(what),
            (None, "key.enable") => taken.retain(|taken| *taken != undone(version)),
            (None, _) => is_all = false,
        }
        // A name that was used again after a removal is a new key, which is lost.
        if what.is_none() && change.action != "key.enable" {
            taken.retain(|taken| *taken != KeyTakeAway::Remove.into());
        }
    }
    (taken, is_all)
}

/// The change that an enable undoes.
fn undone(version: Option<u32>) -> TakeAway {
    version.map_or(KeyTakeAway::Disable, KeyTakeAway::DisableVersion).into()
}

fn taken(rolled: &RolledBack, change: String, how: Again) -> TakenAway {
    TakenAway {
        kind: rolled.kind,
        name: rolled.name.clone(),
        realm: rolled.realm.clone(),
        change,
        how,
    }
}

/// Compares a store that no process uses with the floors and the logs of a place, before the store takes the place of a newer one. Writes
/// nothing. Returns `None` if the place has no floors that can be read.
///
/// # Errors
/// [`Error::Kek`] if the KEK does not open the vault, [`Error::Integrity`] for a damaged store, [`Error::Unavailable`].
pub async fn changes_since(
    store: &dyn Store,
    keks: &[Arc<dyn Kek>],
    namespace: &Namespace,
    place: &Path,
) -> Result<Option<ChangesSince>> {
    let Some(record) = read_vault(store).await? else {
        return Ok(None);
    };
    let (vault, keyring) = (record.id()?, ring(keks)?);
    let opening = Opening {
        vault,
        store,
        keyring: &keyring,
    };
    let home = opening.home(namespace, place).await?;
    if !place.is_dir() {
        return Ok(None);
    }
    let floor_key: Arc<dyn MapKey> = Arc::new(FloorKey {
        vault,
        home: Arc::clone(&home),
    });
    let map = match AuthenticatedMap::open(place.join(FILE), floor_key).await {
        Ok(Some(map)) => map,
        Ok(None) => return Ok(None),
        // Opening the vault rebuilds it from the log, or says why not.
        Err(error) => {
            tracing::warn!(%error, "cannot read the file of floors before the restore");
            return Ok(None);
        }
    };
    let mut older = Older {
        vault,
        store,
        keyring: &keyring,
        names: list_tags(vault, store).await?.names,
        realms: BTreeMap::new(),
    };
    let records = older.records(&map).await;
    map.close().await;
    let records = records?;
    let logs = vouched_logs(store, place, &home).await?;
    Ok(Some(LogChanges::read(place, logs, &records)?.judge(&records)))
}

fn ring(keks: &[Arc<dyn Kek>]) -> Result<Keyring> {
    let (first, others) = keks
        .split_first()
        .ok_or_else(|| Error::unavailable(Part::Kek, "no KEK was given"))?;
    Ok(others
        .iter()
        .fold(Keyring::new(Arc::clone(first)), |ring, kek| ring.with(Arc::clone(kek))))
}

/// The head of a sealed body.
#[derive(Deserialize)]
struct Body {
    rev: u64,
    #[serde(default)]
    name: Option<String>,
}

/// Finds the records of a store that are below their floors.
struct Older<'a> {
    vault: VaultId,
    store: &'a dyn Store,
    keyring: &'a Keyring,
    names: BTreeMap<RealmTag, RealmName>,
    realms: BTreeMap<RealmTag, Option<Realm>>,
}

impl Older<'_> {
    async fn records(&mut self, map: &AuthenticatedMap) -> Result<Vec<RolledBack>> {
        let (mut found, mut after) = (Vec::new(), None::<Vec<u8>>);
        loop {
            let page = map.numbers(after.as_deref()).await.map_err(unavailable)?;
            let Some((last, _)) = page.last() else { return Ok(found) };
            after = Some(last.clone());
            for (name, floor) in &page {
                let Some(record) = key::record_of(name) else { continue };
                let rolled = self.below(&record, *floor).await?;
                let Some(rolled) = rolled else { continue };
                let accepted = accepted::read(map, &record).await?;
                let is_accepted = accepted
                    .is_some_and(|accepted| accepted.floor == *floor && accepted.rev == rolled.found.unwrap_or(0));
                if !is_accepted {
                    found.push(rolled);
                }
            }
        }
    }

    /// The record, if it is below its floor or missing. A record that does not open is no older one: it stays refused.
    async fn below(&mut self, record: &RecordId, floor: u64) -> Result<Option<RolledBack>> {
        let (kind, name, realm, found) = if record.collection().kind().as_u8() == kind::REALM {
            let name = self
                .names
                .values()
                .find(|name| name.record_id(self.vault) == *record)
                .cloned();
            let found = match &name {
                Some(name) => match read_realm(self.vault, self.store, self.keyring, name).await {
                    Ok(realm) => realm.map(|realm| realm.rev),
                    Err(Error::Kek { .. } | Error::Integrity { .. }) => return Ok(None),
                    Err(error) => return Err(error),
                },
                None => None,
            };
            // A removal needs no record.
            if found.is_none() && floor.is_multiple_of(2) {
                return Ok(None);
            }
            let word = name.as_ref().map(|name| name.environment_word().to_owned());
            (RecordKind::Environment, word, name.map(|name| name.to_string()), found)
        } else {
            let kind = with_type_of!(record, R => R::NAME, _ => RecordKind::Other);
            let Ok(tag) = RealmTag::from_bytes(*record.collection().realm()) else {
                return Ok(None);
            };
            let realm = self.names.get(&tag).map(ToString::to_string);
            match self.body(tag, record).await? {
                Some(Ok(body)) => (kind, body.name, realm, Some(body.rev)),
                Some(Err(())) => return Ok(None),
                None => (kind, None, realm, None),
            }
        };
        let is_older = found.is_none_or(|found| found < floor);
        Ok(is_older.then(|| RolledBack {
            record: record.to_string(),
            kind,
            name,
            realm,
            seen: floor,
            found,
        }))
    }

    /// Opens a record; `None` if it is not there, an error for one that does not open.
    async fn body(&mut self, tag: RealmTag, record: &RecordId) -> Result<Option<Result<Body, ()>>> {
        let Some(name) = self.names.get(&tag) else {
            return Ok(None);
        };
        if !self.realms.contains_key(&tag) {
            let realm = match read_realm(self.vault, self.store, self.keyring, name).await {
                Ok(realm) => realm,
                Err(Error::Kek { .. } | Error::Integrity { .. }) => None,
                Err(error) => return Err(error),
            };
            self.realms.insert(tag, realm);
        }
        let stored = match self.store.get(record).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return Ok(None),
            Err(StorageError::Corrupt { .. }) => return Ok(Some(Err(()))),
            Err(error) => return Err(error.into()),
        };
        let Some(Some(realm)) = self.realms.get(&tag) else {
            return Ok(Some(Err(())));
        };
        let opened = realm.keys.open_record(&realm.place(record), &stored.bytes);
        let body = opened
            .ok()
            .and_then(|body| serde_json::from_slice(body.expose_secret()).ok());
        Ok(Some(body.ok_or(())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(rev: u64, action: &str, version: Option<u32>) -> Change {
        Change {
            rev,
            action: action.to_owned(),
            version,
            keeps_children: false,
        }
    }

    fn judged(kind: RecordKind, found: Option<u64>, seen: u64, changes: &[Change]) -> (Vec<String>, usize) {
        let record = "3.aB3dE5gH.00112233445566778899aabbccddeeff";
        let rolled = RolledBack {
            record: record.to_owned(),
            kind,
            name: None,
            realm: None,
            seen,
            found,
        };
        let changes = LogChanges {
            of: HashMap::from([(record.to_owned(), changes.to_vec())]),
            names: HashMap::new(),
        };
        let since = changes.judge(&[rolled]);
        let again = since.again.iter().map(|again| again.change.clone()).collect();
        (again, since.lost.len())
    }

    #[test]
    fn what_was_taken_away_is_taken_away_again_and_everything_else_is_lost() {
        let key = |found, seen, changes: &[Change]| judged(RecordKind::Key, found, seen, changes);
        let disable = change(2, "key.disable", None);
        assert_eq!(
            key(Some(1), 2, std::slice::from_ref(&disable)),
            (vec!["disable-key".to_owned()], 0)
        );
        let enabled = [disable.clone(), change(3, "key.enable", None)];
        assert_eq!(key(Some(1), 3, &enabled), (vec![], 0));
        let set = [change(2, "key.set", None), change(3, "key.disable", Some(1))];
        assert_eq!(
            key(Some(1), 3, &set),
            (vec!["disable-version:1".to_owned()], 1),
            "the set is lost"
        );
        let removed = [change(2, "key.set", None), change(3, "key.remove", None)];
        assert_eq!(
            key(Some(1), 3, &removed),
            (vec!["remove-key".to_owned()], 0),
            "it is gone anyway"
        );
        assert_eq!(key(None, 3, &removed), (vec!["remove-key".to_owned()], 0));
        let again = [change(2, "key.remove", None), change(3, "key.set", None)];
        assert_eq!(
            key(Some(1), 3, &again),
            (vec![], 1),
            "a new key of the same name is lost"
        );
        assert_eq!(
            key(Some(1), 2, &[]),
            (vec![], 1),
            "a change of which this node's logs say nothing"
        );
        assert_eq!(
            key(Some(1), 4, std::slice::from_ref(&disable)),
            (vec!["disable-key".to_owned()], 1)
        );
        // A restore that was interrupted had accepted the record, and then written it again.
        let floor = 2 + UNSEEN_CHANGES;
        assert_eq!(key(Some(1), floor, std::slice::from_ref(&disable)).1, 0);
        let written = [disable, change(floor + 1, "vault.restore", None)];
        assert_eq!(key(Some(1), floor + 1, &written), (vec!["disable-key".to_owned()], 0));
    }

    #[test]
    fn a_revoked_token_is_no_loss_and_an_issued_one_is() {
        let token = |found, seen, changes: &[Change]| judged(RecordKind::Token, found, seen, changes);
        let revoke = [change(2, "token.revoke", None)];
        assert_eq!(token(Some(1), 2, &revoke), (vec!["revoke-token".to_owned()], 0));
        assert_eq!(token(None, 2, &revoke).1, 0);
        assert_eq!(token(None, 1, &[change(1, "token.issue", None)]), (vec![], 1));
    }

    #[test]
    fn an_environment_that_was_removed_is_removed_again() {
        let (again, lost) = judged(RecordKind::Environment, Some(1), 2, &[]);
        assert_eq!((again, lost), (vec!["remove-environment".to_owned()], 0));
        assert_eq!(judged(RecordKind::Environment, Some(1), 3, &[]).1, 1);
        let keys = |changes: &[Change]| judged(RecordKind::Environment, Some(1), 5, changes);
        let reseal = [change(3, "kek.reseal", None), change(5, "kek.drop", Some(1))];
        assert_eq!(keys(&reseal), (vec![], 0), "the records are the same");
        let rekey = [change(3, "kek.reseal", None), change(5, "token.rekey", None)];
        assert_eq!(keys(&rekey), (vec!["rekey-tokens".to_owned()], 0));
        let made_again = [change(3, "kek.reseal", None), change(5, "env.create", None)];
        assert_eq!(keys(&made_again).1, 1, "another environment of the same name");
        assert_eq!(keys(&rekey[..1]).1, 1, "a change of which this node's logs say nothing");
        assert_eq!(judged(RecordKind::Attestations, Some(1), 3, &[]), (vec![], 0));
    }
}
