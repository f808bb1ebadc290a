//! The request that opens an incident.

use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::model::account::check_account;
use crate::model::write::KeyWrite;

/// The request to open an incident on a key that may have leaked.
#[derive(Debug)]
#[non_exhaustive]
pub struct IncidentRequest {
    /// The reason, in 1 to 4,096 bytes.
    pub reason: String,
    /// The time since which the key may have been in other hands.
    pub since: Option<Timestamp>,
    /// True if the key is disabled at once, for all callers.
    pub freeze: bool,
    /// Revoke the tokens that read the key from then on.
    pub revoke_readers: Option<Timestamp>,
    /// The new value, which becomes current once the old version is marked.
    pub replace: Option<KeyWrite>,
}

impl IncidentRequest {
    /// Makes a request with a reason: the version is marked, and is still served.
    pub fn new(reason: impl Into<String>) -> Self {
        IncidentRequest {
            reason: reason.into(),
            since: None,
            freeze: false,
            revoke_readers: None,
            replace: None,
        }
    }

    /// Sets the time since which the key may have been in other hands.
    #[must_use]
    pub fn since(mut self, since: Option<Timestamp>) -> Self {
        self.since = since;
        self
    }

    /// Sets whether the key is disabled.
    #[must_use]
    pub fn freeze(mut self, freeze: bool) -> Self {
        self.freeze = freeze;
        self
    }

    /// Revokes the tokens that read the key since this time, if one is given.
    #[must_use]
    pub fn revoke_readers(mut self, since: Option<Timestamp>) -> Self {
        self.revoke_readers = since;
        self
    }

    /// Sets a new value that takes the place of the leaked one at once. A request that freezes the key has none.
    #[must_use]
    pub fn replace(mut self, value: impl Into<KeyWrite>) -> Self {
        self.replace = Some(value.into());
        self
    }

    pub(crate) fn check(&self, now: Timestamp) -> Result<()> {
        check_account("reason", &self.reason)?;
        let times = [self.since, self.revoke_readers];
        if times.into_iter().flatten().any(|time| time > now) {
            return Err(Error::invalid("the time is in the future", "give a time in the past"));
        }
        if self.freeze && self.replace.is_some() {
            return Err(Error::invalid(
                "a frozen key serves no new value",
                "give only one of the two: freeze the key if there is no new value yet, else give the new value",
            ));
        }
        Ok(())
    }
}
