//! Giving up a damaged record: a tombstone takes its place, and no node accepts an older copy after that.

use std::collections::BTreeMap;

use ibyok_audit::Action;
use ibyok_policy::{Environments, Grant, Scopes, TokenId};

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::base::remedy::Remedy;
use crate::gate::attempt::Attempt;
use crate::model::key::{KeyRecord, Stamp};
use crate::model::kind;
use crate::model::name::{KeyId, KeyName};
use crate::model::take_away::{KeyTakeAway, TokenTakeAway};
use crate::model::token::{Revocation, TokenRecord};
use crate::records::damage::DamagedRecord;
use crate::vault::handles::{KeyVerbs, TokenVerbs};
use crate::verbs::environments::operators_only;

/// The name in the tombstone of a key whose own name is lost with its record.
const LOST: &str = "damaged";

/// The answer to a request to remove a key whose record may be whole.
#[derive(Clone, Copy)]
enum MayBeWhole {
    Refuse,
    Remove,
}

impl MayBeWhole {
    fn permits(self, id: KeyId, damage: Damage) -> Result<()> {
        let (why, hint) = match (self, damage) {
            (MayBeWhole::Remove, _)
            | (MayBeWhole::Refuse, Damage::DoesNotOpen | Damage::Missing | Damage::Older | Damage::Kek) => {
                return Ok(());
            }
            (MayBeWhole::Refuse, Damage::UnknownFormat) => (
                "its record has an unknown format, and a newer program may have written it",
                Remedy::RemoveUnknownFormat,
            ),
            (MayBeWhole::Refuse, Damage::Unreadable) => ("the store cannot read its record", Remedy::RemoveUnreadable),
        };
        Err(Error::invalid(format!("key `{id}` may be intact: {why}"), hint))
    }
}

impl KeyVerbs<'_> {
    /// Removes a key whose record is damaged, for an operator. Its values are lost; its name can be used again.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no environment has such a record; [`Error::Invalid`] if the record is sound, or may be whole: its format is not
    /// known, or the store cannot read it; [`Error::Denied`] for a token; [`Error::Integrity`] if the store cannot write there either;
    /// [`Error::Unavailable`].
    pub async fn remove_damaged(self, id: KeyId) -> Result<DamagedRecord> {
        self.give_up_key(id, MayBeWhole::Refuse).await
    }

    /// Removes a key whose record is damaged, also where the record may be whole.
    ///
    /// # Errors
    /// As [`KeyVerbs::remove_damaged`](crate::keys::KeyVerbs::remove_damaged).
    pub async fn remove_damaged_by_force(self, id: KeyId) -> Result<DamagedRecord> {
        self.give_up_key(id, MayBeWhole::Remove).await
    }

    async fn give_up_key(self, id: KeyId, whole: MayBeWhole) -> Result<DamagedRecord> {
        let mut attempt = self.session.attempt(Action::KeyRemove);
        attempt.facts.key_id = Some(id.into());
        attempt.facts.reason = Some("damaged");
        let outcome = self.try_remove_damaged(&mut attempt, id, whole).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_remove_damaged(
        self,
        attempt: &mut Attempt<'_>,
        id: KeyId,
        whole: MayBeWhole,
    ) -> Result<DamagedRecord> {
        let principal = self.session.authenticate(attempt).await?;
        operators_only(&principal)?;
        let names = self
            .session
            .inner
            .records
            .environment_names(principal.namespace())
            .await?;
        let mut opened = self.session.inner.gate.open_environments(&principal, names).await?;
        for realm in std::mem::take(&mut opened.realms) {
            let record = realm.record(kind::KEY, id.0)?;
            match self.session.inner.records.read::<KeyRecord>(&realm, &record).await {
                Ok(None) => continue,
                Ok(Some(_)) => {
                    return Err(Error::invalid(
                        format!("the record of key `{id}` is intact"),
                        Remedy::RemoveKey,
                    ));
                }
                Err(Error::Integrity { damage, .. }) => whole.permits(id, damage)?,
                Err(error) => return Err(error),
            }
            attempt.facts.environment = realm.name.environment.as_ref().map(Into::into);
            let stamp = Stamp {
                at: attempt.at,
                by: principal.by(),
            };
            let name: KeyName = LOST.parse()?;
            let make = move |last_version| removed(name, last_version, stamp);
            let damage = self
                .session
                .inner
                .changes
                .give_up(attempt, &principal, &realm, id.0, KeyTakeAway::Remove.into(), make)
                .await?;
            return Ok(DamagedRecord::of::<KeyRecord>(&realm, &record, damage));
        }
        if let Some(error) = opened.not_searched(&format!("damaged key `{id}`")) {
            return Err(error);
        }
        Err(Error::NotFound {
            what: format!("damaged key `{id}`"),
            hint: Some(Remedy::ListDamaged),
        })
    }
}

impl TokenVerbs<'_> {
    /// Revokes a token whose record is damaged, for an operator.
    ///
    /// # Errors
    /// As [`KeyVerbs::remove_damaged`](crate::keys::KeyVerbs::remove_damaged).
    pub async fn revoke_damaged(self, id: TokenId) -> Result<DamagedRecord> {
        let mut attempt = self.session.attempt(Action::TokenRevoke);
        attempt.facts.target = Some(("token", id.to_string()));
        attempt.facts.reason = Some("damaged");
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            match self.session.inner.gate.token_by_id(&principal, id).await {
                Ok(_) => {
                    return Err(Error::invalid(
                        format!("the record of token `{id}` is intact"),
                        Remedy::RevokeToken,
                    ));
                }
                Err(Error::Integrity { .. }) => {}
                Err(error) => return Err(error),
            }
            let realm = self.session.inner.gate.realm_with_token(&principal, id).await?;
            let stamp = Stamp {
                at: attempt.at,
                by: principal.by(),
            };
            let what = TokenTakeAway::Revoke { keep_children: false };
            let make = move |_| revoked(id, stamp);
            let given_up =
                self.session
                    .inner
                    .changes
                    .give_up(&mut attempt, &principal, &realm, id.bytes(), what.into(), make);
            let damage: Damage = given_up.await?;
            let record = realm.record(kind::TOKEN, id.bytes())?;
            Ok(DamagedRecord::of::<TokenRecord>(&realm, &record, damage))
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }
}

/// The tombstone of a key. Its version numbers continue after any that this node has seen.
fn removed(name: KeyName, last_version: u32, stamp: Stamp) -> KeyRecord {
    KeyRecord {
        rev: 0,
        variable: name.variable(),
        variable_named: false,
        name,
        provider: None,
        labels: BTreeMap::new(),
        created: stamp.at,
        created_by: stamp.by.clone(),
        disabled: false,
        mode: None,
        limit: None,
        rotate_every: None,
        expires: None,
        removed: Some(stamp),
        last_version,
        versions: Vec::new(),
    }
}

/// The record of a token that is revoked and may do nothing.
fn revoked(id: TokenId, stamp: Stamp) -> TokenRecord {
    TokenRecord {
        rev: 0,
        name: id.to_string(),
        grant: Grant::new(Scopes::default(), Environments::named(Vec::<String>::new())),
        epoch: 0,
        older: None,
        rotated: None,
        through: None,
        created: stamp.at,
        created_by: stamp.by.clone(),
        parents: Vec::new(),
        revoked: Some(Revocation {
            stamp,
            keep_children: false,
        }),
    }
}
