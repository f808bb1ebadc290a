//! The routes that anybody may ask.

use axum::http::Method;
use axum::routing::get;
use ibyok_api as api;

use super::Route;
use crate::openapi::Operation;
use crate::routes::health;

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
            .on(Method::GET, get(health::alive), alive),
        Route::at("/readyz")
            .with_head()
            .on(Method::GET, get(health::ready), ready),
        Route::at("/openapi.json")
            .with_head()
            .on(Method::GET, get(health::openapi), openapi),
    ]
}
