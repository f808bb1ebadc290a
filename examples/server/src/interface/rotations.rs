//! Rotations of keys.

use axum::http::Method;
use axum::routing::{get, post};
use ibyok_api as api;
use ibyok_core::{Scope, audit::Action};

use super::Route;
use super::keys::Write;
use crate::openapi::{ENVIRONMENT, Operation};
use crate::routes::rotation;
use crate::takes::Takes;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = steps();
    routes.extend(ends());
    routes.extend(reports());
    routes
}

fn steps() -> Vec<Route> {
    let stage = Operation::new(
        "stageKey",
        "Add a pending version, which replaces an earlier pending one",
    )
    .needs("Scope: keys:rotate. The request changes nothing but the value")
    .conditional()
    .body::<Write>()
    .answers::<api::Written>(200, "The pending version");
    let promote = Operation::new(
        "promoteKey",
        "Make the pending version current; the old version becomes retiring",
    )
    .needs("Scope: keys:rotate. `force` needs keys:read as well")
    .conditional()
    .optional_body::<api::Forcing>()
    .answers::<api::KeyInfo>(200, "The key");
    let rollback = Operation::new("rollbackKey", "Make the previous version current again")
        .needs("Scope: keys:rotate. `force` needs keys:read as well")
        .conditional()
        .optional_body::<api::Forcing>()
        .answers::<api::KeyInfo>(200, "The key");
    let takes_value = Takes::value(Action::KeyStage, Scope::KeysRotate);
    let takes = |action| Takes::words(action, Scope::KeysRotate);
    vec![
        Route::at("/api/v1/keys/{env}/{name}/stage").on(Method::POST, post(rotation::stage).layer(takes_value), stage),
        Route::at("/api/v1/keys/{env}/{name}/promote").on(
            Method::POST,
            post(rotation::promote).layer(takes(Action::KeyPromote)),
            promote,
        ),
        Route::at("/api/v1/keys/{env}/{name}/rollback").on(
            Method::POST,
            post(rotation::rollback).layer(takes(Action::KeyRollback)),
            rollback,
        ),
    ]
}

fn ends() -> Vec<Route> {
    let retire = Operation::new("retireKey", "Retire all retiring versions or one of them")
        .needs("Scope: keys:rotate. While a consumer still uses a version the server answers 409 `in_use`")
        .conditional()
        .optional_body::<api::Drain>()
        .answers::<api::KeyInfo>(200, "The key");
    let destroy = Operation::new("destroyVersion", "Destroy the value of a version")
        .needs("Scope: keys:destroy. While a consumer still uses the version the server answers 409 `in_use`")
        .conditional()
        .body::<api::Drain>()
        .answers::<api::Destroyed>(200, "The key, with the places that may still hold the value");
    let takes_retire = Takes::words(Action::KeyRetire, Scope::KeysRotate);
    let takes_destroy = Takes::words(Action::KeyDestroy, Scope::KeysDestroy);
    vec![
        Route::at("/api/v1/keys/{env}/{name}/retire").on(
            Method::POST,
            post(rotation::retire).layer(takes_retire),
            retire,
        ),
        Route::at("/api/v1/keys/{env}/{name}/destroy").on(
            Method::POST,
            post(rotation::destroy).layer(takes_destroy),
            destroy,
        ),
    ]
}

fn reports() -> Vec<Route> {
    let status = Operation::new("rotationOfKey", "Show the consumers of each version of a key")
        .needs("Scope: keys:list. The answer shows consumers to a token with usage:read or keys:rotate")
        .answers::<api::RotationStatus>(200, "The rotation");
    let due = Operation::new(
        "rotationsDue",
        "List keys that are due for rotation, and keys and tokens that expire soon",
    )
    .needs("Scope: keys:list")
    .takes(ENVIRONMENT)
    .answers::<api::Page<api::Due>>(200, "The list, the most urgent first");
    vec![
        Route::at("/api/v1/keys/{env}/{name}/rotation").on(Method::GET, get(rotation::status), status),
        Route::at("/api/v1/rotations/due").on(Method::GET, get(rotation::due), due),
    ]
}
