//! Reviews of the audit log.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::Method;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ibyok_api as api;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::jiff::Timestamp;
use ibyok_documents::Documented;
use ibyok_operations::reviews::{ReviewExt as _, ReviewRequest};

use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::openapi::{Operation, SINCE};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::router::Shared;
use crate::takes::Takes;

const ACK_TAKES: &str = "the body accepts id, reason and since";
const DONE_TAKES: &str = "the body accepts reason and since";

pub(super) fn routes() -> Vec<Route> {
    let reviewed = Operation::new(
        "reviewAudit",
        "Review the audit log: findings, each with the lines that show it",
    )
    .needs("Scope: audit:read. A token sees the lines that its grant covers")
    .takes(SINCE)
    .answers::<api::Review>(200, "The review");
    let acknowledge = Operation::new("acknowledgeFinding", "Acknowledge a finding with a reason")
        .needs("Scope: incidents:write in the whole namespace, and audit:read")
        .body::<api::FindingAck>()
        .answers::<api::Finding>(201, "The finding");
    let done = Operation::new("reviewDone", "Review the audit log and record that it was reviewed")
        .needs("Scope: incidents:write in the whole namespace, and audit:read")
        .body::<api::ReviewDoneRequest>()
        .answers::<api::Review>(201, "The review, with `last_done`");
    vec![
        Route::at("/api/v1/audit/review").on(Method::GET, get(self::review), reviewed),
        Route::at("/api/v1/audit/review/acks").on(
            Method::POST,
            post(self::acknowledge).layer(takes(Action::ReviewAck)),
            acknowledge,
        ),
        Route::at("/api/v1/audit/review/done").on(
            Method::POST,
            post(self::done).layer(takes(Action::ReviewDone)),
            done,
        ),
    ]
}

fn takes(action: Action) -> Extension<Takes> {
    Takes::words(action, Scope::IncidentsWrite)
}

/// GET `/api/v1/audit/review`
async fn review(State(shared): State<Arc<Shared>>, Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["since"])?;
    let since = query.get("since").map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|_| Problem::invalid("the parameter since is not an RFC 3339 time"))?;
    let request = ReviewRequest::since(since).habits(&shared.options.review);
    ok(&session.reviews().run(&request).await?.document())
}

/// POST `/api/v1/audit/review/acks`
async fn acknowledge(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body: api::FindingAck = body.parse(ACK_TAKES)?;
    let request = ReviewRequest::since(body.since).habits(&shared.options.review);
    let finding = session.reviews().acknowledge(&request, &body.id, &body.reason).await?;
    json(StatusCode::CREATED, &finding.document())
}

/// POST `/api/v1/audit/review/done`
async fn done(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body: api::ReviewDoneRequest = body.parse(DONE_TAKES)?;
    let request = ReviewRequest::since(body.since).habits(&shared.options.review);
    let review = session.reviews().record(&request, body.reason.as_deref()).await?;
    json(StatusCode::CREATED, &review.document())
}
