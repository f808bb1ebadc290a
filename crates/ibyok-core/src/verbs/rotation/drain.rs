//! The consumers that still need a version: each active one has to have read the current version, and not the old one
//! since.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibyok_crypto::RealmTag;
use ibyok_policy::{TokenId, valid_at};
use jiff::{SignedDuration, Timestamp};

use crate::base::error::{Error, Part, Result};
use crate::model::key::KeyRecord;
use crate::model::name::KeyId;
use crate::model::token::TokenRecord;
use crate::realm::Realm;
use crate::uses::consumers::Consumers;
use crate::uses::{Caller, Reader};
use crate::vault::Inner;

/// In the place of a version: reads of which it is not known which version they were of.
const UNKNOWN: u32 = 0;

/// The users of a key in the last 90 days.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    pub(crate) users: Vec<User>,
    /// The causes that may hide a consumer: nodes that do not report, counts that do not open.
    pub(crate) unseen: Vec<String>,
}

/// A user of a key, with its reads version by version.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) caller: Caller,
    pub(crate) name: Option<String>,
    pub(crate) reads: BTreeMap<u32, Reader>,
    /// True if it may still read: a token that is or becomes valid, or an operator.
    pub(crate) active: bool,
}

/// The reason for which a user still needs a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// It has not read the current version.
    NotYet,
    /// It has read the current version, and then the old one again.
    ReadSince(Timestamp),
    /// It has read the old version more recently than was asked to wait.
    NotQuiet(Timestamp),
}

impl User {
    /// Returns the name of the user for people.
    pub(crate) fn label(&self) -> String {
        let id = match &self.caller {
            Caller::Token(id) => id.to_string(),
            Caller::Operator(name) => name.clone(),
            Caller::Others => "other consumers, too many to list separately".to_owned(),
        };
        match &self.name {
            Some(name) => format!("{name} ({id})"),
            None => id,
        }
    }

    /// Returns the need of the user for the version, or with `None` for any version before the current one. A pending
    /// version is needed by nobody.
    pub(crate) fn needs(
        &self,
        record: &KeyRecord,
        version: Option<u32>,
        now: Timestamp,
        quiet: SignedDuration,
    ) -> Option<Need> {
        let current = record.current()?.number;
        let pending = record.pending().map(|version| version.number);
        let old = |number: u32| number != current && Some(number) != pending;
        if !self.active || matches!(self.caller, Caller::Operator(_)) || !self.reads.keys().any(|n| old(*n)) {
            return None;
        }
        let Some(new) = self.reads.get(&current).and_then(|read| read.proven) else {
            return Some(Need::NotYet);
        };
        let asked = |number: u32| version.is_none_or(|version| version == number) || number == UNKNOWN;
        let reads = self.reads.iter().filter(|(number, _)| old(**number) && asked(**number));
        let last = reads.map(|(_, read)| read.last).max()?;
        if last >= new {
            return Some(Need::ReadSince(last));
        }
        (quiet > SignedDuration::ZERO && now.duration_since(last) < quiet).then_some(Need::NotQuiet(last))
    }
}

impl Uses {
    /// Returns the users that keep a version from going, each with its reason. Empty if the version may go.
    pub(crate) fn hold_up(
        &self,
        record: &KeyRecord,
        version: u32,
        now: Timestamp,
        quiet: SignedDuration,
    ) -> Vec<String> {
        let current = record.current().map_or(UNKNOWN, |version| version.number);
        let users = self.users.iter().filter_map(|user| {
            let why = match user.needs(record, Some(version), now, quiet)? {
                Need::NotYet => format!("has not read version {current} yet"),
                Need::ReadSince(at) => format!("read version {version} again at {at:.0}"),
                Need::NotQuiet(at) => format!("read version {version} at {at:.0}, within the quiet time"),
            };
            Some(format!("{}: {why}", user.label()))
        });
        users.chain(self.unseen.iter().cloned()).collect()
    }
}

impl Consumers {
    /// Returns the causes that may hide a reader, in words.
    pub(crate) fn unseen(&self) -> Vec<String> {
        let behind = self.behind.iter().map(|node| {
            let (id, actor, last) = (&node.node, &node.actor, node.last);
            format!("node {id} (run by {actor}): has not reported its reads since {last:.0}")
        });
        let damaged = match self.damaged {
            0 => None,
            1 => Some("a consumer whose reads are in a damaged record".to_owned()),
            several => Some(format!(
                "a consumer whose reads are in one of {several} damaged records"
            )),
        };
        behind.chain(damaged).collect()
    }
}

