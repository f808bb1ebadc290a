//! The table of routes.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, get, patch, post, put};
use ibyok_core::{Action, Scope, Vault};

use crate::gate;
use crate::options::Options;
use crate::problem::Problem;
use crate::ready::Readiness;
use crate::room::Room;
use crate::routes::{external, health, incidents, keys, limits, modes, review, rotation, tokens, usage, values};
use crate::takes::Takes;

/// What every handler shares.
pub(crate) struct Shared {
    pub(crate) vault: Vault,
    pub(crate) options: Options,
    pub(crate) readiness: Readiness,
    pub(crate) room: Arc<Room>,
}

/// A path, the methods that it has in the words of `Allow`, and who handles them.
type Route = (&'static str, &'static str, MethodRouter<Arc<Shared>>);

/// The HTTP interface of a vault, to be served by [`serve`](crate::serve()), nested into another program, or called without a
/// socket. Without [`serve`](crate::serve()), the client's address is unknown.
pub fn router(vault: Vault, options: Options) -> Router {
    let shared = Arc::new(Shared {
        room: Room::new(&options),
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
    let mut routes = keys_and_values();
    routes.extend(versions());
    routes.extend(settings_and_tokens());
    routes.extend(reviews_and_incidents());
    routes
}

fn keys_and_values() -> Vec<Route> {
    let key = "/api/v1/keys/{env}/{name}";
    let set = Takes::value(Action::KeySet, Scope::KeysWrite);
    let edit = Takes::words(Action::KeyEdit, Scope::KeysWrite);
    let disable = Takes::words(Action::KeyDisable, Scope::KeysWrite);
    let enable = Takes::words(Action::KeyEnable, Scope::KeysWrite);
    vec![
        ("/external/keys", "GET", get(external::list)),
        ("/external/keys/{name}/value", "GET", get(external::value)),
        ("/external/usage", "GET", get(usage::external)),
        ("/api/v1/keys", "GET", get(keys::list)),
        (
            key,
            "GET, PUT, PATCH, DELETE",
            get(keys::show)
                .merge(put(keys::set).layer(set))
                .merge(patch(keys::edit).layer(edit))
                .delete(keys::remove),
        ),
        ("/api/v1/keys/{env}/{name}/value", "GET", get(values::retrieve)),
        (
            "/api/v1/keys/{env}/{name}/disable",
            "POST",
            post(keys::disable).layer(disable),
        ),
        (
            "/api/v1/keys/{env}/{name}/enable",
            "POST",
            post(keys::enable).layer(enable),
        ),
        ("/api/v1/usage", "GET", get(usage::report)),
    ]
}

fn versions() -> Vec<Route> {
    let stage = Takes::value(Action::KeyStage, Scope::KeysRotate);
    let rotate = |action| Takes::words(action, Scope::KeysRotate);
    let destroy = Takes::words(Action::KeyDestroy, Scope::KeysDestroy);
    vec![
        (
            "/api/v1/keys/{env}/{name}/stage",
            "POST",
            post(rotation::stage).layer(stage),
        ),
        (
            "/api/v1/keys/{env}/{name}/promote",
            "POST",
            post(rotation::promote).layer(rotate(Action::KeyPromote)),
        ),
        (
            "/api/v1/keys/{env}/{name}/rollback",
            "POST",
            post(rotation::rollback).layer(rotate(Action::KeyRollback)),
        ),
        (
            "/api/v1/keys/{env}/{name}/retire",
            "POST",
            post(rotation::retire).layer(rotate(Action::KeyRetire)),
        ),
        (
            "/api/v1/keys/{env}/{name}/destroy",
            "POST",
            post(rotation::destroy).layer(destroy),
        ),
        ("/api/v1/keys/{env}/{name}/rotation", "GET", get(rotation::status)),
        ("/api/v1/rotations/due", "GET", get(rotation::due)),
    ]
}

fn settings_and_tokens() -> Vec<Route> {
    let settings = Takes::words(Action::SettingsChange, Scope::SettingsWrite);
    let mode = Takes::words(Action::KeyMode, Scope::SettingsWrite);
    let issue = Takes::words(Action::TokenIssue, Scope::TokensIssue);
    let rotate = Takes::of_itself(Action::TokenRotate);
    vec![
        (
            "/api/v1/limits",
            "GET, PUT",
            get(limits::show).merge(put(limits::set).layer(settings)),
        ),
        (
            "/api/v1/keys/{env}/{name}/mode",
            "POST",
            post(modes::of_key).layer(mode),
        ),
        (
            "/api/v1/modes",
            "GET, PUT",
            get(modes::list).merge(put(modes::set).layer(settings)),
        ),
        (
            "/api/v1/tokens",
            "GET, POST",
            get(tokens::list).merge(post(tokens::issue).layer(issue)),
        ),
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
        ("/api/v1/tokens/review", "GET", get(tokens::review)),
        (
            "/api/v1/tokens/self/rotate",
            "POST",
            post(tokens::rotate_self).layer(rotate),
        ),
        ("/api/v1/tokens/{id}/rotate", "POST", post(tokens::rotate).layer(rotate)),
    ]
}

fn reviews_and_incidents() -> Vec<Route> {
    let open = Takes::value(Action::IncidentOpen, Scope::IncidentsWrite);
    let close = Takes::words(Action::IncidentClose, Scope::IncidentsWrite);
    let ack = Takes::words(Action::ReviewAck, Scope::IncidentsWrite);
    let done = Takes::words(Action::ReviewDone, Scope::IncidentsWrite);
    vec![
        (
            "/api/v1/incidents",
            "GET, POST",
            get(incidents::list).merge(post(incidents::open).layer(open)),
        ),
        ("/api/v1/audit/review", "GET", get(review::review)),
        (
            "/api/v1/audit/review/acks",
            "POST",
            post(review::acknowledge).layer(ack),
        ),
        ("/api/v1/audit/review/done", "POST", post(review::done).layer(done)),
        ("/api/v1/incidents/{id}", "GET", get(incidents::report)),
        (
            "/api/v1/incidents/{id}/close",
            "POST",
            post(incidents::close).layer(close),
        ),
        (
            "/api/v1/incidents/{id}/notes",
            "POST",
            post(incidents::note).layer(close),
        ),
    ]
}

fn health() -> Vec<Route> {
    vec![
        ("/healthz", "GET, HEAD", get(health::alive)),
        ("/readyz", "GET, HEAD", get(health::ready)),
        ("/openapi.json", "GET, HEAD", get(health::openapi)),
    ]
}
