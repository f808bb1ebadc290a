//! Issuing a token: a child of the caller's, within its grant.

use std::collections::BTreeMap;

use ibyok_core::jiff::{SignedDuration, Timestamp};
use ibyok_core::tokens::Expiry;
use ibyok_core::{Environments, Grant, Scope, Scopes, TokenRequest};
use serde::Deserialize;

use super::describe::{policies, seconds_between};
use super::may_issue;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::vault::answer::{Auth, with_auth};
use crate::vault::call::Call;
use crate::vault::duration::Period;

const TAKES: &str = "the body accepts policies, ttl, explicit_max_ttl, display_name and renewable";

/// The name of a token that gets none.
const NAME: &str = "token";

/// A policy that Vault gives to every token, and that clients repeat.
const DEFAULT: &str = "default";

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Create {
    policies: Option<Vec<String>>,
    ttl: Option<Period>,
    explicit_max_ttl: Option<Period>,
    lease: Option<Period>,
    display_name: Option<String>,
    renewable: Option<bool>,
    no_default_policy: Option<bool>,
    no_parent: Option<bool>,
    num_uses: Option<u32>,
    period: Option<Period>,
    id: Option<String>,
    entity_alias: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    meta: Option<BTreeMap<String, String>>,
}

impl Create {
    /// Refuses wishes that a token here cannot have. To ignore one would make a token that can do more than was asked for.
    fn check(&self) -> Result<(), Problem> {
        let set = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        let refused = if self.num_uses.is_some_and(|uses| uses != 0) {
            "num_uses must be 0: a token has a rate and not a number of uses"
        } else if self.period.as_ref().is_some_and(|period| !period.is_zero()) {
            "period must be 0: a token cannot be renewed"
        } else if self.no_parent == Some(true) {
            "no_parent must be false: a token that a token issues ends with it"
        } else if set(&self.id) || set(&self.entity_alias) {
            "id and entity_alias must be empty"
        } else if self
            .kind
            .as_deref()
            .is_some_and(|kind| !["", "service"].contains(&kind))
        {
            "type must be `service`"
        } else if self.meta.as_ref().is_some_and(|meta| !meta.is_empty()) {
            "meta must be empty: put the facts into display_name"
        } else {
            return Ok(());
        };
        Err(Problem::invalid(refused))
    }

    /// The end that the request asks for, and not after that of the caller, as Vault does.
    fn end(&self, now: Timestamp, latest: Option<Timestamp>) -> Result<Expiry, Problem> {
        let periods = [&self.ttl, &self.lease, &self.explicit_max_ttl];
        let wrong = || Problem::invalid("ttl and explicit_max_ttl are durations, for example `1h`");
        let mut shortest = None;
        for period in periods.into_iter().flatten() {
            let period = period.get().ok_or_else(wrong)?;
            if !period.is_zero() {
                shortest = Some(shortest.map_or(period, |other: std::time::Duration| other.min(period)));
            }
        }
        let Some(period) = shortest else {
            return Ok(Expiry::Default);
        };
        let period = SignedDuration::try_from(period).map_err(|_| wrong())?;
        let end = now.checked_add(period).map_err(|_| wrong())?;
        Ok(Expiry::At(latest.map_or(end, |latest| end.min(latest))))
    }

    /// The grant: the caller's, narrowed by the policies. `env:NAME` and `key:PATTERN` narrow environments and keys.
    fn grant(&self, own: Grant) -> Result<Grant, Problem> {
        let mut grant = own;
        grant.self_rotate = false;
        let (mut scopes, mut environments, mut keys) = (Scopes::default(), Vec::new(), Vec::new());
        let policies = self.policies.iter().flatten().filter(|policy| *policy != DEFAULT);
        // Of Vault's tokens, one with this policy alone may do the least.
        if self.policies.iter().flatten().next().is_some() && policies.clone().next().is_none() {
            return Err(
                Problem::invalid("policies contains no scope: `default` grants nothing here")
                    .hint("for example `keys:read`, or leave policies out for the scopes of the caller"),
            );
        }
        let unknown = || Problem::invalid("policies contains a text that is no scope").hint("for example `keys:read`");
        for policy in policies {
            if let Some(name) = policy.strip_prefix("env:") {
                environments.push(name);
            } else if let Some(pattern) = policy.strip_prefix("key:") {
                keys.push(pattern.parse().map_err(|_| unknown())?);
            } else {
                scopes = scopes
                    .iter()
                    .chain([policy.parse::<Scope>().map_err(|_| unknown())?])
                    .collect();
            }
        }
        if !scopes.is_empty() {
            grant.scopes = scopes;
        }
        if !environments.is_empty() {
            grant.environments = Environments::named(environments);
        }
        if !keys.is_empty() {
            grant.keys = Some(keys);
        }
        Ok(grant)
    }
}

/// POST and PUT `auth/token/create`
pub(super) async fn answer(mut call: Call) -> Answer {
    call.query(&[])?;
    let session = call.sender(may_issue(), None).await?;
    let who = session.whoami().await?;
    let (_, _, id, body) = call.body().await?;
    let sent = body.parse_or_default::<Create>(TAKES)?;
    sent.check()?;
    let own = who.grant.ok_or_else(Problem::internal)?;
    let now = session.now();
    let name = sent.display_name.clone().filter(|name| !name.is_empty());
    let request = TokenRequest::new(name.unwrap_or_else(|| NAME.to_owned()), sent.grant(own)?);
    let issued = session
        .tokens()
        .issue(request.expiry(sent.end(now, who.expires_at)?))
        .await?;
    let info = &issued.info;
    let auth = Auth {
        client_token: issued.token.expose(),
        accessor: info.id.to_string(),
        policies: policies(&info.grant),
        token_policies: policies(&info.grant),
        identity_policies: None,
        metadata: None,
        lease_duration: info.expires_at.map_or(0, |end| seconds_between(now, end)),
        renewable: false,
        entity_id: "",
        token_type: "service",
        orphan: false,
        num_uses: 0,
    };
    with_auth(&id, auth).ok()
}
