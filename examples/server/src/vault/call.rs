//! A request of a Vault client, and the session of its caller.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use ibyok_core::{AccessToken, KeyRef, RequestContext, Session};

use crate::body::{Json, says};
use crate::caller::{Caller, token};
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Shared;
use crate::takes::Takes;

const WRAP_TTL: HeaderName = HeaderName::from_static("x-vault-wrap-ttl");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");

/// The media type of a partial change (RFC 7396).
const MERGE_PATCH: &str = "application/merge-patch+json";

/// The media types of a body, besides none: Vault's own client names none, and curl names a form by itself.
const BODIES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

/// The effect that a request asks for. Vault's clients write with PUT or with POST.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Read,
    Head,
    List,
    Write,
    Patch,
    Delete,
    Other,
}

impl Verb {
    fn of(method: &Method) -> Self {
        match method.as_str() {
            "GET" => Verb::Read,
            "HEAD" => Verb::Head,
            "LIST" => Verb::List,
            "POST" | "PUT" => Verb::Write,
            "PATCH" => Verb::Patch,
            "DELETE" => Verb::Delete,
            _ => Verb::Other,
        }
    }
}

/// A request of a Vault client.
pub(super) struct Call {
    pub(super) shared: Arc<Shared>,
    pub(super) verb: Verb,
    /// The id of the request, for the envelope.
    pub(super) id: String,
    parts: Parts,
    body: Body,
}

impl Call {
    /// Takes a request.
    ///
    /// # Errors
    /// A problem for a request that asks for a wrapped answer: a client that gets the bare secret instead would hand it on.
    pub(super) fn new(shared: Arc<Shared>, request: Request) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        if parts.headers.contains_key(WRAP_TTL) {
            return Err(Problem::invalid("this server does not wrap answers").hint("remove X-Vault-Wrap-TTL"));
        }
        let context = parts.extensions.get::<RequestContext>();
        Ok(Call {
            verb: Verb::of(&parts.method),
            id: context
                .and_then(|context| context.request_id.clone())
                .unwrap_or_default(),
            shared,
            parts,
            body,
        })
    }

    /// Reads the query, which may hold only these names.
    pub(super) fn query(&self, known: &[&'static str]) -> Result<Query, Problem> {
        Query::parse(self.parts.uri.query(), known)
    }

    /// Returns the whole query, for a route that ignores unknown names.
    pub(super) fn raw_query(&self) -> Option<&str> {
        self.parts.uri.query()
    }

    /// Returns the context of the request, for a session of another token.
    pub(super) fn context(&self) -> RequestContext {
        self.parts.extensions.get().cloned().unwrap_or_default()
    }

    /// Returns the token of the request, for an answer that has it again.
    pub(super) fn token(&self) -> Option<AccessToken> {
        token(&self.parts.headers).ok().flatten()
    }

    /// Returns the caller's session, for a request whose body is not read.
    pub(super) async fn session(&mut self) -> Result<Session, Problem> {
        let Caller(session) = Caller::from_request_parts(&mut self.parts, &self.shared).await?;
        if let Some(named) = namespace(&self.parts.headers) {
            check_namespace(&session, named).await?;
        }
        Ok(session)
    }

    /// Returns the caller's session, once the caller is known to be allowed to send the body.
    pub(super) async fn sender(&mut self, takes: Takes, key: Option<&KeyRef>) -> Result<Session, Problem> {
        self.parts.extensions.insert(takes);
        if let Some(key) = key {
            self.parts.extensions.insert(key.clone());
        }
        self.session().await
    }

    /// Reads the body of a request whose sender is known.
    pub(super) async fn body(self) -> Result<(Arc<Shared>, Verb, String, Json), Problem> {
        let headers = &self.parts.headers;
        let fits = match self.verb {
            Verb::Patch => says(headers, MERGE_PATCH),
            _ => !headers.contains_key(CONTENT_TYPE) || BODIES.iter().any(|media| says(headers, media)),
        };
        if !fits {
            let detail = match self.verb {
                Verb::Patch => "the body must be `application/merge-patch+json`",
                _ => "the body must be `application/json`",
            };
            return Err(Problem::unsupported_media(detail));
        }
        let body = Json::read(&self.parts, self.body, &self.shared).await?;
        Ok((self.shared, self.verb, self.id, body))
    }

    /// Returns the refusal of a method that the route does not have.
    pub(super) fn refuse_method(&self, allow: &'static str) -> Problem {
        Problem::method(HeaderValue::from_static(allow))
    }
}

/// Refuses a request that names another namespace than the token's.
async fn check_namespace(session: &Session, named: &[u8]) -> Result<(), Problem> {
    let who = session.whoami().await?;
    if who.namespace.as_str().as_bytes() == named {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::FORBIDDEN,
        "denied",
        "the token belongs to another namespace",
    ))
}

/// Returns the namespace that a request names. An empty one, and `/`, name none.
fn namespace(headers: &HeaderMap) -> Option<&[u8]> {
    let mut named = headers.get_all(NAMESPACE).iter();
    let value = named.next()?.as_bytes();
    if named.next().is_some() {
        // No namespace has this name, so the request is refused.
        return Some(b"/");
    }
    let value = value.strip_suffix(b"/").unwrap_or(value);
    Some(value).filter(|value| !value.is_empty())
}
