//! Rotation: the steps of a key's versions.

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::routing::{get, post};
use ibyok_api as api;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::{
    EnvironmentName,
    jiff::SignedDuration,
    keys::{Interval, WhichVersion},
    rotation::DrainRequest,
};
use ibyok_documents::Documented;
use ibyok_operations::rotation::DueExt as _;

use super::keys::{Named, SET_TAKES, Write, forced, key_write};
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::openapi::{ENVIRONMENT, Operation};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;

const STEP_TAKES: &str = "the body accepts force and reason";
const RETIRE_TAKES: &str =
    "the body accepts version (if absent, every retiring version), quiet (`7d`), force and reason";
const DESTROY_TAKES: &str = "the body accepts version (a number or `pending`), quiet (`7d`), force and reason";

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
        Route::at("/api/v1/keys/{env}/{name}/stage").on(Method::POST, post(self::stage).layer(takes_value), stage),
        Route::at("/api/v1/keys/{env}/{name}/promote").on(
            Method::POST,
            post(self::promote).layer(takes(Action::KeyPromote)),
            promote,
        ),
        Route::at("/api/v1/keys/{env}/{name}/rollback").on(
            Method::POST,
            post(self::rollback).layer(takes(Action::KeyRollback)),
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
        Route::at("/api/v1/keys/{env}/{name}/retire").on(Method::POST, post(self::retire).layer(takes_retire), retire),
        Route::at("/api/v1/keys/{env}/{name}/destroy").on(
            Method::POST,
            post(self::destroy).layer(takes_destroy),
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
        Route::at("/api/v1/keys/{env}/{name}/rotation").on(Method::GET, get(self::status), status),
        Route::at("/api/v1/rotations/due").on(Method::GET, get(self::due), due),
    ]
}

/// POST `/api/v1/keys/{env}/{name}/stage`
async fn stage(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let write = key_write(body.parse(SET_TAKES)?)?;
    drop(body);
    let key = path.key(&session).await?;
    ok(&session.rotation().stage(&key, write).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/promote`
async fn promote(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    let force = step_force(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    let info = match force {
        None => session.rotation().promote(&key).await?,
        Some(reason) => session.rotation().promote_by_force(&key, &reason).await?,
    };
    ok(&info.document())
}

/// POST `/api/v1/keys/{env}/{name}/rollback`
async fn rollback(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    let force = step_force(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    let info = match force {
        None => session.rotation().roll_back(&key).await?,
        Some(reason) => session.rotation().roll_back_by_force(&key, &reason).await?,
    };
    ok(&info.document())
}

fn step_force(query: Option<&str>, body: &Json) -> Result<Option<String>, Problem> {
    Query::parse(query, &[])?;
    let body = body.parse_or_default::<api::Forcing>(STEP_TAKES)?;
    forced(body.force, body.reason)
}

/// POST `/api/v1/keys/{env}/{name}/retire`
async fn retire(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let (version, request) = drain(body.parse_or_default(RETIRE_TAKES)?)?;
    let key = path.key(&session).await?.at_version(version);
    ok(&session.rotation().retire(&key, &request).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/destroy`
async fn destroy(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let (version, request) = drain(body.parse(DESTROY_TAKES)?)?;
    let key = path.key(&session).await?.at_version(version);
    ok(&session.rotation().destroy(&key, &request).await?.document())
}

/// GET `/api/v1/keys/{env}/{name}/rotation`
async fn status(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let key = path.key(&session).await?;
    ok(&session.rotation().status(&key).await?.document())
}

/// The version and the vault's request for a request of the wire.
fn drain(sent: api::Drain) -> Result<(WhichVersion, DrainRequest), Problem> {
    let version = match sent.version {
        None => WhichVersion::Current,
        Some(api::VersionName::Number(0)) => return Err(Problem::invalid("version is not a number of at least 1")),
        Some(api::VersionName::Number(number)) => number.into(),
        Some(api::VersionName::Word(word)) => word.parse()?,
    };
    let quiet = sent.quiet.as_deref().map(str::parse::<Interval>).transpose()?;
    let mut request = DrainRequest::default().quiet(quiet.map_or(SignedDuration::ZERO, Interval::duration));
    (request.force, request.reason) = (sent.force, sent.reason);
    Ok((version, request))
}

/// GET `/api/v1/rotations/due`
async fn due(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let environment: Option<EnvironmentName> = Query::parse(query.as_deref(), &["env"])?.parsed("env")?;
    ok(&session.rotation().due(environment.as_ref()).await?.document())
}
