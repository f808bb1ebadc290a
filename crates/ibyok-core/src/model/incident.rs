//! Incidents: the record of a key that may have leaked, and the part of it that is shown.

use std::fmt;
use std::str::FromStr;

use ibyok_policy::TokenId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key::Stamp;
use super::name::{EnvironmentName, KeyId, KeyName, base62, from_base62};
use crate::base::error::{Error, Result};
use crate::base::words::words;

/// The number of notes that an incident keeps.
const NOTES_MAX: usize = 200;

/// An incident's public id: `inc_` and 22 base62 characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IncidentId(pub(crate) [u8; 16]);

impl IncidentId {
    const PREFIX: &'static str = "inc_";
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", Self::PREFIX, base62(self.0))
    }
}

impl fmt::Debug for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IncidentId({self})")
    }
}

impl Serialize for IncidentId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for IncidentId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.strip_prefix(Self::PREFIX)
            .and_then(from_base62)
            .map(IncidentId)
            .ok_or_else(|| {
                Error::invalid_name(
                    "incident",
                    text,
                    "`inc_` and 22 base62 characters, or a key's reference",
                )
            })
    }
}

/// The sealed body of an incident's record, in the realm that spans its key's namespace.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct IncidentRecord {
    pub(crate) rev: u64,
    pub(crate) environment: EnvironmentName,
    pub(crate) key: KeyName,
    /// The key's id in its printed form.
    pub(crate) key_id: String,
    /// The versions that may have leaked.
    pub(crate) versions: Vec<u32>,
    pub(crate) opened: Stamp,
    pub(crate) reason: String,
    /// The time since which the key may have been in other hands, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) since: Option<Timestamp>,
    #[serde(default)]
    pub(crate) frozen: bool,
    /// The tokens that were revoked because they had read the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) revoked: Vec<TokenId>,
    /// The version that took the place of the leaked one when the incident was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) replaced: Option<Replacement>,
    /// The other keys that held the same value, as found by a caller who may read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) copies: Vec<KeyName>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<IncidentNote>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) closed: Option<Closing>,
}

/// Something that was added to an incident after it was opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct IncidentNote {
    /// The time of the note.
    pub at: Timestamp,
    /// The principal that added it.
    pub by: String,
    /// The text of the note.
    pub text: String,
}

/// A version that took the place of a leaked one, in the step that opened the incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Replacement {
    /// The new version.
    pub version: u32,
    /// The time at which the version became current.
    pub at: Timestamp,
    /// The principal that made the version.
    pub by: String,
}

/// The end of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Closing {
    /// The time at which it was closed.
    pub at: Timestamp,
    /// The principal that closed it.
    pub by: String,
    /// The cause of the exposure.
    pub cause: String,
    /// The measure that keeps it from happening again.
    pub prevention: String,
}

impl IncidentRecord {
    pub(crate) fn note(&mut self, stamp: &Stamp, text: String) -> Result<()> {
        if self.notes.len() >= NOTES_MAX {
            return Err(Error::invalid(
                format!("the incident already has {NOTES_MAX} notes"),
                "close the incident, and open another",
            ));
        }
        let (at, by) = (stamp.at, stamp.by.clone());
        self.notes.push(IncidentNote { at, by, text });
        Ok(())
    }

    pub(crate) fn info(&self, id: IncidentId, reference: String) -> IncidentInfo {
        IncidentInfo {
            id,
            reference,
            key_id: self.key_id.clone(),
            state: match self.closed {
                Some(_) => IncidentState::Closed,
                None => IncidentState::Open,
            },
            versions: self.versions.clone(),
            reason: self.reason.clone(),
            opened: self.opened.clone(),
            since: self.since,
            frozen: self.frozen,
            revoked: self.revoked.clone(),
            replaced: self.replaced.clone(),
            notes: self.notes.clone(),
            closed: self.closed.clone(),
        }
    }

    /// The id of the key that it is about.
    pub(crate) fn key(&self) -> Result<KeyId> {
        self.key_id.parse()
    }
}

/// The incidents that a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IncidentsShown {
    /// Only open ones.
    Open,
    /// Closed ones as well.
    All,
}

/// The treatment of an incident whose key still serves a compromised version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IfStillServed {
    /// Refuse to close the incident.
    Refuse,
    /// Close it all the same.
    Close,
}

words! {
    /// The state of an incident.
    pub enum IncidentState {
        /// Something remains to be done.
        Open = "open",
        /// Somebody closed it.
        Closed = "closed",
    }
}

/// An incident, as lists show it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentInfo {
    /// The public id.
    pub id: IncidentId,
    /// The key: `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub key_id: String,
    /// `open` or `closed`.
    pub state: IncidentState,
    /// The versions that are marked compromised because of it.
    pub versions: Vec<u32>,
    /// The reason for which it was opened.
    pub reason: String,
    /// The time at which it was opened, and the principal that opened it.
    pub opened: Stamp,
    /// The time since which the key may have been in other hands, where that is known.
    pub since: Option<Timestamp>,
    /// True if the key was disabled because of it.
    pub frozen: bool,
    /// The tokens that were revoked because of it.
    pub revoked: Vec<TokenId>,
    /// The version that took the place of the leaked one when the incident was opened, if one did.
    pub replaced: Option<Replacement>,
    /// The notes that were added later.
    pub notes: Vec<IncidentNote>,
    /// The end of the incident, once it is closed.
    pub closed: Option<Closing>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_as_it_was_printed() {
        let id = IncidentId([7; 16]);
        assert_eq!(id.to_string().parse::<IncidentId>().unwrap(), id);
        for bad in [
            "",
            "inc_",
            "inc_x",
            "key_0000000000000000000000",
            "INC_0000000000000000000000",
        ] {
            assert!(bad.parse::<IncidentId>().is_err(), "{bad}");
        }
    }
}
