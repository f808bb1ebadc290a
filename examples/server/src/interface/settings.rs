//! Modes and limits.

use axum::Extension;
use axum::http::Method;
use axum::routing::{get, post, put};
use ibyok_api as api;
use ibyok_core::{Scope, audit::Action};

use super::Route;
use crate::openapi::{ENVIRONMENT, Operation};
use crate::routes::{limits, modes};
use crate::takes::Takes;

pub(super) fn routes() -> Vec<Route> {
    vec![limits(), mode_of_key(), modes()]
}

fn takes_settings() -> Extension<Takes> {
    Takes::words(Action::SettingsChange, Scope::SettingsWrite)
}

fn limits() -> Route {
    let show = Operation::new("limits", "List the default limits of environments")
        .needs("Scope: keys:list")
        .takes(ENVIRONMENT)
        .answers::<api::Page<api::EnvironmentLimit>>(200, "The environments that the token may see");
    let set = Operation::new("setLimit", "Set or remove the default limit of an environment")
        .needs("Scope: settings:write, for all keys of the environment")
        .body::<api::EnvironmentLimitChange>()
        .answers::<api::EnvironmentLimit>(200, "The environment");
    Route::at("/api/v1/limits").on(Method::GET, get(limits::show), show).on(
        Method::PUT,
        put(limits::set).layer(takes_settings()),
        set,
    )
}

fn mode_of_key() -> Route {
    let set = Operation::new("setKeyMode", "Set the mode of a key, or let it follow its environment")
        .needs("Scope: settings:write")
        .conditional()
        .body::<api::KeyMode>()
        .answers::<api::KeyInfo>(200, "The key");
    let takes = Takes::words(Action::KeyMode, Scope::SettingsWrite);
    Route::at("/api/v1/keys/{env}/{name}/mode").on(Method::POST, post(modes::of_key).layer(takes), set)
}

fn modes() -> Route {
    let list = Operation::new(
        "listModes",
        "List the modes of the environments in which the token may set modes",
    )
    .needs("Scope: settings:write")
    .answers::<api::Page<api::EnvironmentMode>>(200, "The environments");
    let set = Operation::new(
        "setMode",
        "Set the mode of an environment, which applies to keys without their own mode",
    )
    .needs("Scope: settings:write")
    .body::<api::SetMode>()
    .answers::<api::EnvironmentMode>(200, "The environment");
    Route::at("/api/v1/modes").on(Method::GET, get(modes::list), list).on(
        Method::PUT,
        put(modes::set).layer(takes_settings()),
        set,
    )
}
