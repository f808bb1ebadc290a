//! Who used what.

use axum::extract::RawQuery;
use ibyok_core::{KeyId, Session, Timestamp, UsageBy, UsageReport, UsageRequest};
use serde::Serialize;

use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

/// GET `/api/v1/usage`
pub(crate) async fn report(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    ok(&read(&session, query.as_deref()).await?)
}

/// GET `/external/usage`
pub(crate) async fn external(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let report = read(&session, query.as_deref()).await?;
    let items = report.items.iter().map(|item| Item {
        key_id: item.key_id,
        r#ref: item.reference.as_deref(),
        version: item.version,
        kind: item.kind,
        token: item.token.as_deref(),
        name: item.name.as_deref(),
        environment: item.environment.as_ref().map(|name| name.as_str()),
        day: item.day.map(|day| day.to_string()),
        allowed: item.allowed,
        mocked: item.mocked,
        denied: item.denied,
        failed: item.failed,
        last_used: item.last_used,
        consumers: item.consumers,
        networks: item.networks,
    });
    ok(&Usage {
        by: report.by,
        since: report.since.to_string(),
        until: report.until.to_string(),
        items: items.collect(),
        damaged: report.damaged,
        incomplete: report.incomplete,
        next: None,
    })
}

async fn read(session: &Session, query: Option<&str>) -> Result<UsageReport, Problem> {
    let query = Query::parse(query, &["by", "since", "until", "env", "key"])?;
    let mut request = UsageRequest::new(query.parsed::<UsageBy>("by")?.unwrap_or_default());
    request.since = time(&query, "since")?;
    request.until = time(&query, "until")?;
    request.environment = query.parsed("env")?;
    request.key = query.parsed("key")?;
    Ok(session.usage(&request).await?)
}

fn time(query: &Query, name: &'static str) -> Result<Option<Timestamp>, Problem> {
    let time = query.get(name).map(str::parse).transpose();
    time.map_err(|_| {
        Problem::invalid(format!("the parameter {name} is no time")).hint("give it as `2026-12-31T18:00:00Z`")
    })
}

#[derive(Serialize)]
struct Usage<'a> {
    by: UsageBy,
    since: String,
    until: String,
    items: Vec<Item<'a>>,
    /// The number of damaged records of counts: their counts are missing.
    damaged: u64,
    /// True if damaged records of environments may hide usage.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
    next: Option<()>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<KeyId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#ref: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day: Option<String>,
    allowed: u64,
    mocked: u64,
    denied: u64,
    failed: u64,
    last_used: Option<Timestamp>,
    consumers: usize,
    networks: usize,
}
