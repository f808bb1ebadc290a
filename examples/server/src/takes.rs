//! The body that a route accepts: its verb, its permitted senders, and its largest size.

use axum::Extension;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use ibyok_core::{KeyRef, Scope, Session, audit::Action, sessions::Admitted};

use crate::options::Options;
use crate::problem::Problem;

/// The conditions that a body must meet before it is read. A route without them reads no body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Takes {
    action: Action,
    /// The scope that the verb needs; without one, every valid token may send the body.
    scope: Option<Scope>,
    /// True if the body may hold a value.
    value: bool,
}

impl Takes {
    /// A body that holds a value.
    pub(crate) fn value(action: Action, scope: Scope) -> Extension<Self> {
        Extension(Takes {
            action,
            scope: Some(scope),
            value: true,
        })
    }

    /// A body without a value.
    pub(crate) fn words(action: Action, scope: Scope) -> Extension<Self> {
        Extension(Takes {
            action,
            scope: Some(scope),
            value: false,
        })
    }

    /// A body without a value that a token may send about itself.
    pub(crate) fn of_itself(action: Action) -> Extension<Self> {
        Extension(Takes {
            action,
            scope: None,
            value: false,
        })
    }

    /// The largest body, in bytes.
    pub(crate) fn limit(self, options: &Options) -> usize {
        match self.value {
            true => options.body_limit,
            false => options.body_limit.min(options.small_body_limit),
        }
    }

    /// Refuses a sender that may not send the body, and returns one that may.
    pub(crate) async fn admit(self, session: &Session, parts: &mut Parts) -> Result<Admitted, Problem> {
        let key = key_of(parts).await;
        Ok(session.admit(self.action, self.scope, key.as_ref()).await?)
    }
}

/// Returns the key that the route has found in the path, or that the path names in an environment. The handler refuses a malformed name.
async fn key_of(parts: &mut Parts) -> Option<KeyRef> {
    if let Some(key) = parts.extensions.get::<KeyRef>() {
        return Some(key.clone());
    }
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let named = |wanted: &str| {
        let mut params = params.iter();
        params.find_map(|(name, value)| (name == wanted).then_some(value))
    };
    KeyRef::from_parts(named("env")?, named("name")?).ok()
}
