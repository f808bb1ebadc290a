//! The default limits of environments.

use axum::extract::RawQuery;
use ibyok_core::{EnvironmentName, Rate};
use serde::Deserialize;

use super::keys::named;
use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

const TAKES: &str = "it takes environment, and limit: a rate such as `60/min`, or null for none";

/// GET `/api/v1/limits`
pub(crate) async fn show(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    ok(&session.limits(environment.as_ref()).await?)
}

/// PUT `/api/v1/limits`
pub(crate) async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse::<Body>(TAKES)?;
    let environment: EnvironmentName = body.environment.parse()?;
    let limit = body
        .limit
        .ok_or_else(|| Problem::invalid("no limit is given").hint(TAKES))?;
    ok(&session.set_limit(&environment, limit).await?)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    environment: String,
    #[serde(default, deserialize_with = "named")]
    limit: Option<Option<Rate>>,
}