impl Inner {
    /// Returns the callers that read a key in the last 90 days, and whether each still can.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the store does not answer.
    pub(crate) async fn uses(self: &Arc<Self>, realm: &Arc<Realm>, key: KeyId) -> Result<Uses> {
        let consumers = self.usage.consumers(realm, key).await?;
        let unseen = consumers.unseen();
        let mut users: Vec<User> = Vec::new();
        for reader in consumers.readers {
            let position = users.iter().position(|user| user.caller == reader.caller);
            let known = position.and_then(|position| users.get_mut(position));
            match known {
                Some(user) => drop(user.reads.insert(reader.version, reader)),
                None => users.push(User {
                    active: self.is_active(&reader.caller).await?,
                    caller: reader.caller.clone(),
                    name: reader.name.clone(),
                    reads: BTreeMap::from([(reader.version, reader)]),
                }),
            }
        }
        Ok(Uses { users, unseen })
    }

    async fn is_active(&self, caller: &Caller) -> Result<bool> {
        match caller {
            Caller::Token(id) => self.may_come_again(*id).await,
            Caller::Operator(_) | Caller::Others => Ok(true),
        }
    }

    /// True if a token is or becomes valid. A token that cannot be checked counts as valid.
    async fn may_come_again(&self, id: TokenId) -> Result<bool> {
        let Ok(tag) = RealmTag::from_bytes(id.tag()) else {
            return Ok(false);
        };
        let name = match self.records.realm_by_tag(tag).await {
            Ok(Some(name)) => name,
            Ok(None) => return Ok(false),
            Err(error) => return unseen(error),
        };
        let realm = match self.records.realm(&name).await {
            Ok(Some(realm)) => realm,
            Ok(None) => return Ok(false),
            Err(error) => return unseen(error),
        };
        let held = match self.records.load::<TokenRecord>(&realm, id.bytes()).await {
            Ok(Some(held)) => held,
            Ok(None) => return Ok(false),
            Err(error) => return unseen(error),
        };
        let now = self.records.now();
        let over = held.record.grant.expires.is_some_and(|expires| now >= expires);
        let began = held.record.grant.not_before.is_none_or(|begins| now >= begins);
        if over || held.record.revoked.is_some() || (began && valid_at(&held.record.grant, &[], now).is_err()) {
            return Ok(false);
        }
        match self.gate.ancestry_holds(&realm, &held.record).await {
            Ok(holds) => Ok(holds.is_ok()),
            Err(error) => unseen(error),
        }
    }
}

/// Counts a record that does not open as a token that comes again. A store that does not answer is an error.
fn unseen(error: Error) -> Result<bool> {
    match error {
        Error::Unavailable { part: Part::Store, .. } => Err(error),
        _ => Ok(true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sealed;
    use crate::model::key::{Role, VersionRecord};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn version(number: u32, role: Role) -> VersionRecord {
        VersionRecord {
            number,
            role,
            disabled: false,
            compromised: false,
            sealed: None,
            value_name: None,
            fingerprint: Sealed(Vec::new()),
            trimmed: None,
            created: at("2026-11-01T00:00:00Z"),
            created_by: "test".to_owned(),
            changes: Vec::new(),
        }
    }

    fn record() -> KeyRecord {
        KeyRecord {
            rev: 1,
            name: "openai".parse().unwrap(),
            provider: None,
            variable: "OPENAI".to_owned(),
            variable_named: true,
            labels: BTreeMap::new(),
            created: at("2026-11-01T00:00:00Z"),
            created_by: "test".to_owned(),
            disabled: false,
            mode: None,
            limit: None,
            rotate_every: None,
            expires: None,
            removed: None,
            last_version: 2,
            versions: vec![version(1, Role::Retiring), version(2, Role::Current)],
        }
    }

    fn read(version: u32, first: &str, last: &str, now: Timestamp) -> (u32, Reader) {
        let (first, last) = (at(first), at(last));
        let reader = Reader {
            caller: Caller::Others,
            name: None,
            version,
            count: 1,
            first,
            last,
            proven: [last, first].into_iter().find(|at| *at <= now),
            network: None,
        };
        (version, reader)
    }

    fn needs(reads: [(u32, Reader); 2], now: Timestamp) -> Option<Need> {
        let user = User {
            caller: Caller::Others,
            name: None,
            reads: BTreeMap::from(reads),
            active: true,
        };
        user.needs(&record(), Some(1), now, SignedDuration::ZERO)
    }

    #[test]
    fn a_read_by_a_clock_that_was_ahead_proves_nothing() {
        let now = at("2026-11-24T12:00:00Z");
        let old = || read(1, "2026-11-20T00:00:00Z", "2026-11-24T11:00:00Z", now);
        // The new version was read while the clock was ten years ahead; then it was set right, and the old one was read again.
        let ahead = read(2, "2036-11-24T10:00:00Z", "2036-11-24T10:00:00Z", now);
        assert_eq!(needs([old(), ahead], now), Some(Need::NotYet));
        let partly = read(2, "2026-11-24T10:00:00Z", "2036-11-24T10:00:00Z", now);
        let since = Some(Need::ReadSince(at("2026-11-24T11:00:00Z")));
        assert_eq!(needs([old(), partly], now), since);
        let right = read(2, "2026-11-24T10:00:00Z", "2026-11-24T11:30:00Z", now);
        assert_eq!(needs([old(), right], now), None);
    }
}
