//! Errors as answers: the one place where an error becomes a status and a problem document (RFC 9457).

use std::borrow::Cow;
use std::time::Duration;

use axum::http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use ibyok_api as api;
use ibyok_core::{
    Code, Error,
    errors::{Damage, Remedy},
};
use serde::Serialize;

use crate::own_log::{self, Sort};
use crate::vault;

const UNAUTHENTICATED: HeaderValue = HeaderValue::from_static("Bearer realm=\"ibyok\"");
const INVALID_TOKEN: HeaderValue = HeaderValue::from_static("Bearer realm=\"ibyok\", error=\"invalid_token\"");
const DENIED: HeaderValue = HeaderValue::from_static("Bearer realm=\"ibyok\", error=\"insufficient_scope\"");
/// Without a charset: a client of Vault compares the whole value.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// The time to wait, for answers in which the vault gives none.
const WAIT: HeaderValue = HeaderValue::from_static("5");

/// The reason why the server refuses a request. The gate, which has the request's id, makes the document from it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: Cow<'static, str>,
    hint: Option<Cow<'static, str>>,
    /// The one header that goes with its status.
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        let problem = Problem {
            status,
            code,
            detail: detail.into(),
            hint: None,
            header: None,
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            problem.header(RETRY_AFTER, WAIT)
        } else {
            problem
        }
    }

    /// A request that makes no sense as it is.
    pub(crate) fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Code::Invalid.as_str(), detail)
    }

    /// A path where nothing is.
    pub(crate) fn no_route() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            Code::NotFound.as_str(),
            "this server has no such path",
        )
    }

    /// A method that the path does not have.
    pub(crate) fn method(allow: HeaderValue) -> Self {
        let problem = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method",
            "this path does not accept this method",
        );
        problem.header(axum::http::header::ALLOW, allow)
    }

    /// A condition of the request that does not hold.
    pub(crate) fn precondition(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, "precondition", detail)
    }

    /// A body over the limit.
    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is larger than the limit of {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, Code::TooLarge.as_str(), detail)
    }

    /// A body of another kind.
    pub(crate) fn unsupported_media(detail: &'static str) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media", detail)
    }

    /// A client that takes too long.
    pub(crate) fn slow_body() -> Self {
        Self::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout",
            "the body took too long to arrive",
        )
    }

    /// More bodies at once than there is memory for.
    pub(crate) fn busy() -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable.as_str(),
            "the server is reading too many bodies at once",
        );
        problem.header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// More bodies of one token at once than its share of the memory holds.
    pub(crate) fn too_many_bodies() -> Self {
        let problem = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            Code::Limited.as_str(),
            "the server is reading too many bodies of this token, or of tokens that descend from one, at once",
        );
        let problem = problem.hint("send fewer large bodies at the same time");
        problem.header(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// A server that takes too long.
    pub(crate) fn slow_answer() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            Code::Unavailable.as_str(),
            "the vault took too long to answer",
        )
    }

    /// Any other failure in the server.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "integrity",
            "the server could not make the answer",
        )
    }

    /// A refusal that a part of the web framework made, of which only the status is known.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::no_route(),
            status if status.is_server_error() => Self::internal(),
            _ => Self::invalid("the request is not valid"),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<Cow<'static, str>>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The same for a request that sent no token at all.
    pub(crate) fn without_token(self) -> Self {
        if self.status == StatusCode::UNAUTHORIZED {
            self.header(WWW_AUTHENTICATE, UNAUTHENTICATED)
        } else {
            self
        }
    }

    /// The same without the submitted values: a secret in the wrong place must not come back.
    fn without_input(mut self) -> Self {
        if self.code == Code::Invalid.as_str() {
            let ticks = self.detail.split_once('`');
            // To the last backtick: one of the input would end what is taken out.
            if let Some((before, (_, after))) = ticks.and_then(|(before, rest)| Some((before, rest.rsplit_once('`')?)))
            {
                self.detail = format!("{before}`…`{after}").into();
            }
        }
        self
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn code(&self) -> &'static str {
        self.code
    }

    /// The answer in the form of its path.
    pub(crate) fn render_for(self, path: &str, request_id: &str) -> Response {
        match vault::is_path(path) {
            true => self.render_for_vault(),
            false => self.render(request_id),
        }
    }

    /// The answer for a client of Vault: the statuses and the document that such clients know.
    fn render_for_vault(self) -> Response {
        // Vault has one answer to a token that is not valid and to one that may not.
        let (status, errors) = match self.status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                (StatusCode::FORBIDDEN, vec!["permission denied".to_owned()])
            }
            // An empty list means that nothing is there.
            StatusCode::NOT_FOUND if self.code == Code::NotFound.as_str() => (StatusCode::NOT_FOUND, Vec::new()),
            StatusCode::CONFLICT | StatusCode::PRECONDITION_FAILED => (StatusCode::BAD_REQUEST, vec![self.sentence()]),
            status => (status, vec![self.sentence()]),
        };
        // A document of strings cannot fail to be written.
        let body = serde_json::to_vec(&VaultErrors { errors }).unwrap_or_default();
        let mut response = (status, body).into_response();
        let header = self.header.map(|header| *header);
        if let Some((name, value)) = header.filter(|(name, _)| *name != WWW_AUTHENTICATE) {
            response.headers_mut().insert(name, value);
        }
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response
    }

    /// The detail with the hint.
    fn sentence(&self) -> String {
        match &self.hint {
            Some(hint) => format!("{}: {hint}", self.detail),
            None => self.detail.clone().into_owned(),
        }
    }

    /// The answer.
    fn render(self, request_id: &str) -> Response {
        let document = api::Problem {
            kind: format!("urn:ibyok:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.into_owned(),
            code: self.code.into(),
            hint: self.hint.map(Cow::into_owned),
            request_id: request_id.to_owned(),
        };
        // A document of strings and one number cannot fail to be written.
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = (self.status, body).into_response();
        if let Some((name, value)) = self.header.map(|header| *header) {
            response.headers_mut().insert(name, value);
        }
        response.headers_mut().insert(CONTENT_TYPE, PROBLEM_JSON);
        response
    }
}

