//! The key that a permit is for.

use std::sync::Arc;

use super::Gate;
use super::permit::Permit;
use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::model::key::KeyRecord;
use crate::records::cache::Held;

impl Gate {
    /// Returns the key that a permit is for. The caller must hold the lease.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a key that never existed or was removed.
    pub(crate) async fn key(&self, permit: &Permit) -> Result<Arc<Held<KeyRecord>>> {
        let held = self.records.live_key(permit.realm(), permit.id()).await?;
        held.ok_or_else(|| no_key(permit))
    }
}

/// The refusal of a key that does not exist, or exists no more.
pub(crate) fn no_key(permit: &Permit) -> Error {
    Error::NotFound {
        what: format!("key `{}`", permit.label()),
        hint: Some(Remedy::ListKeys),
    }
}
