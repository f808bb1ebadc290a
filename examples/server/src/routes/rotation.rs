//! Rotation: the steps of a key's versions.

use axum::extract::{Path, RawQuery};
use ibyok_core::{DrainRequest, EnvironmentName, Interval, SignedDuration, WhichVersion};
use serde::Deserialize;

use super::keys::{Named, SET_TAKES, SetBody, forced};
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::problem::Problem;
use crate::query::Query;

const STEP_TAKES: &str = "it takes force and reason";
const RETIRE_TAKES: &str = "it takes version (else every retiring one), quiet (`7d`), force and reason";
const DESTROY_TAKES: &str = "it takes version (a number or `pending`), quiet (`7d`), force and reason";

/// Whether the step is forced, although the version that becomes current leaked.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepBody {
    #[serde(default)]
    force: bool,
    #[serde(default)]
    reason: Option<String>,
}

/// POST `/api/v1/keys/{env}/{name}/stage`
pub(crate) async fn stage(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let write = body.parse::<SetBody<'_>>(SET_TAKES)?.write()?;
    drop(body);
    let key = path.key(&session).await?;
    ok(&session.stage_key(&key, write).await?)
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
    ok(&match force {
        None => session.promote_key(&key).await?,
        Some(reason) => session.promote_key_by_force(&key, &reason).await?,
    })
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
    ok(&match force {
        None => session.rollback_key(&key).await?,
        Some(reason) => session.rollback_key_by_force(&key, &reason).await?,
    })
}

fn step_force(query: Option<&str>, body: &Json) -> Result<Option<String>, Problem> {
    Query::parse(query, &[])?;
    let body = body.parse_or_default::<StepBody>(STEP_TAKES)?;
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
    let (version, request) = body.parse_or_default::<DrainBody>(RETIRE_TAKES)?.read()?;
    let key = path.key(&session).await?.at_version(version);
    ok(&session.retire_key(&key, &request).await?)
}

/// POST `/api/v1/keys/{env}/{name}/destroy`
pub(crate) async fn destroy(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let (version, request) = body.parse::<DrainBody>(DESTROY_TAKES)?.read()?;
    let key = path.key(&session).await?.at_version(version);
    ok(&session.destroy_version(&key, &request).await?)
}

/// GET `/api/v1/keys/{env}/{name}/rotation`
pub(crate) async fn status(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let key = path.key(&session).await?;
    ok(&session.rotation_status(&key).await?)
}

/// What is to go, and what has to be true before it does.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DrainBody {
    #[serde(default)]
    version: Option<Version>,
    #[serde(default)]
    quiet: Option<String>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    reason: Option<String>,
}

/// A number, or `pending`.
#[derive(Deserialize)]
#[serde(untagged)]
enum Version {
    Number(u32),
    Word(String),
}

impl DrainBody {
    fn read(self) -> Result<(WhichVersion, DrainRequest), Problem> {
        let version = match self.version {
            None => WhichVersion::Current,
            Some(Version::Number(0)) => return Err(Problem::invalid("version is not a number of at least 1")),
            Some(Version::Number(number)) => number.into(),
            Some(Version::Word(word)) => word.parse()?,
        };
        let quiet = self.quiet.as_deref().map(str::parse::<Interval>).transpose()?;
        let mut request = DrainRequest::default().quiet(quiet.map_or(SignedDuration::ZERO, Interval::duration));
        (request.force, request.reason) = (self.force, self.reason);
        Ok((version, request))
    }
}

/// GET `/api/v1/rotations/due`
pub(crate) async fn due(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let environment: Option<EnvironmentName> = Query::parse(query.as_deref(), &["env"])?.parsed("env")?;
    ok(&session.rotations_due(environment.as_ref()).await?)
}
