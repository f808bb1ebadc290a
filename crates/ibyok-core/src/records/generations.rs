//! Realms that a part of the vault holds for long, with the generations of their keys as they are now.
//!
//! A generation that is retiring never seals. So a part that keeps an opened realm asks here before it seals, and also before it opens a
//! record that another node may have sealed since.

use std::sync::{Arc, PoisonError};

use ibyok_crypto::RealmKeys;

use super::Records;
use crate::base::error::Result;
use crate::realm::Realm;

impl Records {
    /// Returns the realm as it is now, if its record may have changed since it was opened; `None` if `realm` is the newest, or if it was
    /// removed. Costs nothing while no environment key record changes. The caller must hold the lease.
    ///
    /// # Errors
    /// As [`Records::realm`].
    pub(crate) async fn newer(&self, realm: &Realm) -> Result<Option<Arc<Realm>>> {
        if realm.as_of == self.realms.changes() {
            return Ok(None);
        }
        let now = self.realm(&realm.name).await?;
        // Another realm of the same name opens nothing of this one.
        Ok(now.filter(|now| now.tag() == realm.tag()))
    }

    /// Returns the realm as it is now.
    ///
    /// # Errors
    /// As [`Records::realm`].
    pub(crate) async fn newest(&self, realm: &Arc<Realm>) -> Result<Arc<Realm>> {
        Ok(self.newer(realm).await?.unwrap_or_else(|| Arc::clone(realm)))
    }

    /// Returns the realm with the generation that sealed these bytes, if `realm` does not have it: another node began the generation since.
    ///
    /// # Errors
    /// As [`Records::realm`], and [`Error::Unavailable`](crate::Error::Unavailable) if the change feed cannot be read.
    pub(crate) async fn with_generation_of(&self, realm: &Realm, sealed: &[u8]) -> Result<Option<Arc<Realm>>> {
        let Ok(number) = RealmKeys::generation_of(sealed) else {
            return Ok(None);
        };
        if realm.keys.holds(number) {
            return Ok(None);
        }
        self.renew_lease().await?;
        let newer = self.newer(realm).await?;
        Ok(newer.filter(|newer| newer.keys.holds(number)))
    }

    /// Returns the home as it is now. If its record cannot be read or opened at the moment, returns it as this node knew it last: its name,
    /// its tag and its keyed hashes never change.
    pub(crate) async fn home_now(&self) -> Arc<Realm> {
        let held = Arc::clone(&self.newest_home.read().unwrap_or_else(PoisonError::into_inner));
        match self.newer(&held).await {
            Ok(None) => held,
            Ok(Some(newer)) => {
                let mut newest = self.newest_home.write().unwrap_or_else(PoisonError::into_inner);
                *newest = Arc::clone(&newer);
                newer
            }
            Err(error) => {
                tracing::debug!(%error, "the environment key record of the home was not read again");
                held
            }
        }
    }
}
