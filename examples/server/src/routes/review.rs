//! Reviews of the audit log.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use ibyok_api as api;
use ibyok_core::jiff::Timestamp;
use ibyok_operations::reviews::{ReviewExt as _, ReviewRequest};

use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Shared;
use ibyok_documents::Documented;

const ACK_TAKES: &str = "the body accepts id, reason and since";
const DONE_TAKES: &str = "the body accepts reason and since";

/// GET `/api/v1/audit/review`
pub(crate) async fn review(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.as_deref(), &["since"])?;
    let since = query.get("since").map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|_| Problem::invalid("the parameter since is not an RFC 3339 time"))?;
    let request = ReviewRequest::since(since).habits(&shared.options.review);
    ok(&session.reviews().run(&request).await?.document())
}

/// POST `/api/v1/audit/review/acks`
pub(crate) async fn acknowledge(
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
pub(crate) async fn done(
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
