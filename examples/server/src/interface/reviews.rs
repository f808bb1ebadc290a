//! Incidents and reviews of the audit log.

use axum::Extension;
use axum::http::Method;
use axum::routing::{get, post};
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::{Scope, audit::Action};

use super::Route;
use crate::openapi::{Operation, Parameter, SINCE};
use crate::routes::{incidents, review};
use crate::takes::Takes;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = vec![all()];
    routes.extend(one());
    routes.extend(reviews());
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
        .on(Method::GET, get(incidents::list), list)
        .on(Method::POST, post(incidents::open).layer(takes_value), open)
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
    let handler = post(incidents::close).layer(takes(Action::IncidentClose));
    vec![
        Route::at("/api/v1/incidents/{id}").on(Method::GET, get(incidents::report), report),
        Route::at("/api/v1/incidents/{id}/close").on(Method::POST, handler, close),
        Route::at("/api/v1/incidents/{id}/notes").on(
            Method::POST,
            post(incidents::note).layer(takes(Action::IncidentClose)),
            note,
        ),
    ]
}

fn reviews() -> Vec<Route> {
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
        Route::at("/api/v1/audit/review").on(Method::GET, get(review::review), reviewed),
        Route::at("/api/v1/audit/review/acks").on(
            Method::POST,
            post(review::acknowledge).layer(takes(Action::ReviewAck)),
            acknowledge,
        ),
        Route::at("/api/v1/audit/review/done").on(
            Method::POST,
            post(review::done).layer(takes(Action::ReviewDone)),
            done,
        ),
    ]
}
