//! Access tokens.

use std::time::Duration;

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use ibyok_api as api;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::tokens::Descendants;
use ibyok_core::tokens::TokenRotation;
use ibyok_documents::Documented;
use ibyok_operations::tokens::TokenReviewExt as _;

use super::page;
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::openapi::{AFTER, LAST_USE, LIMIT, Operation, Parameter};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;
use crate::token_request::token_request;

const ISSUE_TAKES: &str = "the body accepts name, scopes, environments or all_environments, keys, cidrs, not_before, expires_at, no_expiry, rate, \
pending_only and self_rotate";

const KEEP_CHILDREN: Parameter = Parameter::flag("keep_children", "Keep the tokens that it issued valid");
const REVOKE_CHILDREN: Parameter = Parameter::flag(
    "revoke_children",
    "Revoke the tokens that it issued, which is the default. Excludes `keep_children`",
);

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![all(), own(), one()];
    routes.push(review_route());
    routes.extend(rotations());
    routes
}

/// The token in the path.
fn id() -> Parameter {
    Parameter::path::<String>("id", "The token's id or name, or `self`; `_` if the query has the name")
}

fn name() -> Parameter {
    Parameter::text("name", "The token's name, of any characters")
}

fn all() -> Route {
    let list = Operation::new("listTokens", "List the tokens that this one may see")
        .needs("Scope: tokens:issue")
        .takes(LIMIT)
        .takes(AFTER)
        .takes(LAST_USE)
        .answers::<api::Page<api::TokenInfo>>(200, "A page");
    let issue = Operation::new("issueToken", "Issue a token within this one's grant")
        .needs("Scope: tokens:issue")
        .body::<api::TokenRequest>()
        .answers::<api::Issued<String>>(201, "The token");
    let takes = Takes::words(Action::TokenIssue, Scope::TokensIssue);
    Route::at("/api/v1/tokens").on(Method::GET, get(self::list), list).on(
        Method::POST,
        post(self::issue).layer(takes),
        issue,
    )
}

fn own() -> Route {
    let whoami = Operation::new("whoami", "Show the holder of this token").answers::<api::WhoAmI>(200, "The holder");
    let revoke = Operation::new("revokeSelf", "Revoke this token")
        .takes(KEEP_CHILDREN)
        .takes(REVOKE_CHILDREN)
        .conflicts()
        .answers::<api::RevokedToken>(200, "The token after the revocation");
    Route::at("/api/v1/tokens/self")
        .on(Method::GET, get(self::whoami), whoami)
        .on(Method::DELETE, delete(self::revoke_self), revoke)
}

fn one() -> Route {
    let show = Operation::new("showToken", "Show a token without its secret")
        .needs("Scope: tokens:issue")
        .takes(id())
        .takes(name())
        .conflicts()
        .answers::<api::TokenInfo>(200, "The token");
    let revoke = Operation::new("revokeToken", "Revoke a token and the tokens that it issued")
        .needs("Scope: tokens:revoke")
        .takes(id())
        .takes(name())
        .takes(KEEP_CHILDREN)
        .takes(REVOKE_CHILDREN)
        .conflicts()
        .answers::<api::RevokedToken>(200, "The token after the revocation");
    Route::at("/api/v1/tokens/{id}")
        .on(Method::GET, get(self::show), show)
        .on(Method::DELETE, delete(self::revoke), revoke)
}

fn review_route() -> Route {
    let summary = "List tokens that never expire, expire soon, are unused, or allow more than they use";
    let review = Operation::new("reviewTokens", summary)
        .needs("Scope: tokens:issue")
        .answers::<api::Page<api::TokenFinding>>(200, "The findings, in one page");
    Route::at("/api/v1/tokens/review").on(Method::GET, get(self::review), review)
}

fn rotations() -> Vec<Route> {
    let own = Operation::new("rotateSelf", "Replace the secret of this token, under the same id")
        .needs(
            "The token's grant needs `self_rotate`. The server refuses a narrowed token, and a secret that a newer secret replaced",
        )
        .optional_body::<api::TokenRotation>()
        .answers::<api::Issued<String>>(200, "The new secret");
    let other = Operation::new("rotateToken", "Replace the secret of a token, under the same id")
        .needs(
            "Scope: tokens:issue. A token rotates tokens that it or its descendants issued, within its own grant. The server refuses the new \
            secret once it refuses the secret that rotated it. `revoke_children` also needs tokens:revoke, except for `self`",
        )
        .takes(Parameter::path::<String>("id", "The token's id or name, or `self`"))
        .optional_body::<api::TokenRotation>()
        .answers::<api::Issued<String>>(200, "The new secret");
    let takes = || Takes::of_itself(Action::TokenRotate);
    vec![
        Route::at("/api/v1/tokens/self/rotate").on(Method::POST, post(self::rotate_self).layer(takes()), own),
        Route::at("/api/v1/tokens/{id}/rotate").on(Method::POST, post(self::rotate).layer(takes()), other),
    ]
}

/// GET `/api/v1/tokens`
async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["limit", "after", "last_use"])?;
    let request = page(&query)?.last_use(query.flag("last_use")?);
    ok(&session.tokens().list(&request).await?.document())
}

/// GET `/api/v1/tokens/review`
async fn review(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.tokens().review().await?.document())
}

/// GET `/api/v1/tokens/self`
async fn whoami(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.whoami().await?.document())
}

/// GET `/api/v1/tokens/{id}`
async fn show(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["name"])?;
    ok(&session.tokens().show(meant(&which, &query)?).await?.document())
}

/// DELETE `/api/v1/tokens/self`
async fn revoke_self(caller: Caller, query: RawQuery) -> Answer {
    revoke(caller, Path("self".to_owned()), query).await
}

/// DELETE `/api/v1/tokens/{id}`
async fn revoke(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery) -> Answer {
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
async fn issue(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let request = token_request(body.parse(ISSUE_TAKES)?, ISSUE_TAKES)?;
    let issued = session.tokens().issue(request).await?;
    json(StatusCode::CREATED, &(&issued).document())
}

/// POST `/api/v1/tokens/{id}/rotate`
async fn rotate(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse_or_default::<api::TokenRotation>("the body accepts grace_seconds and revoke_children")?;
    let rotation = TokenRotation::default()
        .grace(body.grace_seconds.map(Duration::from_secs))
        .revoke_children(body.revoke_children);
    let rotated = session.tokens().rotate_with(&which, &rotation).await?;
    ok(&(&rotated).document())
}

/// POST `/api/v1/tokens/self/rotate`
async fn rotate_self(caller: Caller, query: RawQuery, body: Json) -> Answer {
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
