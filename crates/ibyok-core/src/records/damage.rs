//! Damaged records: the reason why a record is refused, and the part of it that a list may show.
//!
//! A damaged record has no readable name, so no list can filter it by name. A list shows it to callers who may list
//! the whole environment. A token that is limited to key patterns learns only that its list may be incomplete. A
//! token that is limited to whole names learns only about its own keys: their ids follow from their names.

use ibyok_storage::RecordId;
use serde::Serialize;

use crate::base::damage::{Affected, Damage};
use crate::model::kind;
use crate::model::name::EnvironmentName;
use crate::model::record_kind::RecordKind;
use crate::realm::{Realm, RealmName};
use crate::records::record::Record;

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

/// A record that a list cannot show, because it is damaged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DamagedRecord {
    /// The kind of record.
    pub kind: RecordKind,
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

    /// Describes the record of an environment's key, or of the key of the realm that spans environments.
    pub(crate) fn of_realm(name: &RealmName, id: &RecordId, damaged: Damage) -> Self {
        DamagedRecord {
            environment: name.environment.clone(),
            ..Self::unnamed(id, damaged)
        }
    }

    /// Describes a record that people know by no name.
    pub(crate) fn unnamed(id: &RecordId, damaged: Damage) -> Self {
        let kind = match id.collection().kind().as_u8() {
            kind::TAG | kind::REALM => RecordKind::Environment,
            kind::LOG_KEY => RecordKind::LogKey,
            kind::CHECKPOINT => RecordKind::Checkpoint,
            _ => RecordKind::Other,
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
            RecordKind::Key => Affected::Key,
            RecordKind::Token => Affected::Token,
            RecordKind::Environment => Affected::Environment,
            RecordKind::Settings
            | RecordKind::Incident
            | RecordKind::Reviews
            | RecordKind::Attestations
            | RecordKind::LeakedValue
            | RecordKind::LogKey
            | RecordKind::Checkpoint
            | RecordKind::Other => Affected::Other,
        }
    }
}
