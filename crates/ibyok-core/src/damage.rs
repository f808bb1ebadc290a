//! Damaged records: the reason why a record is refused, and the part of it that a list may show.
//!
//! A damaged record has no readable name, so no list can filter it by name. A list shows it to whoever may list the whole
//! environment. A token that is limited to key patterns learns only that its list may be incomplete, and a token that is
//! limited to whole names learns of its own keys alone: their ids follow from their names.

use std::fmt;
use std::sync::Arc;

use ibyok_policy::{Pattern, Scope};
use ibyok_storage::{Collection, RecordId};
use serde::Serialize;

use crate::attempt::Attempt;
use crate::authenticate::Principal;
use crate::error::{Error, Result};
use crate::model::kind;
use crate::model::name::{EnvironmentName, KeyName};
use crate::realm::{PAGE, Realm, RealmName};
use crate::records::Record;
use crate::vault::Inner;

/// The reason why a record is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Damage {
    /// Its bytes do not open: they were changed, cut or moved.
    DoesNotOpen,
    /// The store has no such record, although this node has seen one.
    Missing,
    /// The record is older than the one that this node has seen.
    Older,
    /// The store cannot read it, because the store's own files are damaged.
    Unreadable,
    /// Its format is one that this program does not know: a newer program wrote it, or it was changed.
    UnknownFormat,
    /// The KEK that it names was not given, or does not open it.
    Kek,
}

impl Damage {
    /// The stable word: `does_not_open`, `missing`, `older`, `unreadable`, `unknown_format` or `kek`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Damage::DoesNotOpen => "does_not_open",
            Damage::Missing => "missing",
            Damage::Older => "older",
            Damage::Unreadable => "unreadable",
            Damage::UnknownFormat => "unknown_format",
            Damage::Kek => "kek",
        }
    }

    /// The action that helps, and the command that gives up a record of this sort.
    pub(crate) fn hint(self, affected: Affected) -> String {
        let action = match self {
            Damage::DoesNotOpen => "restore the store from a backup, and find out who wrote to it",
            Damage::Missing if affected == Affected::Environment => {
                "restore the newest backup of the store, and find out who wrote to it"
            }
            Damage::Missing | Damage::Older => {
                "restore the newest backup of the store, and find out who set it back; after an honest restore, `ibyok audit floors rebuild --accept-rollback` accepts the older records"
            }
            Damage::Unreadable => {
                return "look at the disk and the system's log, then restore the store from a backup".to_owned();
            }
            Damage::UnknownFormat => {
                "use a newer version of IBYOK if one wrote the record; else restore the store from a backup, and find out who wrote to it"
            }
            Damage::Kek => return "give the KEK that the record names, or restore the store from a backup".to_owned(),
        };
        let way_out = match affected {
            Affected::Key if self == Damage::UnknownFormat => {
                "`keys list` shows damaged keys, and `keys remove --damaged ID --force` gives one up that may be whole"
            }
            Affected::Key => "`keys list` shows damaged keys, and `keys remove --damaged ID` gives one up",
            Affected::Token => {
                "`tokens list` shows damaged tokens, and `tokens revoke --damaged ID` revokes one for good"
            }
            // A record that may be whole is not given up.
            Affected::Environment if self == Damage::UnknownFormat => {
                "the other environments keep working; `envs list` shows damaged ones"
            }
            Affected::Environment => {
                "the other environments keep working; `envs list` shows damaged ones, and `envs remove --damaged ID` gives one up with its keys and tokens"
            }
            Affected::Other => "`ibyok status` names damaged records",
        };
        format!("{action}; {way_out}")
    }
}

/// The sort of record that an integrity error is about. It decides which way out the hint names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Affected {
    /// A key.
    Key,
    /// A token.
    Token,
    /// An environment: the record of its key, or of its name.
    Environment,
    /// Any other record.
    Other,
}

impl Affected {
    /// The sort of a record in the store.
    pub(crate) fn of(id: &RecordId) -> Self {
        match id.collection().kind().as_u8() {
            kind::KEY => Affected::Key,
            kind::TOKEN => Affected::Token,
            kind::REALM | kind::TAG => Affected::Environment,
            _ => Affected::Other,
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Damage::DoesNotOpen => "does not open: it was damaged or moved",
            Damage::Missing => "is missing, although this node has seen it",
            Damage::Older => "is older than this node has seen",
            Damage::Unreadable => "cannot be read: the store's own files are damaged",
            Damage::UnknownFormat => {
                "has a format that this program does not know: it was damaged, or a newer program wrote it"
            }
            Damage::Kek => "cannot be opened: the KEK that it names was not given, or refuses",
        })
    }
}

/// A record that a list cannot show, because it is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// `key`, `token`, `incident`, `environment`, …
    pub kind: &'static str,
    /// The public id of a key, token or incident; of another record its id in the store.
    pub id: String,
    /// Its id in the store, which lines of the audit log name as `record`.
    pub record: String,
    /// The environment; `None` for a record that spans environments.
    pub environment: Option<EnvironmentName>,
    /// The reason why it is refused.
    pub damaged: Damage,
}

impl DamagedRecord {
    /// Describes a record under the id that people know it by.
    pub(crate) fn of<R: Record>(realm: &Realm, id: &RecordId, damaged: Damage) -> Self {
        DamagedRecord {
            kind: R::NAME,
            id: R::public_id(realm, id),
            record: id.to_string(),
            environment: realm.name.environment.clone(),
            damaged,
        }
    }

