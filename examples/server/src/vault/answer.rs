//! Vault's envelope. Clients refuse an answer in which one of its members is missing.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::answer::{Answer, json};

/// The document around every answer, but for those of `sys`.
#[derive(Serialize)]
pub(super) struct Envelope<'a, T> {
    pub(super) request_id: &'a str,
    lease_id: &'static str,
    renewable: bool,
    lease_duration: u64,
    pub(super) data: Option<T>,
    wrap_info: Option<()>,
    pub(super) warnings: Option<Vec<String>>,
    pub(super) auth: Option<Auth<'a>>,
}

/// A token that was issued or renewed.
#[derive(Serialize)]
pub(super) struct Auth<'a> {
    pub(super) client_token: &'a str,
    pub(super) accessor: String,
    pub(super) policies: Vec<String>,
    pub(super) token_policies: Vec<String>,
    pub(super) identity_policies: Option<()>,
    pub(super) metadata: Option<()>,
    pub(super) lease_duration: i64,
    pub(super) renewable: bool,
    pub(super) entity_id: &'static str,
    pub(super) token_type: &'static str,
    pub(super) orphan: bool,
    pub(super) num_uses: u32,
}

impl<'a, T: Serialize> Envelope<'a, T> {
    /// An envelope with data.
    pub(super) fn of(request_id: &'a str, data: T) -> Self {
        Envelope {
            data: Some(data),
            ..Envelope::empty(request_id)
        }
    }

    fn empty(request_id: &'a str) -> Self {
        Envelope {
            request_id,
            lease_id: "",
            renewable: false,
            lease_duration: 0,
            data: None,
            wrap_info: None,
            warnings: None,
            auth: None,
        }
    }

    /// Adds points that a person should know; an empty list adds none.
    pub(super) fn warnings(mut self, warnings: Vec<String>) -> Self {
        self.warnings = (!warnings.is_empty()).then_some(warnings);
        self
    }

    pub(super) fn ok(&self) -> Answer {
        json(StatusCode::OK, self)
    }

    /// Answers with 404: the secret exists, and this version is deleted or destroyed.
    pub(super) fn deleted(&self) -> Answer {
        json(StatusCode::NOT_FOUND, self)
    }
}

/// An envelope with a token.
pub(super) fn with_auth<'a>(request_id: &'a str, auth: Auth<'a>) -> Envelope<'a, ()> {
    Envelope {
        auth: Some(auth),
        ..Envelope::empty(request_id)
    }
}

/// The usual answer.
pub(super) fn ok(request_id: &str, data: impl Serialize) -> Answer {
    Envelope::of(request_id, data).ok()
}

/// The answer to a change without a document.
pub(super) fn done() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
