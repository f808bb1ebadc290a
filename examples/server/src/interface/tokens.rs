//! Access tokens.

use axum::http::Method;
use axum::routing::{delete, get, post};
use ibyok_api as api;
use ibyok_core::{Scope, audit::Action};

use super::Route;
use crate::openapi::{AFTER, LAST_USE, LIMIT, Operation, Parameter};
use crate::routes::tokens;
use crate::takes::Takes;

const KEEP_CHILDREN: Parameter = Parameter::flag("keep_children", "Keep the tokens that it issued valid");
const REVOKE_CHILDREN: Parameter = Parameter::flag(
    "revoke_children",
    "Revoke the tokens that it issued, which is the default. Excludes `keep_children`",
);

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![all(), own(), one()];
    routes.push(review());
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
    Route::at("/api/v1/tokens").on(Method::GET, get(tokens::list), list).on(
        Method::POST,
        post(tokens::issue).layer(takes),
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
        .on(Method::GET, get(tokens::whoami), whoami)
        .on(Method::DELETE, delete(tokens::revoke_self), revoke)
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
        .on(Method::GET, get(tokens::show), show)
        .on(Method::DELETE, delete(tokens::revoke), revoke)
}

fn review() -> Route {
    let summary = "List tokens that never expire, expire soon, are unused, or allow more than they use";
    let review = Operation::new("reviewTokens", summary)
        .needs("Scope: tokens:issue")
        .answers::<api::Page<api::TokenFinding>>(200, "The findings, in one page");
    Route::at("/api/v1/tokens/review").on(Method::GET, get(tokens::review), review)
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
        Route::at("/api/v1/tokens/self/rotate").on(Method::POST, post(tokens::rotate_self).layer(takes()), own),
        Route::at("/api/v1/tokens/{id}/rotate").on(Method::POST, post(tokens::rotate).layer(takes()), other),
    ]
}
