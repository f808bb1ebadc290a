//! The uses of the valid tokens, for programs that judge tokens by them.

use std::collections::{BTreeMap, BTreeSet};

use ibyok_audit::Action;
use ibyok_policy::{Scope, Scopes, TokenId};
use jiff::Timestamp;

use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::token::{TokenInfo, TokenRecord};
use crate::realm::RealmName;
use crate::records::page::Page;
use crate::uses::consumers::TokenUse;
use crate::vault::handles::TokenVerbs;

/// The names of keys by environment: only those that the caller may know of.
pub type KeyNames = BTreeMap<String, BTreeSet<String>>;

/// The facts about a token by which a program judges it.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a judge judges every sort of facts")]
pub enum TokenFacts<'f> {
    /// A valid token.
    #[non_exhaustive]
    Valid {
        /// The token.
        token: &'f TokenInfo,
        /// Its uses.
        uses: &'f TokenUses,
        /// The keys of each environment, as far as the caller may know of them.
        keys: &'f KeyNames,
        /// The time of the request.
        at: Timestamp,
    },
    /// A token whose record is damaged, so that nothing else is known about it. Only an operator learns of it.
    #[non_exhaustive]
    Damaged {
        /// The token.
        id: TokenId,
        /// The damage.
        damage: Damage,
    },
}

/// The uses of a token, as far back as counts are kept.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct TokenUses {
    /// Every scope by which the vault allowed the token something.
    pub scopes: Scopes,
    /// Every environment in which the vault allowed the token something.
    pub environments: BTreeSet<String>,
    /// The keys that it read.
    pub keys: Vec<KeyUsed>,
    /// True if it read more keys than are counted separately.
    pub more_keys: bool,
    /// The last time at which the vault allowed it anything.
    pub last: Option<Timestamp>,
    /// The number of records of counts that are damaged: the uses that they counted are missing.
    pub damaged: u64,
}

/// A key that a token read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyUsed {
    /// The environment of the key.
    pub environment: String,
    /// The name of the key at that time, if it is known.
    pub name: Option<String>,
}

impl From<TokenUse> for TokenUses {
    fn from(used: TokenUse) -> Self {
        let keys = used.keys.into_iter().map(|key| KeyUsed {
            environment: key.environment,
            name: key.name,
        });
        TokenUses {
            scopes: used.scopes,
            environments: used.environments,
            keys: keys.collect(),
            more_keys: used.more_keys,
            last: used.last,
            damaged: used.damaged,
        }
    }
}

impl TokenVerbs<'_> {
    /// Shows the facts about each valid token that this session may see to `judge`, and returns the judgements in one page.
    ///
    /// One line of the log records the whole of it, as a list of tokens.
    ///
    /// # Errors
    /// As [`TokenVerbs::list`](crate::tokens::TokenVerbs::list).
    pub async fn judge<T: Send>(self, judge: impl FnMut(TokenFacts<'_>) -> Vec<T> + Send) -> Result<Page<T>> {
        let mut attempt = self.session.attempt(Action::TokenList);
        let outcome = self.try_judge(&mut attempt, judge).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_judge<T: Send>(
        self,
        attempt: &mut Attempt<'_>,
        mut judge: impl FnMut(TokenFacts<'_>) -> Vec<T> + Send,
    ) -> Result<Page<T>> {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        inner
            .gate
            .may_use_somewhere(attempt, &principal, Scope::TokensIssue)
            .await?;
        let keys = self.names_told(attempt, &principal).await?;
        let (mut judgements, at) = (Vec::new(), attempt.at);
        let mut opened = inner.gate.realms_for(&principal).await?;
        for realm in std::mem::take(&mut opened.realms) {
            let mut walk = inner.records.walk_records::<TokenRecord>(&realm, None)?;
            while let Some(tokens) = inner.gate.tokens_of(&realm, &mut walk).await? {
                if let Principal::Operator { .. } = principal {
                    let damaged = tokens.damaged.iter();
                    let facts = damaged.map(|(id, damage)| TokenFacts::Damaged {
                        id: *id,
                        damage: *damage,
                    });
                    judgements.extend(facts.flat_map(&mut judge));
                }
                for (id, record) in &tokens.live {
                    let over = record.grant.expires.is_some_and(|expires| at >= expires);
                    if over || record.revoked.is_some() || !principal.sees(&realm, record) {
                        continue;
                    }
                    let uses = TokenUses::from(inner.usage.use_of(&realm, *id).await?);
                    let token = record.info(*id, principal.namespace(), at);
                    judgements.extend(judge(TokenFacts::Valid {
                        token: &token,
                        uses: &uses,
                        keys: &keys,
                        at,
                    }));
                }
            }
        }
        Ok(opened.page(judgements))
    }

    async fn names_told(self, attempt: &Attempt<'_>, principal: &Principal) -> Result<KeyNames> {
        let (inner, namespace) = (&self.session.inner, principal.namespace());
        let mut names = KeyNames::new();
        for environment in inner.records.environment_names(namespace).await? {
            if !inner.gate.may_list_in(attempt, principal, environment.as_str()) {
                continue;
            }
            let name = RealmName {
                namespace: namespace.clone(),
                environment: Some(environment.clone()),
            };
            // Of a damaged one no names are known: nothing is judged by them.
            let realm = match inner.records.realm(&name).await {
                Ok(Some(realm)) => realm,
                Ok(None) | Err(Error::Integrity { .. } | Error::Kek { .. }) => continue,
                Err(error) => return Err(error),
            };
            let all = inner.names_of(&realm).await?.names;
            let all = all.into_iter().map(|name| name.to_string());
            let told = all.filter(|name| inner.gate.may_be_told(attempt, principal, environment.as_str(), name));
            names.insert(environment.to_string(), told.collect());
        }
        Ok(names)
    }
}
