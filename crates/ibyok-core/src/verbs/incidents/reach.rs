//! The reach of the readers of a leaked key: the other keys that they could read, and those that they did.

use std::collections::BTreeSet;
use std::sync::Arc;

use ibyok_policy::{Decision, Grant, Request, Scope, TokenId, decide};
use jiff::Timestamp;
use serde::Serialize;

use super::readers::KeyReader;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::key::KeyRecord;
use crate::model::name::{EnvironmentName, KeyName};
use crate::model::token::TokenRecord;
use crate::model::token::TokenState;
use crate::realm::Realm;
use crate::vault::Inner;

/// The number of tokens whose reach is computed, and the number of keys that are named of each. Further keys are only
/// counted.
const TOKENS_MAX: usize = 200;
const NAMED_MAX: usize = 500;

/// The reach of one token that read the key.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Reach {
    /// The token.
    pub token: TokenId,
    /// Its name.
    pub name: String,
    /// `valid`, `expired` or `revoked`.
    pub state: TokenState,
    /// The grant of the token. Only for a session that may read the log of the whole namespace, since the grant names
    /// other keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Grant>,
    /// The keys that it can read, as far as this session may know of them, at most 500.
    pub could_read: Vec<String>,
    /// The number of keys that it can read in all.
    pub could_read_count: usize,
    /// The keys that it did read, most often first, at most 500.
    pub did_read: Vec<DidRead>,
}

/// A key that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DidRead {
    /// `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The number of reads.
    pub count: u64,
    /// The time of the last read.
    pub last: Timestamp,
}

/// The keys of one environment, as far as a principal may know of them.
struct Known {
    environment: EnvironmentName,
    names: Vec<KeyName>,
}

impl Inner {
    /// Returns the reach of the tokens among some readers.
    pub(super) async fn reach_of(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        readers: &[KeyReader],
        since: Timestamp,
        unseen: &mut Vec<String>,
    ) -> Result<Vec<Reach>> {
        let tokens = readers.iter().filter(|reader| reader.kind == "token").take(TOKENS_MAX);
        let tokens: Vec<TokenId> = tokens.filter_map(|reader| reader.id.parse().ok()).collect();
        let ids: BTreeSet<String> = tokens.iter().map(ToString::to_string).collect();
        let mut reads = self.reads_of(principal, ids, since, unseen).await?;
        let known = self.known_keys(attempt, principal, unseen).await?;
        let (scope, namespace) = (Scope::AuditRead, principal.namespace());
        let sees_all = self
            .gate
            .allowed(attempt, principal, scope, namespace, None, None)
            .is_ok();
        let mut reach = Vec::new();
        for token in tokens {
            let found = match self.gate.token_by_id(principal, token).await {
                Ok(found) => found,
                // Of a realm that this session does not see.
                Err(Error::NotFound { .. }) => continue,
                Err(error @ Error::Integrity { .. }) => {
                    unseen.push(format!("token `{token}`: {error}"));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let could: Vec<String> = could_read(&found.realm, &found.record, &known, attempt.at);
            let did = reads.remove(&token.to_string()).unwrap_or_default();
            let mut did: Vec<DidRead> = did
                .into_iter()
                .filter(|((environment, key), _)| may_know(&known, environment, key))
                .map(|((environment, key), (count, last))| DidRead {
                    reference: found.realm.reference_in(environment, key),
                    count,
                    last,
                })
                .collect();
            did.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reference.cmp(&b.reference)));
            did.truncate(NAMED_MAX);
            let info = found.record.info(token, principal.namespace(), attempt.at);
            reach.push(Reach {
                token,
                name: info.name,
                state: info.state,
                grant: sees_all.then_some(info.grant),
                could_read_count: could.len(),
                could_read: could.into_iter().take(NAMED_MAX).collect(),
                did_read: did,
            });
        }
        Ok(reach)
    }

    /// Every key that a principal may know of, by environment.
    async fn known_keys(
        self: &Arc<Self>,
        attempt: &Attempt<'_>,
        principal: &Principal,
        unseen: &mut Vec<String>,
    ) -> Result<Vec<Known>> {
        let namespace = principal.namespace();
        let scope = Scope::AuditRead;
        let mut known = Vec::new();
        let allowed = self
            .gate
            .environments_allowed(attempt, principal, scope, namespace)
            .await?;
        let opened = self.gate.open_environments(principal, allowed).await?;
        unseen.extend(opened.unseen());
        for realm in opened.realms {
            let Some(environment) = realm.name.environment.clone() else {
                continue;
            };
            let Names { mut names, damaged } = self.names_of(&realm).await?;
            if damaged > 0 {
                unseen.push(format!("`{environment}` has damaged key records: {damaged}"));
            }
            names.retain(|name| {
                self.gate
                    .allowed(attempt, principal, scope, namespace, Some(&environment), Some(name))
                    .is_ok()
            });
            names.sort();
            known.push(Known { environment, names });
        }
        Ok(known)
    }

    /// The names of an environment's keys, and how many records hide theirs.
    pub(crate) async fn names_of(&self, realm: &Arc<Realm>) -> Result<Names> {
        let mut found = Names::default();
        let mut walk = self.records.walk_records::<KeyRecord>(realm, None)?;
        while let Some(met) = walk.next_live_keys().await? {
            for (_, record) in met {
                match record {
                    Ok(record) => found.names.push(record.name),
                    Err(_) => found.damaged += 1,
                }
            }
        }
        Ok(found)
    }
}

/// The names of the keys of an environment.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) names: Vec<KeyName>,
    /// Records that are damaged: their names are not known.
    pub(crate) damaged: usize,
}

fn may_know(known: &[Known], environment: &str, name: &str) -> bool {
    let of_environment = known.iter().find(|known| known.environment.as_str() == environment);
    of_environment.is_some_and(|known| known.names.iter().any(|known| known.as_str() == name))
}

/// Returns the keys among the known ones that a token's grant lets it read, were it asked now from within its
/// networks.
fn could_read(realm: &Realm, token: &TokenRecord, known: &[Known], at: Timestamp) -> Vec<String> {
    let source = token.grant.networks.as_ref().and_then(|networks| networks.first());
    let source = source.map(ipnet::IpNet::addr);
    let allows = |environment: &EnvironmentName, key: &KeyName| {
        let request = Request {
            scope: Scope::KeysRead,
            namespace: realm.name.namespace.as_str(),
            environment: Some(environment.as_str()),
            key: Some(key.as_str()),
            // A staged version will become the one that is used.
            pending: true,
            source,
            at,
        };
        // The keys that it could read while it was valid, even if it no longer is.
        let mut grant = token.grant.clone();
        grant.expires = None;
        decide(&realm.scope(), &grant, &[], &request) == Decision::Allow
    };
    let named = known.iter().flat_map(|known| {
        let names = known.names.iter().filter(|name| allows(&known.environment, name));
        names.map(|name| realm.reference_in(&known.environment, name))
    });
    named.collect()
}
