//! Making the realm of an environment.

use super::Changes;
use crate::base::error::Result;
use crate::model::environment::Class;
use crate::realm::RealmName;
use crate::realm::make::{Opening, make_realm};

impl Changes {
    /// Makes a realm, and makes this node find it.
    pub(crate) async fn make(
        &self,
        name: &RealmName,
        class: Class,
        attempt: &crate::gate::attempt::Attempt<'_>,
        by: &str,
    ) -> Result<()> {
        let opening = Opening {
            vault: self.records.vault,
            store: self.records.store.as_ref(),
            keyring: &self.records.keyring,
        };
        let made = make_realm(&opening, name, class, attempt.at, by).await;
        self.records.realms.forget_all();
        made
    }
}
