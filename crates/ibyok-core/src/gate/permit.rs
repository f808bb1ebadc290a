//! Permits: leave to use one key, which only the gate gives.

use std::sync::Arc;

use crate::gate::principal::Principal;
use crate::model::name::{KeyId, KeyName};
use crate::realm::Realm;

/// Leave to use one key. Names the key that it was given for; loading takes a permit, not a reference.
#[must_use]
#[derive(Debug)]
pub(crate) struct Permit {
    principal: Principal,
    realm: Arc<Realm>,
    key: KeyName,
    id: KeyId,
}

impl Permit {
    /// The one constructor, for the gate after its decision.
    pub(super) fn given(principal: &Principal, realm: Arc<Realm>, key: KeyName, id: KeyId) -> Self {
        Permit {
            principal: principal.clone(),
            realm,
            key,
            id,
        }
    }

    /// The principal that it was given to.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// The realm of the key.
    pub(crate) fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }

    /// The name of the key.
    pub(crate) fn key(&self) -> &KeyName {
        &self.key
    }

    /// The id of the key.
    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// The key's reference, as results and errors show it.
    pub(crate) fn label(&self) -> String {
        self.realm.reference(&self.key)
    }
}
