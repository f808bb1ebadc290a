//! The review of tokens: those that are wider, older or longer-lived than their use asks for.

use std::collections::BTreeSet;
use std::future::Future;

use ibyok_core::errors::Damage;
use ibyok_core::jiff::{SignedDuration, Timestamp};
use ibyok_core::pages::Page;
use ibyok_core::policy::{Pattern, TokenId};
use ibyok_core::tokens::{KeyNames, TokenFacts, TokenInfo, TokenUses, TokenVerbs};
use ibyok_core::{Environments, Grant, Result, Scopes};
use serde::Serialize;

use crate::words::words;

/// The time for which a token is watched before it is reported as unused, or as wider than its use.
const SETTLED: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The time for which a token that was used may rest.
const REST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The days before the end of a token at which a review warns. A token that lives no longer than that gets no
/// warning.
const WARNINGS: [u16; 3] = [1, 7, 30];

words! {
    /// The kind of a finding about a token.
    pub enum TokenFindingKind {
        /// The token has no end.
        NeverExpires = "never_expires",
        /// The grant permits more than the token used.
        WiderThanUsed = "wider_than_used",
        /// The token was never used.
        NeverUsed = "never_used",
        /// The token was not used for long.
        Unused = "unused",
        /// The token ends soon.
        ExpiresSoon = "expires_soon",
        /// The record is damaged, so its grant is not known.
        Damaged = "damaged",
    }
}

/// A finding about a token.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TokenFinding {
    /// The token's id.
    pub token: TokenId,
    /// The token's name.
    pub name: String,
    /// `never_expires`, `wider_than_used`, `never_used`, `unused`, `expires_soon` or `damaged`.
    pub finding: TokenFindingKind,
    /// The finding in words.
    pub detail: String,
    /// Of one that expires soon: within 1, 7 or 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within_days: Option<u16>,
    /// The time at which it ends; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// The time at which it was last allowed anything, as far back as counts are kept.
    pub last_used: Option<Timestamp>,
    /// Of one that is wider than its use: the grant that would have sufficed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub narrower: Option<Grant>,
}

/// The review of tokens, as a verb of [`Session::tokens`](ibyok_core::Session::tokens).
pub trait TokenReviewExt {
    /// Reviews the valid tokens that this session may see. Reports those that never expire, are wider than their use,
    /// were not used for 30 days or at all, or expire within 30, 7 or 1 days. Sorted by name, then by id.
    ///
    /// # Errors
    /// As [`TokenVerbs::list`](ibyok_core::tokens::TokenVerbs::list).
    fn review(self) -> impl Future<Output = Result<Page<TokenFinding>>> + Send;
}

impl TokenReviewExt for TokenVerbs<'_> {
    async fn review(self) -> Result<Page<TokenFinding>> {
        let mut findings = self.judge(findings).await?;
        findings
            .items
            .sort_by(|a, b| (&a.name, a.token).cmp(&(&b.name, b.token)));
        Ok(findings)
    }
}

fn findings(facts: TokenFacts<'_>) -> Vec<TokenFinding> {
    match facts {
        TokenFacts::Damaged { id, damage, .. } => vec![damaged(id, damage)],
        TokenFacts::Valid {
            token, uses, keys, at, ..
        } => review(token, uses, keys, at),
    }
}

/// The finding about a token whose record is damaged: its name and grant are not known.
fn damaged(id: TokenId, damage: Damage) -> TokenFinding {
    TokenFinding {
        token: id,
        name: id.to_string(),
        finding: TokenFindingKind::Damaged,
        detail: format!("its record {damage}"),
        within_days: None,
        expires_at: None,
        last_used: None,
        narrower: None,
    }
}

