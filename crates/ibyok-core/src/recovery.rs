//! After a crash: what was about to be taken away is taken away.
//!
//! A crash between log and store leaves a note without an end. Nobody was told that it was done, but somebody wanted it gone; so
//! it is applied again, which changes nothing where it was done after all.

use std::sync::Arc;

use ibyok_audit::{Action, Principal as Who, PrincipalKind};
use ibyok_storage::RecordId;

use crate::attempt::Attempt;
use crate::change::Edit;
use crate::context::RequestContext;
use crate::error::Result;
use crate::model::key::{KeyRecord, Stamp};
use crate::model::token::TokenRecord;
use crate::realm::Realm;
use crate::take_away::TakeAway;
use crate::vault::Inner;

impl Inner {
    /// Applies what a crash interrupted.
    pub(crate) async fn finish_interrupted(self: &Arc<Self>, actor: &str) -> Result<()> {
        for (id, what) in self.floors.interrupted() {
            let tag = ibyok_crypto::RealmTag::from_bytes(*id.collection().realm()).ok();
            let Some(tag) = tag else { continue };
            let Some(name) = self.realm_by_tag(tag).await? else {
                continue;
            };
            let Some(realm) = self.realm(&name).await? else {
                continue;
            };
            tracing::warn!(record = %id, %what, "a change was interrupted by a crash and is applied again");
            self.apply_again(&realm, id, *what, actor).await?;
        }
        Ok(())
    }

    async fn apply_again(self: &Arc<Self>, realm: &Realm, id: &RecordId, what: TakeAway, actor: &str) -> Result<()> {
        let action = match what {
            TakeAway::DisableKey | TakeAway::DisableVersion(_) => Action::KeyDisable,
            TakeAway::RemoveKey => Action::KeyRemove,
            TakeAway::RevokeToken { .. } => Action::TokenRevoke,
        };
        let nowhere = RequestContext::default();
        let mut attempt = Attempt::new(action, self.now(), &nowhere);
        attempt.principal = Some(Who::new(PrincipalKind::Operator).id(actor));
        attempt.namespace = Some(realm.name.namespace.to_string());
        attempt.environment = realm.name.environment.as_ref().map(ToString::to_string);
        attempt.record = Some(id.to_string());
        attempt.reason = Some("interrupted");
        let stamp = Stamp {
            at: attempt.at,
            by: actor.to_owned(),
        };
        if let TakeAway::RevokeToken { .. } = what {
            let edit = |_: &mut Attempt<'_>, record: Option<TokenRecord>| {
                Ok(again(record, |record| record.take_away(what, &stamp), what))
            };
            self.change(&mut attempt, realm, *id.id(), edit).await?;
        } else {
            let edit = |_: &mut Attempt<'_>, record: Option<KeyRecord>| {
                Ok(again(record, |record| record.take_away(what, &stamp), what))
            };
            self.change(&mut attempt, realm, *id.id(), edit).await?;
        }
        // Whatever it came to, the note has its end now.
        self.floors.withdraw(id)
    }
}

fn again<R>(record: Option<R>, apply: impl FnOnce(&mut R) -> bool, what: TakeAway) -> Edit<R, ()> {
    let Some(mut record) = record else {
        return Edit::Unchanged(());
    };
    if apply(&mut record) {
        Edit::TakesAway(record, (), what)
    } else {
        Edit::Unchanged(())
    }
}
