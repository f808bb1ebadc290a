//! Modes: of environments, and of a key.

use axum::extract::{Path, RawQuery};
use ibyok_api as api;
use ibyok_core::{EnvironmentName, modes::Mode};

use super::key_ref;
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::Changing;
use crate::problem::Problem;
use crate::query::Query;
use ibyok_documents::Documented;

const SET_TAKES: &str = "the body accepts environment and mode (mock or live)";
const KEY_TAKES: &str = "the body accepts mode: mock, live or inherit";

/// GET `/api/v1/modes`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    ok(&session.modes().list().await?.document())
}

/// PUT `/api/v1/modes`
pub(crate) async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let sent: api::SetMode = body.parse(SET_TAKES)?;
    let environment: EnvironmentName = sent.environment.parse()?;
    let mode = sent.mode.as_str().parse()?;
    ok(&session.modes().set(&environment, mode).await?.document())
}

/// POST `/api/v1/keys/{env}/{name}/mode`
pub(crate) async fn of_key(
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
