//! Access tokens.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::StatusCode;
use ibyok_api as api;
use ibyok_core::tokens::Descendants;
use ibyok_core::tokens::TokenRotation;
use ibyok_operations::tokens::TokenReviewExt as _;

use super::page;
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::token_request::token_request;
use ibyok_documents::Documented;

const ISSUE_TAKES: &str = "the body accepts name, scopes, environments or all_environments, keys, cidrs, not_before, expires_at, no_expiry, rate, \
pending_only and self_rotate";

/// GET `/api/v1/tokens`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["limit", "after", "last_use"])?;
    let request = page(&query)?.last_use(query.flag("last_use")?);
    ok(&session.tokens().list(&request).await?.document())
}

/// GET `/api/v1/tokens/review`
pub(crate) async fn review(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.tokens().review().await?.document())
}

/// GET `/api/v1/tokens/self`
pub(crate) async fn whoami(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.whoami().await?.document())
}

/// GET `/api/v1/tokens/{id}`
pub(crate) async fn show(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["name"])?;
    ok(&session.tokens().show(meant(&which, &query)?).await?.document())
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
    let descendants = match keep {
        true => Descendants::Keep,
        false => Descendants::Revoke,
    };
    ok(&session.tokens().revoke(which, descendants).await?.document())
}

/// POST `/api/v1/tokens`
pub(crate) async fn issue(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let request = token_request(body.parse(ISSUE_TAKES)?, ISSUE_TAKES)?;
    let issued = session.tokens().issue(request).await?;
    json(StatusCode::CREATED, &(&issued).document())
}

/// POST `/api/v1/tokens/{id}/rotate`
pub(crate) async fn rotate(
    Caller(session): Caller,
    Path(which): Path<String>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse_or_default::<api::TokenRotation>("the body accepts grace_seconds and revoke_children")?;
    let rotation = TokenRotation::default()
        .grace(body.grace_seconds.map(Duration::from_secs))
        .revoke_children(body.revoke_children);
    let rotated = session.tokens().rotate_with(&which, &rotation).await?;
    ok(&(&rotated).document())
}

/// POST `/api/v1/tokens/self/rotate`
pub(crate) async fn rotate_self(caller: Caller, query: RawQuery, body: Json) -> Answer {
    rotate(caller, Path("self".to_owned()), query, body).await
}

/// Returns the token that a path names. In the place of an id, `_` means the name in the query, which may hold
/// anything.
fn meant<'a>(which: &'a str, query: &'a Query) -> Result<&'a str, Problem> {
    match (which, query.get("name")) {
        ("_", Some(name)) => Ok(name),
        ("_", None) => Err(Problem::invalid("`_` in the path needs a name in the query").hint("add ?name=")),
        (_, Some(_)) => Err(Problem::invalid("the path and the query both name a token").hint("write `_` in the path")),
        (which, None) => Ok(which),
    }
}
