//! Modes: of environments, and of a key.

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::routing::{get, post, put};
use ibyok_api as api;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::{EnvironmentName, modes::Mode};
use ibyok_documents::Documented;

use super::key_ref;
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::openapi::Operation;
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;

const SET_TAKES: &str = "the body accepts environment and mode (mock or live)";
const KEY_TAKES: &str = "the body accepts mode: mock, live or inherit";

pub(super) fn routes() -> Vec<Route> {
    vec![mode_of_key(), modes()]
}

fn mode_of_key() -> Route {
    let set = Operation::new("setKeyMode", "Set the mode of a key, or let it follow its environment")
        .needs("Scope: settings:write")
        .conditional()
        .body::<api::KeyMode>()
        .answers::<api::KeyInfo>(200, "The key");
    let takes = Takes::words(Action::KeyMode, Scope::SettingsWrite);
    Route::at("/api/v1/keys/{env}/{name}/mode").on(Method::POST, post(self::of_key).layer(takes), set)
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
    Route::at("/api/v1/modes").on(Method::GET, get(self::list), list).on(
        Method::PUT,
        put(self::set).layer(Takes::words(Action::SettingsChange, Scope::SettingsWrite)),
        set,
    )
}

/// GET `/api/v1/modes`
async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.modes().list().await?.document())
}

/// PUT `/api/v1/modes`
async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let sent: api::SetMode = body.parse(SET_TAKES)?;
    let environment: EnvironmentName = sent.environment.parse()?;
    let mode = sent.mode.as_str().parse()?;
    ok(&session.modes().set(&environment, mode).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/mode`
async fn of_key(
    Changing(session): Changing,
    Path((environment, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let mode = match body.parse::<api::KeyMode>(KEY_TAKES)?.mode {
        api::ModeOverride::Inherit => None,
        api::ModeOverride::Live => Some(Mode::Live),
        api::ModeOverride::Mock => Some(Mode::Mock),
        _ => return Err(Problem::invalid("the mode is not valid").hint(KEY_TAKES)),
    };
    let key = key_ref(&session, &environment, &name).await?;
    ok(&session.modes().set_of_key(&key, mode).await?.document())
}
