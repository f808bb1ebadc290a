//! Successful answers.

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;

use crate::problem::Problem;
use crate::wiped::WipedBuffer;

/// The size of the usual answer, in bytes. All of a buffer is wiped, and most of a larger one would be wiped for nothing.
const USUAL: usize = 384;

/// The answer of a handler.
pub(crate) type Answer = Result<Response, Problem>;

/// An answer of JSON, in a buffer that is wiped once it is sent: any of them may hold a secret.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    let mut buffer = WipedBuffer::with_capacity(USUAL);
    serde_json::to_writer(&mut buffer, body).map_err(|_| Problem::internal())?;
    let mut response = Response::new(Body::from(buffer.into_bytes()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The usual one.
pub(crate) fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}
