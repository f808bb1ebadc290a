//! The rest of a request's body that no handler wanted: read and dropped, so that the client hears the answer (RFC 9112, 9.6).

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::EXPECT;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// The most that is read and dropped before an answer is sent, in bytes. Longer rests are left to the closing of the connection.
const MOST: u64 = 64 << 10;

/// The longest time that an answer waits for the rest of a body.
const PATIENCE: Duration = Duration::from_secs(1);

/// A body that is kept when its reader drops it before its end.
pub(crate) struct Kept {
    body: Option<Incoming>,
    rest: Rest,
}

/// The place where the rest of a body is kept.
#[derive(Clone, Default)]
pub(crate) struct Rest(Arc<Mutex<Option<Incoming>>>);

/// The state of a body once its request is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All of it was read: the connection may continue.
    Read,
    /// Some of it is still to come: the connection must be closed, and not before the client has the answer.
    Unread,
}

impl Kept {
    pub(crate) fn new(body: Incoming) -> (Self, Rest) {
        let rest = Rest::default();
        let kept = Kept {
            body: Some(body),
            rest: rest.clone(),
        };
        (kept, rest)
    }
}

impl Body for Kept {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(context);
        if matches!(frame, Poll::Ready(None)) {
            this.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Incoming::size_hint)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            *self.rest.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

impl Rest {
    /// Reads the rest of the body, if that is little and comes soon.
    pub(crate) async fn read(self, headers: Asked) -> End {
        let rest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut rest) = rest else { return End::Read };
        // A client that sent `Expect` got no permission to send the body, and reading would give it.
        if headers.asks_first || rest.size_hint().lower() > MOST {
            return End::Unread;
        }
        tokio::time::timeout(PATIENCE, drain(&mut rest))
            .await
            .unwrap_or(End::Unread)
    }
}

/// The part of a request's head that decides about the rest of its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    asks_first: bool,
}

impl Asked {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Asked {
            asks_first: headers.contains_key(EXPECT),
        }
    }
}

async fn drain(rest: &mut Incoming) -> End {
    let mut read = 0u64;
    while let Some(frame) = rest.frame().await {
        let Ok(frame) = frame else { return End::Unread };
        let length = frame.data_ref().map_or(0, Bytes::len);
        read = read.saturating_add(u64::try_from(length).unwrap_or(u64::MAX));
        if read > MOST {
            return End::Unread;
        }
    }
    End::Read
}
