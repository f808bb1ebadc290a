//! One request of a connection and its answer: framing before the router, the rest of the body after it.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::Response;
use hyper::body::Incoming;
use tower::ServiceExt;

use crate::address::Peer;
use crate::connections::Place;
use crate::framing;
use crate::gate;
use crate::leftover::{Asked, End, Kept};
use crate::own_log::{self, Sort};
use crate::problem::Problem;
use crate::retrieval::Retrievals;
use crate::timer::Timer;

/// What a server answers with.
pub(crate) struct Site {
    pub(crate) router: Router,
    /// The way of retrievals past the router; `None` where all requests take the router.
    pub(crate) retrievals: Option<Retrievals>,
}

/// The requests of one connection, one after another.
pub(crate) struct Exchanges {
    site: Arc<Site>,
    peer: Peer,
    place: Place,
    /// The age from which the connection is closed after an answer.
    age: Duration,
    timer: Timer,
}

impl Exchanges {
    pub(crate) fn new(site: Arc<Site>, peer: Peer, place: Place, age: Duration) -> Self {
        Exchanges {
            site,
            peer,
            place,
            age,
            timer: Timer::default(),
        }
    }

    /// Answers one request of the connection.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Result<Response, Infallible> {
        self.place.is_busy();
        let response = self.answer_one(request).await;
        let aged = self.place.is_idle() >= self.age;
        Ok(if aged { closing(response?) } else { response? })
    }

    async fn answer_one(&self, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        let life = &self.place.life;
        framing::hide(&mut request);
        let fine = if life.ambiguous.load(Ordering::Acquire) {
            Err(Problem::invalid(
                "the request is ambiguous: two parsers could read it differently",
            ))
        } else {
            framing::check(&request)
        };
        if let Err(problem) = fine {
            life.unread.store(true, Ordering::Release);
            return Ok(closing(refusal(problem, self.peer, request.uri().path())));
        }
        let (parts, body) = request.into_parts();
        if let Some(retrievals) = &self.site.retrievals
            && let Some(found) = retrievals.find(&parts)
        {
            life.hurried.store(false, Ordering::Release);
            return Ok(retrievals.answer(found, &parts, (self.peer, &self.timer)).await);
        }
        // In a box: the future of a retrieval would be as large as that of every other request.
        Box::pin(self.routed(Request::from_parts(parts, body))).await
    }

    async fn routed(&self, mut request: Request<Incoming>) -> Result<Response, Infallible> {
        let life = &self.place.life;
        // After a body in chunks, the connection takes no further request.
        let last = request.headers().contains_key(TRANSFER_ENCODING);
        let asked = Asked::of(request.headers());
        request.extensions_mut().insert(self.peer);
        let (parts, body) = request.into_parts();
        let (body, rest) = Kept::new(body);
        let router = self.site.router.clone();
        let response = router.oneshot(Request::from_parts(parts, Body::new(body))).await?;
        // A client that took too long already does not get the same time once more.
        let slow = response.status() == StatusCode::REQUEST_TIMEOUT;
        life.hurried.store(slow, Ordering::Release);
        let end = if slow { End::Unread } else { rest.read(asked).await };
        match end {
            End::Read if last => Ok(closing(response)),
            End::Read => Ok(response),
            End::Unread => {
                life.unread.store(true, Ordering::Release);
                Ok(closing(response))
            }
        }
    }
}

/// A refusal that never reaches the router, with the headers of the router's answers.
fn refusal(problem: Problem, peer: Peer, path: &str) -> Response {
    let id = gate::new_request_id();
    let client = peer.0.ip().to_canonical();
    if own_log::is_a_line(Some(client), Sort::Refused, 400) {
        tracing::info!(request_id = id, code = problem.code(), %client, "refused before it was read");
    }
    let mut response = problem.render_for(path, &id);
    gate::mark(response.headers_mut(), &id);
    response
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
