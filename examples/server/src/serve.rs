//! Serving a router on a socket, within limits, until it is told to stop.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, TRANSFER_ENCODING};
use axum::http::{HeaderValue, Request};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt;

use crate::address::Peer;
use crate::connection::Watched;
use crate::framing;
use crate::gate;
use crate::options::Limits;
use crate::problem::Problem;

/// When fewer than this part of the places is free, a connection that does nothing is closed sooner, by the same factor.
const PRESSURE: usize = 4;

/// The most that is kept of what a client sends ahead, in bytes.
const AHEAD: usize = 64 << 10;

/// How long accepting waits when the process has no descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// Serves a router until `shutdown` resolves, and then until every answer under way is sent, or the grace is over.
///
/// It speaks HTTP/1.1 (and 1.0) only: whoever wants HTTP/2 or TLS puts a proxy in front, and what does not exist cannot be
/// flooded. Gives how many connections had to be cut off at the end.
///
/// # Errors
/// None that a connection could cause; an [`io::Error`] if the listener itself is broken.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<usize> {
    let server = Server::new(router, limits);
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = server.accept(&listener) => accepted,
        };
        server.greet(accepted).await?;
    }
    // Whoever is connected already, in the kernel's queue, was promised an answer.
    for _ in 0..server.limits.connections {
        match tokio::time::timeout(Duration::from_millis(1), server.accept(&listener)).await {
            Ok(accepted) => server.greet(accepted).await?,
            Err(_) => break,
        }
    }
    drop(listener);
    Ok(server.finish().await)
}

/// A connection and its place among those that may be open.
type Accepted = (io::Result<(TcpStream, SocketAddr)>, OwnedSemaphorePermit);

struct Server {
    router: Router,
    limits: Arc<Limits>,
    under_pressure: Arc<Limits>,
    places: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
}

impl Server {
    fn new(router: Router, limits: Limits) -> Self {
        let places = Arc::new(Semaphore::new(limits.connections));
        let mut under_pressure = limits.clone();
        under_pressure.header_timeout /= u32::try_from(PRESSURE).unwrap_or(1);
        Server {
            router,
            limits: Arc::new(limits),
            under_pressure: Arc::new(under_pressure),
            places,
            stopping: watch::Sender::new(false),
        }
    }

    /// Waits for a place first, so that whoever comes beyond the limit stays in the kernel's queue.
    async fn accept(&self, listener: &TcpListener) -> Accepted {
        loop {
            // The semaphore is never closed.
            if let Ok(place) = Arc::clone(&self.places).acquire_owned().await {
                return (listener.accept().await, place);
            }
        }
    }

    async fn greet(&self, (accepted, place): Accepted) -> io::Result<()> {
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => return Ok(()),
            Err(error) if is_of_resources(&error) => {
                tracing::warn!(%error, "no connection can be accepted now");
                tokio::time::sleep(BREATH).await;
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let limits = if self.places.available_permits() < self.limits.connections / PRESSURE {
            &self.under_pressure
        } else {
            &self.limits
        };
        let stopping = self.stopping.subscribe();
        tokio::spawn(connection(
            stream,
            Peer(peer),
            self.router.clone(),
            Arc::clone(limits),
            stopping,
            place,
        ));
        Ok(())
    }

    /// Lets every connection end after the answer that it is giving.
    async fn finish(self) -> usize {
        self.stopping.send_replace(true);
        let all = u32::try_from(self.limits.connections).unwrap_or(u32::MAX);
        let ended = tokio::time::timeout(self.limits.shutdown_grace, self.places.acquire_many(all)).await;
        if ended.is_ok() {
            0
        } else {
            self.limits.connections.saturating_sub(self.places.available_permits())
        }
    }
}

/// One connection, from its first byte to its last.
async fn connection(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    limits: Arc<Limits>,
    mut stopping: watch::Receiver<bool>,
    place: OwnedSemaphorePermit,
) {
    // Without it an answer waits for the acknowledgement of the one before; that it cannot be set changes nothing else.
    stream.set_nodelay(true).ok();
    let (stream, ambiguous) = Watched::new(stream, limits.write_timeout);
    let service = service_fn(move |request| answer(router.clone(), peer, Arc::clone(&ambiguous), request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.header_bytes)
        .max_buf_size(AHEAD.max(limits.header_bytes))
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let stop = async {
        stopping.wait_for(|stopping| *stopping).await.map(drop).ok();
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        // A client that went away or was too slow; the library's words hold nothing that was sent.
        tracing::debug!(peer = %peer.0, timeout = error.is_timeout(), parse = error.is_parse(), "connection ended early");
    }
    drop(place);
}

async fn answer(
    router: Router,
    peer: Peer,
    ambiguous: Arc<AtomicBool>,
    mut request: Request<Incoming>,
) -> Result<Response, std::convert::Infallible> {
    framing::hide(&mut request);
    let fine = if ambiguous.load(Ordering::Acquire) {
        Err(Problem::invalid("the request can be read in two ways"))
    } else {
        framing::check(&request)
    };
    if let Err(problem) = fine {
        return Ok(closing(refusal(problem, peer)));
    }
    // Behind a body whose end is found by its chunks no further request is looked for.
    let last = request.headers().contains_key(TRANSFER_ENCODING);
    request.extensions_mut().insert(peer);
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(if last { closing(response) } else { response })
}

/// A refusal that never reaches the router, with what its answers have.
fn refusal(problem: Problem, peer: Peer) -> Response {
    let id = gate::new_request_id();
    tracing::info!(request_id = id, code = problem.code(), client = %peer.0.ip().to_canonical(), "refused before it was read");
    let mut response = problem.render(&id);
    gate::mark(response.headers_mut(), &id);
    response
}

fn closing(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// The connection was over before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// Descriptors or memory are short, which passes.
fn is_of_resources(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let short = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    error
        .raw_os_error()
        .is_some_and(|code| short.iter().any(|errno| errno.raw_os_error() == code))
}
