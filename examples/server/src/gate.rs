//! The checks that every request passes on its way in, and every answer on its way out.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ibyok_core::{
    RequestContext,
    mask::{holds_a_secret, without_secrets},
};
use tracing::Level;

use crate::address::{self, Peer};
use crate::options::Options;
use crate::own_log::{self, Sort};
use crate::problem::Problem;
use crate::router::Shared;
use crate::vault::RouteName;

/// The code of a request without a valid token, whatever its status: a client of Vault gets 403.
const UNAUTHENTICATED: &str = "unauthenticated";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest request id that is taken over, in bytes.
const REQUEST_ID_MAX: usize = 128;

/// The most of a user agent that is kept, in bytes.
const USER_AGENT_MAX: usize = 256;

/// The routes with paths that may hold other text than a plain name: a token is found by its name too.
const NAMED_FREELY: &str = "/api/v1/tokens/";

/// Gives the request an id and a context, its answer the headers that all have, and the log one line.
pub(crate) async fn pass(State(shared): State<Arc<Shared>>, mut request: Request, next: Next) -> Response {
    let passing = Passing::begin(request.extensions().get().copied(), request.headers(), &shared.options);
    let method = request.method().clone();
    // Shared, and needed after the request is gone: refusals have the form of their path.
    let uri = request.uri().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let answer = if is_plain(request.uri().path()) {
        let context = passing.context(request.headers());
        request.extensions_mut().insert(context);
        let answer = tokio::time::timeout(shared.options.request_timeout, next.run(request)).await;
        answer.unwrap_or_else(|_| Problem::slow_answer().into_response())
    } else {
        Problem::invalid("the path has characters that this server does not accept").into_response()
    };
    passing.end(answer, (&method, uri.path()), route.as_ref().map(MatchedPath::as_str))
}

/// A request on its way through: its id, its client, and the time at which it began.
pub(crate) struct Passing {
    id: String,
    client: Option<IpAddr>,
    begun: Instant,
}

impl Passing {
    /// Gives a request its id, and finds its client.
    pub(crate) fn begin(peer: Option<Peer>, headers: &HeaderMap, options: &Options) -> Self {
        Passing {
            begun: Instant::now(),
            id: request_id(headers),
            client: address::client(peer, headers, &options.trusted_proxies),
        }
    }

    /// The context of the request, for the vault.
    pub(crate) fn context(&self, headers: &HeaderMap) -> RequestContext {
        context(headers, &self.id, self.client)
    }

    /// Makes a document of a refusal, sets the headers of every answer, and gives the server's log its line. `route` is the path of the
    /// route that answered, if the answer does not name one.
    pub(crate) fn end(self, answer: Response, (method, path): (&Method, &str), route: Option<&str>) -> Response {
        let (mut answer, code) = finish(answer, path, &self.id);
        mark(answer.headers_mut(), &self.id);
        let seen = Seen {
            id: &self.id,
            method,
            route: answer.extensions().get::<RouteName>().map(|name| name.0).or(route),
            status: answer.status(),
            code,
            client: self.client,
            begun: self.begun,
        };
        seen.log();
        answer
    }
}

/// Sets the headers of every answer: no cache keeps it, no browser guesses its type, and it names its request.
pub(crate) fn mark(headers: &mut HeaderMap, id: &str) {
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
}

/// The properties of a request that are logged: only those listed here, never a header, a path, a query or a body.
struct Seen<'a> {
    id: &'a str,
    method: &'a Method,
    route: Option<&'a str>,
    status: StatusCode,
    code: Option<&'static str>,
    client: Option<IpAddr>,
    begun: Instant,
}

