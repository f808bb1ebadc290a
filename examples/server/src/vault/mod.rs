//! The door for clients of HashiCorp Vault and OpenBao: KV version 2, and the token and system routes that these clients ask.
//!
//! Each handler parses, makes calls of the same verbs as the other routes, and answers in Vault's documents. So every rule of
//! the vault holds here.
//!
//! - `path`: the route that a path names
//! - `call`: a request, and the session of its caller
//! - `answer`: Vault's envelope
//! - `kv`: the routes of the mount, and how a key becomes a secret of Vault's
//! - `tokens`: the routes under `auth/token`
//! - `system`: the routes under `sys`
//! - `duration`: durations as Vault writes them

mod answer;
mod call;
mod duration;
mod kv;
mod path;
mod system;
mod tokens;

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use self::call::Call;
use self::path::Target;
use crate::problem::Problem;
use crate::router::Shared;

/// The path that the router gives to this door.
pub(crate) const ROUTE: &str = "/v1/{*path}";

/// The name of a route in the server's log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteName(pub(crate) &'static str);

/// Returns true for a path whose answers have Vault's form.
pub(crate) fn is_path(path: &str) -> bool {
    path.strip_prefix("/v1")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Answers a request of a Vault client.
pub(crate) async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    // Borrowed by the target while the call takes the request apart; its bytes are shared.
    let uri = request.uri().clone();
    let target = Target::parse(uri.path(), &shared.options.vault_mount);
    let name = RouteName(target.as_ref().map_or("/v1/{path}", Target::route));
    let answered = match target {
        Some(target) => dispatch(target, shared, request).await,
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "no_route",
            "this server has no such path",
        )),
    };
    let mut answer = answered.unwrap_or_else(IntoResponse::into_response);
    answer.extensions_mut().insert(name);
    answer
}

async fn dispatch(target: Target<'_>, shared: Arc<Shared>, request: Request) -> Result<Response, Problem> {
    let call = Call::new(shared, request)?;
    match target {
        Target::Kv(kv, place) => kv::answer(call, kv, place).await,
        Target::Config => kv::config(call).await,
        Target::Token(route) => tokens::answer(call, route).await,
        Target::System(route) => system::answer(call, route).await,
        Target::Mounts(place) => system::mounts(call, place).await,
    }
}