/// The document of a refusal, as clients of Vault read it.
#[derive(Serialize)]
struct VaultErrors {
    errors: Vec<String>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let code = error.code();
        let detail = match &error {
            // Paths and addresses of what is behind the server are for its log.
            Error::Unavailable { part, source } => {
                if own_log::is_a_line(None, Sort::Part, 0) {
                    tracing::warn!(%part, error = %source, "a part of the vault is unavailable");
                }
                match error.is_moved() {
                    true => "the vault was moved to another store".to_owned(),
                    false => format!("the {part} is unavailable"),
                }
            }
            Error::Kek { source } => {
                if own_log::is_a_line(None, Sort::Part, 0) {
                    tracing::error!(error = %source, "the KEK does not open this vault");
                }
                match error.remedy() {
                    Some(Remedy::GiveKekOfEnvironment) => "this server has no KEK for the environment".to_owned(),
                    _ => "the KEK does not open this vault".to_owned(),
                }
            }
            Error::Integrity {
                what,
                damage: Damage::Unreadable,
                ..
            } => {
                tracing::error!(what, "the store's own files are damaged");
                "the store's own files are damaged".to_owned()
            }
            other => other.to_string(),
        };
        let mut problem = Problem::new(status(code), code.as_str(), detail).without_input();
        problem.hint = error.hint().map(Cow::Owned);
        match code {
            Code::Unauthenticated => problem.header(WWW_AUTHENTICATE, INVALID_TOKEN),
            Code::Denied => problem.header(WWW_AUTHENTICATE, DENIED),
            _ => match error.retry_after() {
                Some(wait) => problem.header(RETRY_AFTER, whole_seconds(wait).into()),
                None => problem,
            },
        }
    }
}

/// Rounds up to whole seconds, so that a client which then tries again is not too early.
fn whole_seconds(wait: Duration) -> u64 {
    let begun = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(begun).max(1)
}

fn status(code: Code) -> StatusCode {
    // Every status of the vault is a valid one.
    StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_submitted_and_is_not_valid_is_taken_out() {
        let problem = Problem::from(Error::invalid("provider `sk-live-1` is not valid", "small letters"));
        assert_eq!(problem.detail, "provider `…` is not valid");
        assert_eq!(problem.hint.as_deref(), Some("small letters"));
        let ticks = Problem::from(Error::invalid("provider `a`sk-live-1`b` is not valid", ""));
        assert_eq!(ticks.detail, "provider `…` is not valid");
        assert_eq!(Problem::from(Error::invalid("no ticks", "")).detail, "no ticks");
    }

    #[test]
    fn every_503_says_when_to_come_back() {
        for problem in [
            Problem::slow_answer(),
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "x"),
        ] {
            assert!(problem.render("r").headers().contains_key(RETRY_AFTER));
        }
    }
}