    /// Describes the record of an environment's key, or of the key of what spans environments.
    pub(crate) fn of_realm(name: &RealmName, id: &RecordId, damaged: Damage) -> Self {
        DamagedRecord {
            environment: name.environment.clone(),
            ..Self::unnamed(id, damaged)
        }
    }

    /// Describes a record that people know by no name.
    pub(crate) fn unnamed(id: &RecordId, damaged: Damage) -> Self {
        let kind = match id.collection().kind().as_u8() {
            kind::TAG | kind::REALM => "environment",
            kind::LOG_KEY => "log_key",
            kind::CHECKPOINT => "checkpoint",
            _ => "record",
        };
        DamagedRecord {
            kind,
            id: id.to_string(),
            record: id.to_string(),
            environment: None,
            damaged,
        }
    }

    /// The place that it hides, in words.
    pub(crate) fn place(&self) -> String {
        match &self.environment {
            Some(environment) => format!("environment `{environment}` (record {})", self.record),
            None => format!("the environment of record {}", self.record),
        }
    }

    /// The sort of the record, which decides the way out.
    pub(crate) fn affected(&self) -> Affected {
        match self.kind {
            "key" => Affected::Key,
            "token" => Affected::Token,
            "environment" => Affected::Environment,
            _ => Affected::Other,
        }
    }
}

/// The part of a damaged key record that a principal may learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// Its id and the reason.
    All,
    /// That a list may be incomplete.
    MayBeIncomplete,
    /// Nothing: the record is none of the principal's.
    Nothing,
}

impl Inner {
    /// Decides which part of a damaged key record a principal may learn.
    pub(crate) fn told_of_key(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        realm: &Realm,
        id: &RecordId,
    ) -> Told {
        let Some(environment) = &realm.name.environment else {
            return Told::Nothing;
        };
        let namespace = &realm.name.namespace;
        let allows = |key: Option<&KeyName>| {
            self.allowed(attempt, principal, scope, namespace, Some(environment), key)
                .is_ok()
        };
        let Principal::Token(holder) = principal else {
            return Told::All;
        };
        if allows(None) {
            return Told::All;
        }
        let restricted = holder.restrictions.iter().filter_map(|one| one.keys.as_deref());
        let limits = holder.held.record.grant.keys.as_deref().into_iter().chain(restricted);
        for patterns in limits {
            let Some(names) = whole_names(patterns) else { continue };
            let its_own = |name: &&KeyName| realm.keys.record_id(name.as_str()) == *id.id() && allows(Some(name));
            return match names.iter().any(|name| its_own(&name)) {
                true => Told::All,
                false => Told::Nothing,
            };
        }
        Told::MayBeIncomplete
    }
}

/// The names that some patterns stand for; `None` if one of them has a wildcard.
fn whole_names(patterns: &[Pattern]) -> Option<Vec<KeyName>> {
    let names = patterns.iter().map(|pattern| {
        let text = pattern.as_str();
        (!text.contains(['*', '?'])).then(|| text.parse().ok()).flatten()
    });
    names.collect()
}

/// A record as a walk meets it: sound, or with the reason why it is refused.
pub(crate) type Met<R> = (RecordId, Result<R, Damage>);

/// A walk over every record of a collection: those in the store, and those that this node has seen there before.
pub(crate) struct Walk<'a> {
    inner: &'a Inner,
    realm: Arc<Realm>,
    collection: Collection,
    after: Option<RecordId>,
    ended: bool,
}

impl Inner {
    /// Walks over the records of one kind in a realm, from behind an id on.
    pub(crate) fn walk_records<R: Record>(&self, realm: &Arc<Realm>, after: Option<[u8; 16]>) -> Result<Walk<'_>> {
        let collection = realm.collection(R::KIND)?;
        Ok(Walk {
            inner: self,
            realm: Arc::clone(realm),
            collection,
            after: after.map(|id| RecordId::new(collection, id)),
            ended: false,
        })
    }
}

impl Walk<'_> {
    /// The next records in the order of their ids; `None` at the end.
    pub(crate) async fn next<R: Record>(&mut self) -> Result<Option<Vec<Met<R>>>> {
        let Some(ids) = self.ids().await? else { return Ok(None) };
        let mut met = Vec::with_capacity(ids.len());
        for id in ids {
            match self.inner.read::<R>(&self.realm, &id).await {
                Ok(Some(held)) => met.push((id, Ok(held.record))),
                // Gone since it was listed, which only happens to a record that nobody has to keep.
                Ok(None) => {}
                Err(Error::Integrity { damage, .. }) => met.push((id, Err(damage))),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(met))
    }

    async fn ids(&mut self) -> Result<Option<Vec<RecordId>>> {
        if self.ended {
            return Ok(None);
        }
        let after = self.after;
        let mut ids = self.inner.store.list(&self.collection, after.as_ref(), PAGE).await?;
        self.ended = ids.len() < PAGE;
        let until = ids.last().copied().filter(|_| !self.ended);
        self.after = until;
        // A record that this node has seen and the store does not list is missing, and not simply absent.
        ids.extend(
            self.inner
                .floors
                .seen(&self.collection, after.as_ref(), until.as_ref())
                .await?,
        );
        ids.sort_unstable();
        ids.dedup();
        Ok(Some(ids))
    }
}