impl Seen<'_> {
    fn log(&self) {
        macro_rules! answered {
            ($level:ident) => {
                tracing::$level!(
                    target: "ibyok_server::request",
                    request_id = self.id,
                    method = if is_usual(self.method) { self.method.as_str() } else { "other" },
                    route = self.route.unwrap_or("none"),
                    status = self.status.as_u16(),
                    code = self.code,
                    client = self.client.map(tracing::field::display),
                    micros = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX),
                    "answered"
                )
            };
        }
        let is_a_line = |sort| own_log::is_a_line(self.client, sort, self.status.as_u16());
        match level(self.status, self.code) {
            Level::WARN if is_a_line(Sort::Failed) => answered!(warn),
            Level::INFO if is_a_line(Sort::Refused) => answered!(info),
            Level::WARN | Level::INFO => (),
            _ => answered!(debug),
        }
    }
}

/// Returns the level at which a request is logged. A success is on the audit log already, so that here it is a
/// detail. So is a request without a valid token, which is there as well. Other refusals are folded per address
/// (`own_log.rs`): any client can send any number of those.
fn level(status: StatusCode, code: Option<&str>) -> Level {
    if status.is_server_error() {
        Level::WARN
    } else if status.is_client_error() && code != Some(UNAUTHENTICATED) {
        Level::INFO
    } else {
        Level::DEBUG
    }
}

fn is_usual(method: &Method) -> bool {
    matches!(
        method.as_str(),
        "GET" | "HEAD" | "PUT" | "POST" | "PATCH" | "DELETE" | "OPTIONS"
    )
}

/// Makes a document of a refusal, of this server or of a library.
fn finish(mut answer: Response, path: &str, id: &str) -> (Response, Option<&'static str>) {
    let refused = answer.status().is_client_error() || answer.status().is_server_error();
    let problem = answer.extensions_mut().remove::<Problem>();
    let foreign = refused
        && answer
            .headers()
            .get(CONTENT_TYPE)
            .is_none_or(|kind| !kind.as_bytes().starts_with(b"application/"));
    let problem = problem.or_else(|| foreign.then(|| Problem::of_status(answer.status())));
    match problem {
        Some(problem) => {
            let code = problem.code();
            let mut rendered = problem.render_for(path, id);
            if let Some(route) = answer.extensions_mut().remove::<RouteName>() {
                rendered.extensions_mut().insert(route);
            }
            (rendered, Some(code))
        }
        None => (answer, None),
    }
}

/// The client's own id if it is short and plain, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
    let mut given = headers.get_all(REQUEST_ID).iter();
    let only = given.next().filter(|_| given.next().is_none());
    only.and_then(|value| value.to_str().ok())
        .filter(|text| (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(plain) && is_no_secret(text))
        .map_or_else(new_request_id, str::to_owned)
}

/// An id of our own: a UUID from the thread's generator, which asks the system for randomness only now and then.
pub(crate) fn new_request_id() -> String {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    id.hyphenated().encode_lower(&mut [0; 36]).to_owned()
}

/// A token or a provider's key in the wrong header stays out of the logs.
fn is_no_secret(text: &str) -> bool {
    !text.to_ascii_lowercase().contains("ibyok_") && !holds_a_secret(text)
}

fn context(headers: &HeaderMap, id: &str, client: Option<IpAddr>) -> RequestContext {
    let mut context = RequestContext::default().request_id(id);
    if let Some(address) = client {
        context = context.from_address(address);
    }
    if let Some(trace) = headers
        .get("traceparent")
        .and_then(|value| value.to_str().ok())
        .and_then(trace_id)
    {
        context = context.trace_id(trace);
    }
    if let Some(agent) = headers
        .get(axum::http::header::USER_AGENT)
        .and_then(|value| value.to_str().ok())
    {
        // Masked before it is cut: half a key is no longer known as one.
        let agent = without_secrets(agent);
        context = context.user_agent(agent.get(..USER_AGENT_MAX).unwrap_or(&agent));
    }
    context
}

