//! Incidents: opening them, looking at them, closing them.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use ibyok_api as api;
use ibyok_core::incidents::{IfStillServed, IncidentsShown};
use ibyok_core::{KeyRef, incidents::IncidentRequest, jiff::Timestamp};
use ibyok_operations::incidents::{IncidentReportExt as _, Opened};

use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::json::Raw;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Shared;
use crate::routes::keys::key_write;
use ibyok_documents::Documented;

const OPEN_TAKES: &str = "the body accepts ref, reason, since, freeze, revoke_readers and replace; replace accepts one of value, value_base64 and fields";
const CLOSE_TAKES: &str = "the body accepts cause, prevention and force";
const NOTE_TAKES: &str = "the body accepts text";

/// GET `/api/v1/incidents`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["all"])?;
    let shown = match query.flag("all")? {
        true => IncidentsShown::All,
        false => IncidentsShown::Open,
    };
    ok(&session.incidents().list(shown).await?.document())
}

/// POST `/api/v1/incidents`
pub(crate) async fn open(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let sent = body.parse::<api::IncidentRequest<Raw<'_>>>(OPEN_TAKES);
    if !sent.as_ref().is_ok_and(|sent| sent.replace.is_some()) {
        body.holds_no_value()?;
    }
    let sent = sent?;
    let key: KeyRef = sent.reference.parse().map_err(Problem::from)?;
    let request = IncidentRequest::new(sent.reason)
        .since(sent.since)
        .freeze(sent.freeze)
        .revoke_readers(sent.revoke_readers);
    let request = match sent.replace {
        Some(value) => request.replace(key_write(value)?),
        None => request,
    };
    drop(body);
    let opened = Opened::from(session.incidents().open(&key, request).await?);
    let status = if opened.opened.was_open {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    json(status, &opened.document())
}

/// GET `/api/v1/incidents/{id}`
pub(crate) async fn report(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    Path(which): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.as_deref(), &["since"])?;
    let since = query.get("since").map(str::parse::<Timestamp>).transpose();
    let since = since.map_err(|_| Problem::invalid("the parameter since is not an RFC 3339 time"))?;
    let report = session.incidents().report(&which, since, &shared.options.review);
    ok(&report.await?.document())
}

/// POST `/api/v1/incidents/{id}/close`
pub(crate) async fn close(
    Caller(session): Caller,
    Path(which): Path<String>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body: api::IncidentClosing = body.parse(CLOSE_TAKES)?;
    let still_served = match body.force {
        true => IfStillServed::Close,
        false => IfStillServed::Refuse,
    };
    let closed = session
        .incidents()
        .close(&which, &body.cause, &body.prevention, still_served);
    ok(&closed.await?.document())
}

/// POST `/api/v1/incidents/{id}/notes`
pub(crate) async fn note(
    Caller(session): Caller,
    Path(which): Path<String>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body: api::IncidentNoteRequest = body.parse(NOTE_TAKES)?;
    ok(&session.incidents().note(&which, &body.text).await?.document())
}
