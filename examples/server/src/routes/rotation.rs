//! Rotation: the steps of a key's versions.

use axum::extract::{Path, RawQuery};
use serde::Deserialize;

use super::keys::{Named, SET_TAKES, SetBody};
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::query::Query;

const STEP_TAKES: &str = "it takes nothing";

/// A body in which nothing stands.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// POST `/api/v1/keys/{env}/{name}/stage`
pub(crate) async fn stage(
    Caller(session): Caller,
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
    Caller(session): Caller,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    nothing_else(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    ok(&session.promote_key(&key).await?)
}

/// POST `/api/v1/keys/{env}/{name}/rollback`
pub(crate) async fn rollback(
    Caller(session): Caller,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    nothing_else(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    ok(&session.rollback_key(&key).await?)
}

fn nothing_else(query: Option<&str>, body: &Json) -> Result<(), crate::problem::Problem> {
    Query::parse(query, &[])?;
    body.parse_or_default::<Nothing>(STEP_TAKES)?;
    Ok(())
}
