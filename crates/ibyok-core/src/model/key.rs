//! The record of a key with its versions.

use std::collections::BTreeMap;

use ibyok_policy::Rate;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::name::KeyName;
pub use super::version::{Role, Stamp, StateChange, VersionMark};
pub(crate) use super::version::{SealedFields, VersionRecord};
use super::which_version::WhichVersion;
use super::write::check_variable_of_a_token;
use crate::base::error::Error;
use crate::base::json::json_length;
use crate::base::memory::{allocated, map_of};
use crate::base::remedy::Remedy;
pub use crate::base::version_state::VersionState;

/// The length up to which the versions of a record may fill it, in bytes of JSON: a megabyte below what every store
/// takes.
const FULL: usize = ibyok_storage::MAX_RECORD - (1 << 20);

/// The sealed body of a key's record. Values inside it are sealed once more, each version under its own data key.
///
/// A field that is not known is an error and never dropped: it may say that the key must not be served.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyRecord {
    pub(crate) rev: u64,
    pub(crate) name: KeyName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provider: Option<String>,
    pub(crate) variable: String,
    /// True if an operator chose the variable. A token's choice is handed out by `run --env` and `export` only where
    /// it is evident.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) variable_named: bool,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) created: Timestamp,
    pub(crate) created_by: String,
    #[serde(default)]
    pub(crate) disabled: bool,
    /// The key's own mode, which overrides its environment's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mode: Option<Mode>,
    /// The limit on its retrievals; the environment's default unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) limit: Option<Rate>,
    /// The age at which a current version is due to be rotated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rotate_every: Option<SignedDuration>,
    /// The time at which the key ends at its provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<Timestamp>,
    /// Set once the key is removed: the record stays as a tombstone, without its versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Stamp>,
    /// The highest version number ever given; never given again, also after a removal.
    pub(crate) last_version: u32,
    #[serde(default)]
    pub(crate) versions: Vec<VersionRecord>,
}

impl KeyRecord {
    /// Gives back spare memory, and returns the bytes of its allocations.
    pub(crate) fn pack_key(&mut self, _stored: usize) -> usize {
        // A list that is read has room for four versions, and most keys have one.
        self.versions.shrink_to_fit();
        let texts = [
            self.variable.capacity(),
            self.created_by.capacity(),
            self.name.as_str().len(),
        ];
        let labels = self
            .labels
            .iter()
            .flat_map(|(name, value)| [name.capacity(), value.capacity()]);
        let provider = self.provider.as_ref().map(String::capacity);
        let texts: usize = texts.into_iter().chain(labels).chain(provider).map(allocated).sum();
        let versions: usize = self.versions.iter().map(VersionRecord::memory).sum();
        let list = allocated(self.versions.capacity().saturating_mul(size_of::<VersionRecord>()));
        texts + map_of(self.labels.len()) + list + versions
    }

    /// Gives it the variable that the caller named.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that a token may not choose.
    pub(crate) fn name_variable(&mut self, variable: &str, by_token: bool) -> Result<(), Error> {
        if by_token {
            check_variable_of_a_token(variable)?;
        }
        variable.clone_into(&mut self.variable);
        self.variable_named = !by_token;
        Ok(())
    }

    /// Returns false for a tombstone.
    pub(crate) fn is_live(&self) -> bool {
        self.removed.is_none()
    }

    pub(crate) fn current(&self) -> Option<&VersionRecord> {
        self.versions.iter().find(|v| v.role == Role::Current)
    }

    /// The version that is staged.
    pub(crate) fn pending(&self) -> Option<&VersionRecord> {
        self.versions.iter().find(|v| v.role == Role::Pending)
    }

    /// Returns the version that is meant, in any state.
    pub(crate) fn version(&self, key: &str, which: WhichVersion) -> Result<&VersionRecord, Error> {
        let found = match which {
            WhichVersion::Current => self.current(),
            WhichVersion::Pending => self.pending(),
            WhichVersion::Number(number) => self.versions.iter().find(|v| v.number == number),
        };
        found.ok_or_else(|| Error::NotFound {
            what: match which {
                WhichVersion::Number(number) => format!("version {number} of key `{key}`"),
                which => format!("{which} version of key `{key}`"),
            },
            hint: Some(Remedy::ListVersions),
        })
    }

    /// The version that is meant, if it may be served.
    pub(crate) fn served(&self, key: &str, which: WhichVersion) -> Result<&VersionRecord, Error> {
        if self.disabled {
            return Err(Error::KeyDisabled { key: key.to_owned() });
        }
        let found = self.version(key, which)?;
        match found.state() {
            VersionState::Destroyed => Err(Error::VersionDestroyed {
                key: key.to_owned(),
                version: found.number,
            }),
            state @ (VersionState::Disabled | VersionState::Retired) => Err(Error::VersionDisabled {
                key: key.to_owned(),
                version: found.number,
                state,
            }),
            VersionState::Pending | VersionState::Current | VersionState::Retiring => Ok(found),
        }
    }

    /// Refuses a record that one more version made too large. Later changes of state must always fit: a version that leaked
    /// must be stopped even if the record is full.
    pub(crate) fn has_room(&self) -> Result<(), Error> {
        if json_length(self) <= FULL {
            return Ok(());
        }
        Err(Error::too_many_versions(FULL))
    }
}
