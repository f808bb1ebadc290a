//! The status of a rotation: the readers of each version, and the consumers that have not read the new one. Also the
//! rule for who may see them.

use ibyok_audit::Action;
use ibyok_policy::Scope;
use ipnet::IpNet;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::drain::{Need, User, Uses};
use crate::base::error::Result;
use crate::base::words::words;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::model::caller_kind::CallerKind;
use crate::model::key::VersionRecord;
use crate::model::key::VersionState;
use crate::model::key_ref::KeyRef;
use crate::model::name::KeyId;
use crate::uses::Caller;
use crate::vault::Inner;
use crate::vault::handles::RotationVerbs;
use crate::verbs::keys::whole_key;

/// The status of a key's rotation.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RotationStatus {
    /// `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub id: KeyId,
    /// The current version's number.
    pub version: Option<u32>,
    /// Every version, oldest first, with who read it within 90 days.
    pub versions: Vec<VersionUse>,
    /// The consumers that are valid and have not read the current version, or have read an older one since.
    pub waiting_for: Vec<Waiting>,
    /// The causes that may hide a consumer: nodes that do not report, counts that do not open.
    pub unseen: Vec<String>,
    /// True if consumers are shown: a token needs `usage:read` or `keys:rotate` for the key. Without, the three lists
    /// are empty.
    pub consumers_shown: bool,
}

/// A version with those who read it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct VersionUse {
    /// The number.
    pub version: u32,
    /// `destroyed`, else `disabled`, else the role.
    pub state: VersionState,
    /// The readers of the version, the last reader first.
    pub consumers: Vec<Consumer>,
}

/// A reader of a version.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Consumer {
    /// The token's id, or the operator's name.
    pub token: String,
    /// `token`, `operator`, or `others` for callers beyond the number that is counted separately.
    pub kind: CallerKind,
    /// The token's name.
    pub name: Option<String>,
    /// The time of its last read of the version.
    pub last: Timestamp,
    /// The number of its reads.
    pub count: u64,
    /// The network of the last read.
    pub network: Option<IpNet>,
    /// True if it can still read: a token that is valid, or an operator.
    pub active: bool,
}

words! {
    /// The reason why an older version is kept for a consumer.
    pub enum WaitingFor {
        /// It has not read the current version.
        NotYet = "not_yet",
        /// It has read the current version, and then an older one again.
        ReadSince = "read_since",
    }
}

/// A consumer for which an older version is kept.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The token's id.
    pub token: String,
    /// The token's name.
    pub name: Option<String>,
    /// The version that it read last.
    pub version: Option<u32>,
    /// The time of that read.
    pub last: Option<Timestamp>,
    /// `not_yet`: it has not read the current version; `read_since`: it has, and then an older one again.
    pub why: WaitingFor,
}

impl RotationVerbs<'_> {
    /// Returns the status of a key's rotation. Its consumers are shown to a token only with `usage:read` or
    /// `keys:rotate` for the key.
    ///
    /// # Errors
    /// As [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn status(self, key: &KeyRef) -> Result<RotationStatus> {
        let mut attempt = self.session.attempt(Action::KeyShow);
        let outcome = self.try_status(&mut attempt, key).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_status(self, attempt: &mut Attempt<'_>, key: &KeyRef) -> Result<RotationStatus> {
        let permit = self.session.permit(attempt, Scope::KeysList, key).await?;
        whole_key(key)?;
        let held = self.session.inner.gate.key(&permit).await?;
        let consumers_shown = self.session.inner.shows_consumers(attempt, &permit);
        let uses = if consumers_shown {
            self.session.inner.uses(permit.realm(), permit.id()).await?
        } else {
            Uses::default()
        };
        let record = &held.record;
        let waiting = uses.users.iter().filter_map(|user| {
            let need = user.needs(record, None, attempt.at, SignedDuration::ZERO)?;
            Some(waiting(user, need))
        });
        Ok(RotationStatus {
            reference: permit.label(),
            id: permit.id(),
            version: record.current().map(|version| version.number),
            versions: record.versions.iter().map(|version| of(version, &uses)).collect(),
            waiting_for: waiting.collect(),
            unseen: uses.unseen.clone(),
            consumers_shown,
        })
    }
}

impl Inner {
    /// Decides whether the holder of a permit may know the consumers of its key.
    pub(super) fn shows_consumers(&self, attempt: &Attempt<'_>, permit: &Permit) -> bool {
        [Scope::UsageRead, Scope::KeysRotate].into_iter().any(|scope| {
            self.gate.could(
                attempt,
                permit.principal(),
                scope,
                &permit.realm().name,
                Some(permit.key()),
            )
        })
    }
}

fn of(version: &VersionRecord, uses: &Uses) -> VersionUse {
    let readers = uses.users.iter().filter_map(|user| {
        let read = user.reads.get(&version.number)?;
        let (token, kind) = who(&user.caller);
        Some(Consumer {
            token,
            kind,
            name: user.name.clone(),
            last: read.last,
            count: read.count,
            network: read.network,
            active: user.active,
        })
    });
    VersionUse {
        version: version.number,
        state: version.state(),
        consumers: readers.collect(),
    }
}

fn waiting(user: &User, need: Need) -> Waiting {
    let last = user.reads.values().max_by_key(|read| read.last);
    Waiting {
        token: who(&user.caller).0,
        name: user.name.clone(),
        version: last.map(|read| read.version).filter(|version| *version > 0),
        last: last.map(|read| read.last),
        why: match need {
            Need::NotYet => WaitingFor::NotYet,
            Need::ReadSince(_) | Need::NotQuiet(_) => WaitingFor::ReadSince,
        },
    }
}

fn who(caller: &Caller) -> (String, CallerKind) {
    match caller {
        Caller::Token(id) => (id.to_string(), CallerKind::Token),
        Caller::Operator(name) => (name.clone(), CallerKind::Operator),
        Caller::Others => ("others".to_owned(), CallerKind::Others),
    }
}
