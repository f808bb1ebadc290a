//! Changes of a whole key in one step: copying it, and disabling and enabling it or a version.

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::http::StatusCode;
use axum::routing::post;
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::KeyRef;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::keys::IfExists;
use ibyok_documents::Documented;
use schemars::SchemaGenerator;

use super::keys::{Named, forced};
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::openapi::{Operation, Parameter};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;

const VERSION_TAKES: &str = "the body accepts version, or may be empty";
const COPY_TAKES: &str = "the body accepts to (`environment/name`) and replace";
const ENABLE_TAKES: &str = "the body accepts version, force and reason, or may be empty";

pub(super) fn routes() -> Vec<Route> {
    let version = Parameter::query(
        "version",
        "The version's number; the whole key if absent",
        SchemaGenerator::subschema_for::<schema::VersionNumber>,
    );
    let disable = Operation::new("disableKey", "Disable a key or a version")
        .needs("Scope: keys:write")
        .takes(version)
        .conditional()
        .optional_body::<api::WhichVersion>()
        .answers::<api::KeyInfo>(200, "The key");
    let enable = Operation::new("enableKey", "Enable a key or a version")
        .needs(
            "Scope: keys:write. A key with an open incident or a version that is marked compromised needs incidents:write as well. \
             `force` needs keys:read as well",
        )
        .takes(version)
        .conditional()
        .optional_body::<api::Enabling>()
        .answers::<api::KeyInfo>(200, "The key");
    let copy = Operation::new("copyKey", "Copy a key with its value to another name or environment")
        .needs("Scope: keys:read for the key, and keys:write for the copy")
        .body::<api::KeyCopy>()
        .answers::<api::Written>(200, "The new current version of a key that existed")
        .answers::<api::Written>(201, "The new key");
    let takes_copy = Takes::words(Action::KeySet, Scope::KeysRead);
    let takes_disable = Takes::words(Action::KeyDisable, Scope::KeysWrite);
    let takes_enable = Takes::words(Action::KeyEnable, Scope::KeysWrite);
    vec![
        Route::at("/api/v1/keys/{env}/{name}/copy").on(Method::POST, post(self::copy).layer(takes_copy), copy),
        Route::at("/api/v1/keys/{env}/{name}/disable").on(
            Method::POST,
            post(self::disable).layer(takes_disable),
            disable,
        ),
        Route::at("/api/v1/keys/{env}/{name}/enable").on(Method::POST, post(self::enable).layer(takes_enable), enable),
    ]
}

/// POST `/api/v1/keys/{env}/{name}/copy`
async fn copy(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let copy = body.parse::<api::KeyCopy>(COPY_TAKES)?;
    drop(body);
    let from = path.key(&session).await?;
    let to: KeyRef = copy.to.parse()?;
    let existing = match copy.replace {
        true => IfExists::Replace,
        false => IfExists::Keep,
    };
    let written = session.keys().copy(&from, &to, existing).await?;
    let status = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json(status, &written.document())
}

/// POST `/api/v1/keys/{env}/{name}/disable`
async fn disable(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    let version = version(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    ok(&session.keys().disable(&key.at_version(version)).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/enable`
async fn enable(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery, body: Json) -> Answer {
    let enable = body.parse_or_default::<api::Enabling>(ENABLE_TAKES)?;
    let version = one_version(query.as_deref(), enable.version)?;
    let force = forced(enable.force, enable.reason)?;
    let key = path.key(&session).await?.at_version(version);
    let enabled = match force {
        None => session.keys().enable(&key).await?,
        Some(reason) => session.keys().enable_by_force(&key, &reason).await?,
    };
    ok(&enabled.document())
}

/// The version that is meant, by query or body; `None` is the whole key.
fn version(query: Option<&str>, body: &Json) -> Result<Option<u32>, Problem> {
    one_version(
        query,
        body.parse_or_default::<api::WhichVersion>(VERSION_TAKES)?.version,
    )
}

/// The version that a query and a body name; they may not name two.
fn one_version(query: Option<&str>, by_body: Option<u32>) -> Result<Option<u32>, Problem> {
    let by_query = Query::parse(query, &["version"])?.number("version")?;
    if by_body == Some(0) {
        return Err(Problem::invalid("version is not a number of at least 1"));
    }
    match (by_query, by_body) {
        (Some(one), Some(other)) if one != other => Err(Problem::invalid("the request names two different versions")),
        (one, other) => Ok(one.or(other)),
    }
}
