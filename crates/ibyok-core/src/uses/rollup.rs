//! The record of one node's counts of one key, or of one token, on one day.

use std::sync::Arc;

use ibyok_crypto::{Secret, cut};
use ibyok_policy::{Scopes, TokenId};
use ibyok_storage::{RecordId, Stored};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::caller::Caller;
use super::tally::Tally;
use crate::base::error::{Error, Result};
use crate::model::kind;
use crate::model::name::KeyId;
use crate::realm::{Realm, open_failed};

/// The number of rows of one record, so that none grows large. A subject with more rows continues in the next part.
pub(crate) const ROWS_MAX: usize = 64;

/// The subject of the counts of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// The uses of a key: in the realm of its environment.
    Key(KeyId),
    /// The uses of a token: in the token's realm.
    Token(TokenId),
}

impl Subject {
    /// The subject of uses beyond the number that can be counted separately.
    pub(crate) const REST: Subject = Subject::Key(KeyId([0; 16]));

    pub(crate) fn kind(self) -> u8 {
        match self {
            Subject::Key(_) => kind::KEY_USE,
            Subject::Token(_) => kind::TOKEN_USE,
        }
    }

    fn prefix(self) -> [u8; 8] {
        let bytes = match self {
            Subject::Key(id) => id.0,
            Subject::Token(id) => id.bytes(),
        };
        cut(bytes)
    }
}

/// The 16 bytes of a record's id: half of its subject's id, the day, the node, the part. So one subject's records are one range
/// of a listing, and a record's day is known without opening it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RollupId {
    pub(crate) subject: [u8; 8],
    pub(crate) day: u16,
    pub(crate) node: [u8; 5],
    pub(crate) part: u8,
}

impl RollupId {
    pub(crate) fn of(subject: Subject, day: u16, node: [u8; 5], part: u8) -> Self {
        RollupId {
            subject: subject.prefix(),
            day,
            node,
            part,
        }
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = self.subject;
        let [d0, d1] = self.day.to_be_bytes();
        let [n0, n1, n2, n3, n4] = self.node;
        [s0, s1, s2, s3, s4, s5, s6, s7, d0, d1, n0, n1, n2, n3, n4, self.part]
    }

    pub(crate) fn parse(bytes: &[u8; 16]) -> Option<Self> {
        let (subject, rest) = bytes.split_first_chunk::<8>()?;
        let (day, rest) = rest.split_first_chunk::<2>()?;
        let (node, rest) = rest.split_first_chunk::<5>()?;
        Some(RollupId {
            subject: *subject,
            day: u16::from_be_bytes(*day),
            node: *node,
            part: *rest.first()?,
        })
    }

    /// The id right before the first that a subject may have on a day, for a listing that begins after it.
    pub(crate) fn before(subject: Subject, day: u16) -> Option<[u8; 16]> {
        let first = RollupId::of(subject, day, [0; 5], 0);
        // A listing excludes the id that it begins after, so the id one lower includes the first.
        u128::from_be_bytes(first.bytes()).checked_sub(1).map(u128::to_be_bytes)
    }
}

/// The sealed body.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rollup {
    pub(crate) rev: u64,
    /// The node's log, and up to which of its lines everything that belongs to these rows is counted.
    pub(crate) node: String,
    pub(crate) seq: u64,
    pub(crate) subject: Subject,
    pub(crate) day: u16,
    pub(crate) rows: Vec<Row>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    pub(crate) of: Of,
    /// The name of the token, or of the key: as it was then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    /// The other scopes that a token used.
    #[serde(default, skip_serializing_if = "no_scopes")]
    pub(crate) scopes: Scopes,
    pub(crate) tally: Tally,
}

fn no_scopes(scopes: &Scopes) -> bool {
    scopes.is_empty()
}

impl Row {
    pub(crate) fn merge(&mut self, other: &Row) {
        self.tally.merge(&other.tally);
        self.scopes = self.scopes.iter().chain(other.scopes.iter()).collect();
        if self.name.is_none() {
            self.name.clone_from(&other.name);
        }
    }
}

/// The subject of a row.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Of {
    /// Of a key: the caller and the version. Without a version, the use was mocked or not served.
    Reader {
        caller: Caller,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<u32>,
    },
    /// Of a token: the key. Without a key, the token asked for one that it may not have or that does not exist.
    Key {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        environment: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<KeyId>,
    },
}

impl Of {
    /// Returns the row that takes the uses beyond the rows that one day's records of a subject hold.
    pub(crate) fn others(&self) -> Of {
        match self {
            Of::Reader { version, .. } => Of::Reader {
                caller: Caller::Others,
                version: *version,
            },
            Of::Key { .. } => Of::Key {
                environment: None,
                key: None,
            },
        }
    }
}

/// Opens the body of a record that is no cached one.
pub(crate) fn open_body<T: DeserializeOwned>(
    realm: &Arc<Realm>,
    id: &RecordId,
    stored: &Stored,
    what: &str,
) -> Result<T> {
    let body: Secret = realm
        .keys
        .open_record(&realm.place(id), &stored.bytes)
        .map_err(|error| open_failed(what.to_owned(), error))?;
    serde_json::from_slice(body.expose_secret()).map_err(|_| Error::integrity(what))
}

/// Seals the body of a record that is no cached one.
pub(crate) fn seal_body<T: Serialize>(realm: &Arc<Realm>, id: &RecordId, body: &T, what: &str) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(body).map_err(|_| Error::integrity(what))?;
    realm
        .keys
        .seal_record(&realm.place(id), &body)
        .map_err(|error| open_failed(what.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_id_tells_its_day(subject: [u8; 16], day: u16, node: [u8; 5], part: u8) {
            let id = RollupId::of(Subject::Key(KeyId(subject)), day, node, part);
            prop_assert_eq!(RollupId::parse(&id.bytes()), Some(id));
        }

        #[test]
        fn a_listing_from_a_day_has_that_day_and_none_before(subject: [u8; 16], day in 1u16.., node: [u8; 5], part: u8) {
            let subject = Subject::Key(KeyId(subject));
            let before = RollupId::before(subject, day).unwrap();
            prop_assert!(RollupId::of(subject, day, node, part).bytes() > before);
            prop_assert!(RollupId::of(subject, day - 1, node, part).bytes() <= before);
        }
    }
}
