//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, patch, post, put};
use ibyok_core::Vault;

use crate::gate;
use crate::options::Options;
use crate::problem::Problem;
use crate::ready::Readiness;
use crate::routes::{external, health, incidents, keys, limits, modes, review, rotation, tokens, usage, values};

/// What every handler shares.
pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) options: Options,
    pub(crate) readiness: Readiness,
}

/// A path, the methods that it has in the words of `Allow`, and who handles them.
type Route = (&'static str, &'static str, MethodRouter<Arc<Shared>>);

/// The HTTP interface of a vault, to be served by [`serve`](crate::serve()), nested into another program, or called without a
/// socket. Without [`serve`](crate::serve()), the client's address is unknown.
pub fn router(vault: Vault, options: Options) -> Router {
    let shared = Arc::new(Shared {
        vault,
        options,
        readiness: Readiness::default(),
    });
    let mut router = Router::new();
    for (path, allow, methods) in interface() {
        // HEAD is refused: what it says about a value would have to be retrieved, and recorded, to be true.
        let refuse = move || async move { Problem::method(allow) };
        router = router.route(path, methods.head(refuse).fallback(refuse));
    }
    for (path, allow, methods) in health() {
        router = router.route(path, methods.fallback(move || async move { Problem::method(allow) }));
    }
    router
        .fallback(|| async { Problem::no_route() })
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&shared), gate::pass))
        .with_state(shared)
}

fn interface() -> Vec<Route> {
    let key = "/api/v1/keys/{env}/{name}";
    vec![
        ("/external/keys", "GET", get(external::list)),
        ("/external/keys/{name}/value", "GET", get(external::value)),
        ("/external/usage", "GET", get(usage::external)),
        ("/api/v1/keys", "GET", get(keys::list)),
        (
            key,
            "GET, PUT, PATCH, DELETE",
            get(keys::show)
                .merge(put(keys::set))
                .merge(patch(keys::edit))
                .delete(keys::remove),
        ),
        ("/api/v1/keys/{env}/{name}/value", "GET", get(values::retrieve)),
        ("/api/v1/keys/{env}/{name}/disable", "POST", post(keys::disable)),
        ("/api/v1/keys/{env}/{name}/enable", "POST", post(keys::enable)),
        ("/api/v1/keys/{env}/{name}/stage", "POST", post(rotation::stage)),
        ("/api/v1/keys/{env}/{name}/promote", "POST", post(rotation::promote)),
        ("/api/v1/keys/{env}/{name}/rollback", "POST", post(rotation::rollback)),
        ("/api/v1/limits", "GET, PUT", get(limits::show).put(limits::set)),
        ("/api/v1/keys/{env}/{name}/mode", "POST", post(modes::of_key)),
        ("/api/v1/modes", "GET, PUT", get(modes::list).put(modes::set)),
        ("/api/v1/keys/{env}/{name}/retire", "POST", post(rotation::retire)),
        ("/api/v1/keys/{env}/{name}/destroy", "POST", post(rotation::destroy)),
        ("/api/v1/keys/{env}/{name}/rotation", "GET", get(rotation::status)),
        ("/api/v1/rotations/due", "GET", get(rotation::due)),
        ("/api/v1/tokens", "GET, POST", get(tokens::list).post(tokens::issue)),
        (
            "/api/v1/tokens/self",
            "GET, DELETE",
            get(tokens::whoami).delete(tokens::revoke_self),
        ),
        (
            "/api/v1/tokens/{id}",
            "GET, DELETE",
            get(tokens::show).delete(tokens::revoke),
        ),
        ("/api/v1/usage", "GET", get(usage::report)),
        ("/api/v1/tokens/review", "GET", get(tokens::review)),
        ("/api/v1/tokens/self/rotate", "POST", post(tokens::rotate_self)),
        ("/api/v1/tokens/{id}/rotate", "POST", post(tokens::rotate)),
        (
            "/api/v1/incidents",
            "GET, POST",
            get(incidents::list).post(incidents::open),
        ),
        ("/api/v1/audit/review", "GET", get(review::review)),
        ("/api/v1/audit/review/acks", "POST", post(review::acknowledge)),
        ("/api/v1/audit/review/done", "POST", post(review::done)),
        ("/api/v1/incidents/{id}", "GET", get(incidents::report)),
        ("/api/v1/incidents/{id}/close", "POST", post(incidents::close)),
        ("/api/v1/incidents/{id}/notes", "POST", post(incidents::note)),
    ]
}

fn health() -> Vec<Route> {
    vec![
        ("/healthz", "GET, HEAD", get(health::alive)),
        ("/readyz", "GET, HEAD", get(health::ready)),
        ("/openapi.json", "GET, HEAD", get(health::openapi)),
    ]
}
