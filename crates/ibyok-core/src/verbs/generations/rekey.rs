//! A new token key of realms, after the old one leaked: every token of theirs ends.

use ibyok_audit::Action;
use serde::Serialize;

use super::KeysOf;
use crate::base::error::Result;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::TokenRecord;
use crate::realm::generations::KeyChange;
use crate::realm::{Realm, RealmName, WHOLE};
use crate::verbs::keks::Keks;

/// The tokens that end with the token key of an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndingTokens {
    /// The namespace.
    pub namespace: Namespace,
    /// The environment; `None` for the tokens that span environments.
    pub environment: Option<EnvironmentName>,
    /// The number of tokens that are valid: neither revoked nor expired.
    pub valid: u64,
    /// The number of records of tokens that do not open: tokens that are refused already.
    pub damaged: u64,
}

impl EndingTokens {
    /// Returns the environment with its namespace: `default/prod`, or `default/whole` for what spans environments.
    #[must_use]
    pub fn place(&self) -> String {
        let environment = self.environment.as_ref().map_or(WHOLE, EnvironmentName::as_str);
        format!("{}/{environment}", self.namespace)
    }
}

impl Keks {
    /// Counts the valid tokens that [`Keks::rekey_tokens`] ends. Changes nothing.
    ///
    /// # Errors
    /// As [`Keks::generations`].
    pub async fn ending_tokens(&self, of: &KeysOf) -> Result<Vec<EndingTokens>> {
        let (records, mut all) = (&self.0.inner.records, Vec::new());
        let now = records.now();
        for realm in self.realms(of).await? {
            let mut ending = EndingTokens {
                namespace: realm.name.namespace.clone(),
                environment: realm.name.environment.clone(),
                valid: 0,
                damaged: 0,
            };
            let mut walk = records.walk_records::<TokenRecord>(&realm, None)?;
            while let Some(met) = walk.next::<TokenRecord>().await? {
                for (_, token) in met {
                    match token {
                        Ok(token) => ending.valid += u64::from(!is_over(&token, now)),
                        Err(_) => ending.damaged += 1,
                    }
                }
            }
            all.push(ending);
        }
        Ok(all)
    }

    /// Replaces the token key of each realm: no token that was issued before verifies under the new one, also if somebody has the old
    /// key. The records of the tokens stay, and [`rotate`](crate::tokens::TokenVerbs::rotate) gives one a new secret under the same id.
    ///
    /// A running node refuses the old tokens within a second, as it learns of a revocation. A node that the store withholds its changes
    /// from refuses them after the time for which it holds keys ([`VaultBuilder::key_cache_ttl`](crate::VaultBuilder::key_cache_ttl)), at
    /// the latest.
    ///
    /// # Errors
    /// As [`Keks::generations`]. Realms before the one that failed have their new key: the same call replaces it again.
    pub async fn rekey_tokens(&self, of: &KeysOf) -> Result<Vec<EndingTokens>> {
        let ending = self.ending_tokens(of).await?;
        for one in &ending {
            let name = RealmName {
                namespace: one.namespace.clone(),
                environment: one.environment.clone(),
            };
            self.rekey_one(&name).await?;
        }
        Ok(ending)
    }

    async fn rekey_one(&self, name: &RealmName) -> Result<Option<Realm>> {
        let (session, action) = self.session_in(&name.namespace, Action::TokenRekey)?;
        let mut attempt = session.attempt(action);
        let outcome = async {
            session.authenticate(&mut attempt).await?;
            let changes = &session.inner.changes;
            changes.change_keys(name, KeyChange::TokenKey, (action, &attempt)).await
        };
        let outcome = outcome.await;
        let changed = session.inner.recorder.refusing(&attempt, outcome).await?;
        Ok(changed.and_then(|changed| changed.after))
    }
}

fn is_over(token: &TokenRecord, now: jiff::Timestamp) -> bool {
    token.revoked.is_some() || token.grant.expires.is_some_and(|expires| now >= expires)
}