/// Returns the findings about one token, the worst first.
fn review(token: &TokenInfo, used: &TokenUses, names: &KeyNames, at: Timestamp) -> Vec<TokenFinding> {
    let finding = |finding: TokenFindingKind, detail: String| TokenFinding {
        token: token.id,
        name: token.name.clone(),
        finding,
        detail,
        within_days: None,
        expires_at: token.grant.expires,
        last_used: used.last,
        narrower: None,
    };
    let mut found = Vec::new();
    if token.grant.expires.is_none() {
        found.push(finding(TokenFindingKind::NeverExpires, "it never expires".to_owned()));
    }
    let age = at.duration_since(token.created);
    // Damaged counts prove nothing about scopes that were not used.
    let settled = age >= SETTLED && used.damaged == 0;
    if settled && let Some((narrower, detail)) = narrower(&token.grant, used, names) {
        found.push(TokenFinding {
            narrower: Some(narrower),
            ..finding(TokenFindingKind::WiderThanUsed, detail)
        });
    }
    match used.last {
        None if settled => found.push(finding(TokenFindingKind::NeverUsed, "it was never used".to_owned())),
        Some(last) if used.damaged == 0 && at.duration_since(last) >= REST => {
            found.push(finding(
                TokenFindingKind::Unused,
                format!("it was last used on {last:.0}"),
            ));
        }
        _ => {}
    }
    if let Some(expires) = token.grant.expires {
        let within = |days: &u16| {
            let span = SignedDuration::from_hours(i64::from(*days) * 24);
            expires.duration_since(at) <= span && expires.duration_since(token.created) > span
        };
        if let Some(days) = WARNINGS.into_iter().find(within) {
            found.push(TokenFinding {
                within_days: Some(days),
                ..finding(TokenFindingKind::ExpiresSoon, format!("it expires on {expires:.0}"))
            });
        }
    }
    found
}

/// Returns the grant that would have sufficed, and the parts of the given one that were never used; `None` if all of
/// it was, or nothing at all.
fn narrower(grant: &Grant, used: &TokenUses, names: &KeyNames) -> Option<(Grant, String)> {
    used.last?;
    let mut narrower = grant.clone();
    let mut unused = Vec::new();
    let scopes: Scopes = used.scopes.iter().filter(|scope| grant.scopes.allows(*scope)).collect();
    if !scopes.is_empty() && !grant.scopes.is_within(scopes) {
        let excess = grant.scopes.iter().filter(|scope| !scopes.allows(*scope));
        unused.extend(excess.map(|scope| format!("scope {scope}")));
        narrower.scopes = scopes;
    }
    let granted: BTreeSet<&String> = match &grant.environments {
        Environments::All => names.keys().collect(),
        Environments::Named(named) => named.iter().collect(),
    };
    if !used.environments.is_empty() && granted.iter().any(|name| !used.environments.contains(*name)) {
        let excess = granted.iter().filter(|name| !used.environments.contains(**name));
        unused.extend(excess.map(|name| format!("environment {name}")));
        narrower.environments = Environments::named(used.environments.iter().cloned());
    }
    if let Some((keys, excess)) = keys_read(grant, used, names) {
        unused.push(format!("{excess} of its keys"));
        narrower.keys = Some(keys);
    }
    (!unused.is_empty()).then(|| (narrower, format!("never used: {}", unused.join(", "))))
}

/// The keys that were read, as patterns, and how many others the token could have read; `None` if it is not known, or there are none.
fn keys_read(grant: &Grant, used: &TokenUses, names: &KeyNames) -> Option<(Vec<Pattern>, usize)> {
    if used.keys.is_empty() || used.more_keys {
        return None;
    }
    let mut read = BTreeSet::new();
    for key in &used.keys {
        let name = key.name.as_ref()?;
        // A name that the caller may not know is not shown here either.
        names
            .get(&key.environment)?
            .contains(name)
            .then(|| read.insert(name.clone()))?;
    }
    let matches = |name: &str| {
        grant
            .keys
            .as_ref()
            .is_none_or(|keys| keys.iter().any(|key| key.matches(name)))
    };
    let reached = used
        .environments
        .iter()
        .filter_map(|environment| names.get(environment));
    let others: BTreeSet<&String> = reached
        .flatten()
        .filter(|name| matches(name) && !read.contains(*name))
        .collect();
    if others.is_empty() {
        return None;
    }
    let patterns: Option<Vec<Pattern>> = read.iter().map(|name| name.parse().ok()).collect();
    Some((patterns?, others.len()))
}
