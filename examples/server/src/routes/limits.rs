//! The default limits of environments.

use axum::extract::RawQuery;
use ibyok_api as api;
use ibyok_core::EnvironmentName;

use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use ibyok_documents::{Documented, rate};

const TAKES: &str = "the body accepts environment and limit: a rate such as `60/min`, or null for no limit";

/// GET `/api/v1/limits`
pub(crate) async fn show(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    ok(&session.limits().list(environment.as_ref()).await?.document())
}

/// PUT `/api/v1/limits`
pub(crate) async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse::<api::EnvironmentLimitChange>(TAKES)?;
    let environment: EnvironmentName = body.environment.parse()?;
    let limit = body.limit.map(rate).into_nested();
    let limit = limit.ok_or_else(|| Problem::invalid("no limit is given").hint(TAKES))?;
    ok(&session.limits().set(&environment, limit).await?.document())
}
