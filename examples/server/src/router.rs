//! The router, made from the table of routes.

use std::sync::Arc;

use axum::Router;
use ibyok_core::Vault;

use crate::options::Options;
use crate::problem::Problem;
use crate::ready::Readiness;
use crate::retrieval::Retrievals;
use crate::room::Room;
use crate::{gate, routes, vault};

/// The state that all handlers share.
pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) options: Options,
    pub(crate) readiness: Readiness,
    pub(crate) room: Arc<Room>,
}

/// The HTTP interface of a vault, to be served by [`serve`](crate::serve()), nested into another program, or called without a
/// socket. Without [`serve`](crate::serve()), the client's address is unknown.
pub fn router(vault: Vault, options: Options) -> Router {
    router_and_retrievals(vault, options).0
}

/// The router, and the way of retrievals past it. Both are made from the same routes.
pub(crate) fn router_and_retrievals(vault: Vault, options: Options) -> (Router, Retrievals) {
    let shared = Arc::new(Shared {
        room: Room::new(&options),
        vault,
        options,
        readiness: Readiness::default(),
    });
    let mut router = Router::new();
    let mut past = Vec::new();
    for route in routes::all() {
        past.extend(route.retrieval());
        let (path, allow) = (route.path(), route.allow());
        let refuse = move || std::future::ready(Problem::method(allow.clone()));
        let (methods, has_head) = route.into_methods();
        let methods = match has_head {
            true => methods,
            false => methods.head(refuse.clone()),
        };
        router = router.route(path, methods.fallback(refuse));
    }
    let router = router
        .route(vault::ROUTE, axum::routing::any(vault::answer))
        .fallback(|| async { Problem::no_route() })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), gate::pass))
        .with_state(Arc::clone(&shared));
    (router, Retrievals::new(shared, past))
}
