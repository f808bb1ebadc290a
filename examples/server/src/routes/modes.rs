//! Modes: of environments, and of a key.

use axum::extract::{Path, RawQuery};
use ibyok_core::{EnvironmentName, Mode};
use serde::Deserialize;

use super::key_ref;
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::problem::Problem;
use crate::query::Query;

const SET_TAKES: &str = "it takes environment and mode (mock or live)";
const KEY_TAKES: &str = "it takes mode: mock, live or inherit";

/// GET `/api/v1/modes`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.environment_modes().await?)
}

/// PUT `/api/v1/modes`
pub(crate) async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        environment: String,
        mode: String,
    }
    Query::parse(query.as_deref(), &[])?;
    let Body { environment, mode } = body.parse(SET_TAKES)?;
    let environment: EnvironmentName = environment.parse()?;
    ok(&session.set_environment_mode(&environment, mode.parse()?).await?)
}

/// POST `/api/v1/keys/{env}/{name}/mode`
pub(crate) async fn of_key(
    Changing(session): Changing,
    Path((environment, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        mode: String,
    }
    Query::parse(query.as_deref(), &[])?;
    let Body { mode } = body.parse(KEY_TAKES)?;
    let mode: Option<Mode> = match mode.as_str() {
        "inherit" => None,
        other => Some(
            other
                .parse()
                .map_err(|_| Problem::invalid("the mode is none").hint(KEY_TAKES))?,
        ),
    };
    let key = key_ref(&session, &environment, &name).await?;
    ok(&session.set_key_mode(&key, mode).await?)
}
