//! The default limits of environments.

use axum::extract::RawQuery;
use axum::http::Method;
use axum::routing::{get, put};
use ibyok_api as api;
use ibyok_core::EnvironmentName;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_documents::{Documented, rate};

use crate::answer::{Answer, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::openapi::{ENVIRONMENT, Operation};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;

const TAKES: &str = "the body accepts environment and limit: a rate such as `60/min`, or null for no limit";

pub(super) fn routes() -> Vec<Route> {
    let show = Operation::new("limits", "List the default limits of environments")
        .needs("Scope: keys:list")
        .takes(ENVIRONMENT)
        .answers::<api::Page<api::EnvironmentLimit>>(200, "The environments that the token may see");
    let set = Operation::new("setLimit", "Set or remove the default limit of an environment")
        .needs("Scope: settings:write, for all keys of the environment")
        .body::<api::EnvironmentLimitChange>()
        .answers::<api::EnvironmentLimit>(200, "The environment");
    let takes = Takes::words(Action::SettingsChange, Scope::SettingsWrite);
    let route = Route::at("/api/v1/limits").on(Method::GET, get(self::show), show).on(
        Method::PUT,
        put(self::set).layer(takes),
        set,
    );
    vec![route]
}

/// GET `/api/v1/limits`
async fn show(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    ok(&session.limits().list(environment.as_ref()).await?.document())
}

/// PUT `/api/v1/limits`
async fn set(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body = body.parse::<api::EnvironmentLimitChange>(TAKES)?;
    let environment: EnvironmentName = body.environment.parse()?;
    let limit = body.limit.map(rate).into_nested();
    let limit = limit.ok_or_else(|| Problem::invalid("no limit is given").hint(TAKES))?;
    ok(&session.limits().set(&environment, limit).await?.document())
}
