//! Access tokens.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use ibyok_core::{
    ChildToken, Environments, Expiry, Grant, Rate, Scope, Scopes, Timestamp, TokenId, TokenRequest, TokenRotation,
};
use serde::{Deserialize, Serialize};

use super::page;
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

const ISSUE_TAKES: &str = "it takes name, scopes, environments or all_environments, keys, cidrs, not_before, expires_at, no_expiry, rate, \
     pending_only, self_rotate";

/// GET `/api/v1/tokens`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["limit", "after", "last_use"])?;
    ok(&session
        .list_tokens(&page(&query)?.last_use(query.flag("last_use")?))
        .await?)
}

/// GET `/api/v1/tokens/review`
pub(crate) async fn review(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.review_tokens().await?)
}

/// GET `/api/v1/tokens/self`
pub(crate) async fn whoami(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.whoami().await?)
}

/// GET `/api/v1/tokens/{id}`
pub(crate) async fn show(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["name"])?;
    ok(&session.show_token(meant(&which, &query)?).await?)
}

/// DELETE `/api/v1/tokens/self`
pub(crate) async fn revoke_self(caller: Caller, query: RawQuery) -> Answer {
    revoke(caller, Path("self".to_owned()), query).await
}

/// DELETE `/api/v1/tokens/{id}`
pub(crate) async fn revoke(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["name", "keep_children", "revoke_children"])?;
    let which = meant(&which, &query)?;
    let keep = query.flag("keep_children")?;
    if keep && query.flag("revoke_children")? {
        return Err(Problem::invalid("keep_children and revoke_children exclude each other"));
    }
    ok(&session.revoke_token(which, keep).await?)
}

/// POST `/api/v1/tokens`
pub(crate) async fn issue(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let request = body.parse::<IssueBody>(ISSUE_TAKES)?.request()?;
    let issued = session.issue_token(request).await?;
    json(StatusCode::CREATED, &Issued::of(&issued))
}

/// POST `/api/v1/tokens/{id}/rotate`
pub(crate) async fn rotate(
    Caller(session): Caller,
    Path(which): Path<String>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse_or_default::<RotateBody>("it takes grace_seconds and revoke_children")?;
    let rotation = TokenRotation::default()
        .grace(body.grace_seconds.map(Duration::from_secs))
        .revoke_children(body.revoke_children);
    let rotated = session.rotate_token_with(&which, &rotation).await?;
    ok(&Issued::of(&rotated))
}

/// POST `/api/v1/tokens/self/rotate`
pub(crate) async fn rotate_self(caller: Caller, query: RawQuery, body: Json) -> Answer {
    rotate(caller, Path("self".to_owned()), query, body).await
}

/// The token that a path names; in the place of an id, `_` stands for the name in the query, which may hold anything.
fn meant<'a>(which: &'a str, query: &'a Query) -> Result<&'a str, Problem> {
    match (which, query.get("name")) {
        ("_", Some(name)) => Ok(name),
        ("_", None) => Err(Problem::invalid("`_` stands for a token's name, and there is none").hint("add ?name=")),
        (_, Some(_)) => Err(
            Problem::invalid("the token is named twice, in the path and in the query").hint("put `_` into the path"),
        ),
        (which, None) => Ok(which),
    }
}

#[derive(Serialize)]
struct Issued<'a> {
    id: TokenId,
    token: &'a str,
    name: &'a str,
    expires_at: Option<Timestamp>,
    grant: &'a Grant,
    epoch: u32,
    older_secret_until: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<&'a [ChildToken]>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    revoked_children: &'a [TokenId],
}

impl<'a> Issued<'a> {
    fn of(issued: &'a ibyok_core::Issued) -> Self {
        Issued {
            id: issued.info.id,
            token: issued.token.expose(),
            name: &issued.info.name,
            expires_at: issued.info.expires_at,
            grant: &issued.info.grant,
            epoch: issued.info.epoch,
            older_secret_until: issued.info.older_secret_until,
            children: issued.children.as_deref(),
            revoked_children: &issued.revoked_children,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RotateBody {
    #[serde(default)]
    grace_seconds: Option<u64>,
    #[serde(default)]
    revoke_children: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssueBody {
    name: String,
    #[serde(default)]
    scopes: Option<Scopes>,
    #[serde(default)]
    environments: Option<Vec<String>>,
    #[serde(default)]
    all_environments: bool,
    #[serde(default)]
    keys: Option<Vec<ibyok_core::Pattern>>,
    #[serde(default)]
    cidrs: Option<Vec<ipnet::IpNet>>,
    #[serde(default)]
    not_before: Option<Timestamp>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    no_expiry: bool,
    #[serde(default)]
    rate: Option<Rate>,
    #[serde(default)]
    pending_only: bool,
    #[serde(default)]
    self_rotate: bool,
}

impl IssueBody {
    fn request(self) -> Result<TokenRequest, Problem> {
        let environments = match (self.environments, self.all_environments) {
            (Some(names), false) => Environments::named(names.iter().map(|name| short(name))),
            (None, true) => Environments::All,
            _ => {
                return Err(
                    Problem::invalid("environments must be named, or all_environments be true").hint(ISSUE_TAKES),
                );
            }
        };
        let usual = Scopes::from([Scope::KeysRead, Scope::KeysList]);
        let mut grant = Grant::new(self.scopes.unwrap_or(usual), environments);
        grant.keys = self.keys;
        grant.networks = self.cidrs;
        grant.not_before = self.not_before;
        grant.expires = self.expires_at;
        grant.rate = self.rate;
        grant.pending_only = self.pending_only;
        grant.self_rotate = self.self_rotate;
        let request = TokenRequest::new(self.name, grant);
        match (self.expires_at, self.no_expiry) {
            (Some(_), true) => Err(Problem::invalid("expires_at and no_expiry exclude each other")),
            (None, true) => Ok(request.expiry(Expiry::Never)),
            (_, false) => Ok(request),
        }
    }
}

fn short(name: &str) -> &str {
    match name {
        "development" => "dev",
        "production" => "prod",
        other => other,
    }
}