/// Returns the trace id of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`. `None` for ids of zeros, which mean
/// no trace, and for malformed text.
fn trace_id(text: &str) -> Option<&str> {
    let hex = |part: &str, len| part.len() == len && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &str| part.bytes().any(|b| b != b'0');
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let newer = version != "00";
    let fine = hex(version, 2) && version != "ff" && hex(trace, 32) && some(trace) && hex(span, 16) && some(span);
    (fine && hex(flags, 2) && (newer || parts.next().is_none())).then_some(trace)
}

/// Returns true if a path means the same to every program that reads it. Names need no escapes. Only names of tokens
/// may have them, and even there no escape that could be taken for a step, a separator or an end.
pub(crate) fn is_plain(path: &str) -> bool {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'/');
    let freely = path.starts_with(NAMED_FREELY);
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        let fine = match byte {
            b'%' if freely => escaped(bytes.next(), bytes.next())
                .is_some_and(|b| b >= 0x20 && !matches!(b, 0x7f | b'/' | b'\\' | b'%' | b'.')),
            byte => unreserved(byte) || freely && byte.is_ascii_graphic() && byte != b'\\' && byte != b'%',
        };
        if !fine {
            return false;
        }
    }
    true
}

fn escaped(high: Option<u8>, low: Option<u8>) -> Option<u8> {
    let digit = |b: u8| char::from(b).to_digit(16);
    u8::try_from(digit(high?)? * 16 + digit(low?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_token_does_not_fill_the_log() {
        for status in [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN] {
            assert_eq!(level(status, Some(UNAUTHENTICATED)), Level::DEBUG);
        }
        assert_eq!(level(StatusCode::OK, None), Level::DEBUG);
        assert_eq!(level(StatusCode::FORBIDDEN, Some("denied")), Level::INFO);
        assert_eq!(level(StatusCode::SERVICE_UNAVAILABLE, Some("unavailable")), Level::WARN);
    }

    #[test]
    fn a_request_id_is_kept_if_it_is_plain() {
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            values.iter().for_each(|value| {
                headers.append(REQUEST_ID, HeaderValue::from_str(value).unwrap());
            });
            request_id(&headers)
        };
        assert_eq!(of(&["01J-abc_9.x:y"]), "01J-abc_9.x:y");
        let long = "x".repeat(129);
        for bad in [
            &["a b"][..],
            &["ibyok_abc"],
            &["IBYOK_abc"],
            &["AKIAEXAMPLE7EXAMPLE7"],
            &["trace:AKIAEXAMPLE7EXAMPLE7:1"],
            &["\"x\""],
            &[&long],
            &[""],
            &[],
            &["a", "b"],
        ] {
            assert_eq!(of(bad).len(), 36, "{bad:?}");
        }
    }

    #[test]
    fn a_trace_id_is_taken_from_what_is_well_formed() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(trace_id(&format!("00-{trace}-00f067aa0ba902b7-01")), Some(trace));
        for bad in [
            "",
            "00",
            &format!("00-{trace}-0000000000000000-01"),
            &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            &format!("00-{}-00f067aa0ba902b7-01", trace.to_uppercase()),
            &format!("ff-{trace}-00f067aa0ba902b7-01"),
            &format!("00-{trace}-00f067aa0ba902b7-01-x"),
            &format!("00-{trace}-00f067aa0ba902b7"),
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_path_has_one_meaning() {
        for good in [
            "/api/v1/keys/prod/openai",
            "/api/v1/tokens/my%20token",
            "/api/v1/tokens/a@b",
            "/healthz",
            "/a/../b",
            "//",
        ] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "/api/v1/keys/prod/op%65nai",
            "/api/v1/keys/prod/%00",
            "/api/v1/keys/prod/..%2fx",
            "/api/v1/keys/prod/a%0d%0a",
            "/a b",
            "/a\\b",
            "/api/v1/tokens/a%2fb",
            "/api/v1/tokens/%2e%2e",
            "/api/v1/tokens/%00",
            "/api/v1/tokens/%",
            "/api/v1/tokens/%2",
            "/é",
            "*",
        ] {
            assert!(!is_plain(bad), "{bad}");
        }
    }
}
