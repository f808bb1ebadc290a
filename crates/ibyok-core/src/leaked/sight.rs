//! The values that a principal may read at this moment. Only an answer about those values may depend on them.

use std::sync::Arc;

use ibyok_policy::Scope;
use ibyok_storage::Collection;

use super::tries::Counted;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::leaked::Leaks;
use crate::model::key::KeyRecord;
use crate::model::leaked::LeakedRecord;
use crate::model::mode::Mode;
use crate::model::name::KeyId;
use crate::model::which_version::WhichVersion;
use crate::realm::Realm;
use crate::records::record::Record;

/// The number of records of leaked values that are read. A realm with more has one that a token may not read.
const LOOKED_AT: usize = 64;

/// The part of an environment's values that a principal sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// An operator: everything.
    All,
    /// A token that may read every key of the environment, which is live: it sees the values that are served.
    Served,
    /// A token that may not, or that is given mocks.
    Blind,
}

impl Sight {
    /// Returns true if every field of a write is looked up, and not only the value itself.
    pub(super) fn looks_at_all(self) -> bool {
        match self {
            Sight::All | Sight::Served => true,
            Sight::Blind => false,
        }
    }
}

impl Leaks {
    /// Returns the part of the values of a permit's environment that its principal sees. The caller must hold the lease.
    pub(super) async fn sight(&self, attempt: &Attempt<'_>, permit: &Permit) -> Result<Sight> {
        let who = permit.principal();
        if who.holder().is_none() {
            return Ok(Sight::All);
        }
        if !self
            .gate
            .could(attempt, who, Scope::KeysRead, &permit.realm().name, None)
        {
            return Ok(Sight::Blind);
        }
        match self.modes.mode_of_environment(permit.realm()).await {
            Ok(Mode::Live) => Ok(Sight::Served),
            Ok(Mode::Mock) | Err(Error::Integrity { .. }) => Ok(Sight::Blind),
            Err(error) => Err(error),
        }
    }

    /// The tries of the holder of a permit; `None` for a principal that could read everything that an answer shows. `beside`
    /// says that values are compared which are not yet known to have leaked.
    ///
    /// # Errors
    /// [`Error::Limited`].
    pub(super) async fn counted(
        &self,
        attempt: &Attempt<'_>,
        permit: &Permit,
        (sight, beside): (Sight, bool),
    ) -> Result<Option<Counted>> {
        let Some(holder) = permit.principal().holder() else {
            return Ok(None);
        };
        if !beside && !self.hides_leaked(attempt, permit).await? {
            return Ok(None);
        }
        self.tries_of(holder, sight == Sight::Blind).await.map(Some)
    }

    /// Returns true if a value leaked in the environment that a token may not read at this moment.
    async fn hides_leaked(&self, attempt: &Attempt<'_>, permit: &Permit) -> Result<bool> {
        let collection: Collection = permit.realm().collection(LeakedRecord::KIND)?;
        let ids = self.records.store.list(&collection, None, LOOKED_AT).await?;
        for id in &ids {
            let held = match self.records.load::<LeakedRecord>(permit.realm(), *id.id()).await {
                Ok(Some(held)) => held,
                Ok(None) => continue,
                Err(Error::Integrity { .. }) => return Ok(true),
                Err(error) => return Err(error),
            };
            if !self.reads_leaked(attempt, permit, &held.record).await? {
                return Ok(true);
            }
        }
        Ok(ids.len() == LOOKED_AT)
    }

    /// Decides whether a principal may read, at this moment, the version whose value leaked first.
    async fn reads_leaked(&self, attempt: &Attempt<'_>, permit: &Permit, leaked: &LeakedRecord) -> Result<bool> {
        let Ok(id) = leaked.key_id.parse::<KeyId>() else {
            return Ok(false);
        };
        let held = match self.records.live_key(permit.realm(), id).await {
            Ok(Some(held)) => held,
            Ok(None) | Err(Error::Integrity { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let of = (permit.principal(), permit.realm());
        self.reads_version(attempt, of, &held.record, leaked.version.into())
            .await
    }

    /// Decides whether the holder of a permit may read the value that its key has now. Only then may an answer show
    /// whether another value is the same.
    pub(crate) async fn reads_current(&self, attempt: &Attempt<'_>, permit: &Permit) -> Result<bool> {
        let held = self.records.live_key(permit.realm(), permit.id()).await?;
        match held {
            Some(held) => {
                self.reads_version(
                    attempt,
                    (permit.principal(), permit.realm()),
                    &held.record,
                    WhichVersion::Current,
                )
                .await
            }
            None => Ok(permit.principal().holder().is_none()),
        }
    }

    /// Decides the same for any version of a key. The caller must hold the lease.
    pub(crate) async fn reads_version(
        &self,
        attempt: &Attempt<'_>,
        (who, realm): (&Principal, &Arc<Realm>),
        key: &KeyRecord,
        which: WhichVersion,
    ) -> Result<bool> {
        if who.holder().is_none() {
            return Ok(true);
        }
        let served = key.served(key.name.as_str(), which).is_ok();
        if !served
            || !self
                .gate
                .could(attempt, who, Scope::KeysRead, &realm.name, Some(&key.name))
        {
            return Ok(false);
        }
        match self.modes.mode_of(realm, key).await {
            Ok((mode, _)) => Ok(mode == Mode::Live),
            Err(Error::Integrity { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
