//! Rotation: the steps of a key's versions.

use axum::extract::{Path, RawQuery};
use ibyok_api as api;
use ibyok_core::{
    EnvironmentName,
    jiff::SignedDuration,
    keys::{Interval, WhichVersion},
    rotation::DrainRequest,
};
use ibyok_operations::rotation::DueExt as _;

use super::keys::{Named, SET_TAKES, forced, key_write};
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::problem::Problem;
use crate::query::Query;
use ibyok_documents::Documented;

const STEP_TAKES: &str = "the body accepts force and reason";
const RETIRE_TAKES: &str =
    "the body accepts version (if absent, every retiring version), quiet (`7d`), force and reason";
const DESTROY_TAKES: &str = "the body accepts version (a number or `pending`), quiet (`7d`), force and reason";

/// POST `/api/v1/keys/{env}/{name}/stage`
pub(crate) async fn stage(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let write = key_write(body.parse(SET_TAKES)?)?;
    drop(body);
    let key = path.key(&session).await?;
    ok(&session.rotation().stage(&key, write).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/promote`
pub(crate) async fn promote(
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
pub(crate) async fn rollback(
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
pub(crate) async fn retire(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let (version, request) = drain(body.parse_or_default(RETIRE_TAKES)?)?;
    let key = path.key(&session).await?.at_version(version);
    ok(&session.rotation().retire(&key, &request).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/destroy`
pub(crate) async fn destroy(
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
pub(crate) async fn status(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
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
pub(crate) async fn due(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let environment: Option<EnvironmentName> = Query::parse(query.as_deref(), &["env"])?.parsed("env")?;
    ok(&session.rotation().due(environment.as_ref()).await?.document())
}
