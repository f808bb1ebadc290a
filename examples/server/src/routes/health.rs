//! The endpoints for liveness and readiness. Any client may ask, so the answer does not give the reason of a failure:
//! that is in the log.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Method;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use ibyok_api as api;
use ibyok_core::audit::{SinkMode, SinkStatus};

use crate::answer::{Answer, json, ok};
use crate::openapi::Operation;
use crate::own_log::{self, Sort};
use crate::route::Route;
use crate::router::Shared;

pub(super) fn routes() -> Vec<Route> {
    let alive = Operation::new("alive", "Check that the process lives")
        .for_anybody()
        .answers::<api::Alive>(200, "The process lives");
    let ready = Operation::new("ready", "Check that the vault can serve")
        .for_anybody()
        .answers::<api::Ready>(200, "The vault can serve")
        .answers::<api::Ready>(503, "The vault cannot serve now");
    let openapi = Operation::new("openapi", "Get this document")
        .for_anybody()
        .answers_json(200, "This document");
    vec![
        Route::at("/healthz")
            .with_head()
            .on(Method::GET, get(self::alive), alive),
        Route::at("/readyz")
            .with_head()
            .on(Method::GET, get(self::ready), ready),
        Route::at("/openapi.json")
            .with_head()
            .on(Method::GET, get(self::openapi), openapi),
    ]
}

/// GET `/healthz`
async fn alive() -> Answer {
    ok(&api::Alive {
        status: api::PartState::Ok,
    })
}

/// GET `/readyz`
async fn ready(State(shared): State<Arc<Shared>>) -> Answer {
    let ready = shared.readiness.of(&shared.vault).await;
    let word = |name: &'static str, failure: &Option<String>| match failure {
        None => api::PartState::Ok,
        Some(failure) => {
            if own_log::is_a_line(None, Sort::Part, 0) {
                tracing::warn!(part = name, failure, "not ready");
            }
            api::PartState::Unavailable
        }
    };
    let parts = api::Ready {
        ready: ready.is_ready(),
        store: word("store", &ready.store),
        kek: word("kek", &ready.kek),
        audit: word("audit", &ready.audit),
        audit_sinks: ready.sinks.iter().map(audit_sink).collect(),
        lease: word("lease", &ready.lease),
        damaged_records: ready.damaged_records,
        log_and_store: match ready.behind {
            Some(_) => api::Agreement::StoreBehind,
            None => api::Agreement::Ok,
        },
        floors: word("floors", &ready.floors),
        floors_findings: ready.floors_findings,
        history: if ready.has_history {
            api::History::Ok
        } else {
            api::History::None
        },
    };
    if parts.ready {
        return ok(&parts);
    }
    let mut answer = json(StatusCode::SERVICE_UNAVAILABLE, &parts)?;
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    Ok(answer)
}

/// Describes a sink without its place, which is not for everybody.
fn audit_sink(sink: &SinkStatus) -> api::AuditSink {
    let kind = sink.name.split([' ', ':']).next().unwrap_or_default();
    api::AuditSink {
        kind: kind.to_owned(),
        required: sink.mode == SinkMode::Required,
        state: match sink.failure {
            None => api::PartState::Ok,
            Some(_) => api::PartState::Unavailable,
        },
        waiting: sink.waiting,
        dropped: sink.dropped,
    }
}

/// GET `/openapi.json`
async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json")], crate::openapi::openapi()).into_response()
}
