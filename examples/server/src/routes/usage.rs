//! The routes of usage.

use axum::extract::RawQuery;
use axum::http::Method;
use axum::routing::get;
use ibyok_api as api;
use ibyok_core::{
    Session,
    jiff::Timestamp,
    usage::{UsageBy, UsageReport, UsageRequest},
};
use ibyok_documents::Documented;

use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::openapi::{BY, ENVIRONMENT, Operation, Parameter, SINCE, UNTIL};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let used = usage_operation("usage").answers::<api::UsageReport>(200, "The report");
    let published = usage_operation("externalUsage").answers::<api::ExternalUsage>(200, "The report");
    vec![
        Route::at("/api/v1/usage").on(Method::GET, get(self::report), used),
        Route::at("/external/usage").on(Method::GET, get(self::external), published),
    ]
}

fn usage_operation(id: &'static str) -> Operation {
    Operation::new(
        id,
        "Report usage: the consumers, the number of retrievals and the last ones",
    )
    .needs("Scope: usage:read")
    .takes(BY)
    .takes(SINCE)
    .takes(UNTIL)
    .takes(ENVIRONMENT)
    .takes(Parameter::text(
        "key",
        "The key, as `environment/name`; every key if absent",
    ))
}

/// GET `/api/v1/usage`
async fn report(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    ok(&read(&session, query.as_deref()).await?.document())
}

/// GET `/external/usage`
async fn external(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let report = read(&session, query.as_deref()).await?.document();
    ok(&api::ExternalUsage {
        by: report.by,
        since: report.since,
        until: report.until,
        items: report.items.into_iter().map(external_item).collect(),
        damaged: report.damaged,
        incomplete: report.incomplete,
        next: None,
    })
}

/// The item in the words of the published interface.
fn external_item(item: api::UsageItem) -> api::ExternalUsageItem {
    api::ExternalUsageItem {
        key_id: item.key_id,
        reference: item.reference,
        version: item.version,
        kind: item.kind,
        token: item.token,
        name: item.name,
        environment: item.environment,
        day: item.day,
        allowed: item.allowed,
        mocked: item.mocked,
        denied: item.denied,
        failed: item.failed,
        last_used: item.last_used,
        consumers: item.consumers,
        networks: item.networks,
    }
}

async fn read(session: &Session, query: Option<&str>) -> Result<UsageReport, Problem> {
    let query = Query::parse(query, &["by", "since", "until", "env", "key"])?;
    let mut request = UsageRequest::new(query.parsed::<UsageBy>("by")?.unwrap_or_default());
    request.since = time(&query, "since")?;
    request.until = time(&query, "until")?;
    request.environment = query.parsed("env")?;
    request.key = query.parsed("key")?;
    Ok(session.usage().report(&request).await?)
}

fn time(query: &Query, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let time = query.get(name).map(str::parse).transpose();
    time.map_err(|_| {
        Problem::invalid(format!("the parameter {name} is not a time"))
            .hint("write a time such as `2026-12-31T18:00:00Z`")
    })
}
