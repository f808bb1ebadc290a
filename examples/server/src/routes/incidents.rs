//! Incidents: opening them, looking at them, closing them.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::http::Method;
use axum::http::StatusCode;
use axum::routing::{get, post};
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::incidents::{IfStillServed, IncidentsShown};
use ibyok_core::{KeyRef, incidents::IncidentRequest, jiff::Timestamp};
use ibyok_documents::Documented;
use ibyok_operations::incidents::{IncidentReportExt as _, Opened};

use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::json::Raw;
use crate::openapi::{Operation, Parameter, SINCE};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::router::Shared;
use crate::routes::keys::key_write;
use crate::takes::Takes;

const OPEN_TAKES: &str = "the body accepts ref, reason, since, freeze, revoke_readers and replace; replace accepts one of value, value_base64 and fields";
const CLOSE_TAKES: &str = "the body accepts cause, prevention and force";
const NOTE_TAKES: &str = "the body accepts text";

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![all()];
    routes.extend(one());
    routes
}

fn takes(action: Action) -> Extension<Takes> {
    Takes::words(action, Scope::IncidentsWrite)
}

fn id() -> Parameter {
    Parameter::path::<String>("id", "The incident's id, `inc_` and 22 base62 characters")
}

fn all() -> Route {
    let list = Operation::new(
        "listIncidents",
        "List the incidents that the token may see, newest first",
    )
    .needs("Scope: incidents:write")
    .takes(Parameter::flag("all", "List closed incidents as well"))
    .answers::<api::Page<api::Incident>>(200, "The incidents");
    let open = Operation::new(
        "openIncident",
        "Mark a key that may have leaked, and stop or replace its value",
    )
    .needs("Scope: incidents:write. A new value needs keys:rotate or keys:write as well")
    .body::<api::IncidentRequest<String, schema::Field>>()
    .answers::<api::IncidentOpened>(201, "A new incident")
    .answers::<api::IncidentOpened>(200, "An open incident that the request added to");
    let takes_value = Takes::value(Action::IncidentOpen, Scope::IncidentsWrite);
    Route::at("/api/v1/incidents")
        .on(Method::GET, get(self::list), list)
        .on(Method::POST, post(self::open).layer(takes_value), open)
}

fn one() -> Vec<Route> {
    let report = Operation::new(
        "incidentReport",
        "Report the readers of a leaked key, other keys in their reach, and the work that remains",
    )
    .needs("Scope: incidents:write and audit:read")
    .takes(id())
    .takes(SINCE)
    .answers::<api::IncidentReport>(200, "The report");
    let close = Operation::new("closeIncident", "Close an incident with its cause and prevention")
        .needs("Scope: incidents:write")
        .takes(id())
        .body::<api::IncidentClosing>()
        .answers::<api::Incident>(200, "The incident after the change");
    let note = Operation::new("noteIncident", "Add a note to an open incident")
        .needs("Scope: incidents:write")
        .takes(id())
        .body::<api::IncidentNoteRequest>()
        .answers::<api::Incident>(200, "The incident after the change");
    let handler = post(self::close).layer(takes(Action::IncidentClose));
    vec![
        Route::at("/api/v1/incidents/{id}").on(Method::GET, get(self::report), report),
        Route::at("/api/v1/incidents/{id}/close").on(Method::POST, handler, close),
        Route::at("/api/v1/incidents/{id}/notes").on(
            Method::POST,
            post(self::note).layer(takes(Action::IncidentClose)),
            note,
        ),
    ]
}

/// GET `/api/v1/incidents`
async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["all"])?;
    let shown = match query.flag("all")? {
        true => IncidentsShown::All,
        false => IncidentsShown::Open,
    };
    ok(&session.incidents().list(shown).await?.document())
}

/// POST `/api/v1/incidents`
async fn open(Caller(session): Caller, RawQuery(query): RawQuery, body: Json) -> Answer {
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
async fn report(
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
async fn close(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery, body: Json) -> Answer {
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
async fn note(Caller(session): Caller, Path(which): Path<String>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let body: api::IncidentNoteRequest = body.parse(NOTE_TAKES)?;
    ok(&session.incidents().note(&which, &body.text).await?.document())
}
