//! Serving a router on a socket, within limits, until the caller stops it.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};

use crate::address::{Peer, is_trusted};
use crate::connection::Watched;
use crate::connections::{Connections, Life, Place};
use crate::exchange::{Exchanges, Site};
use crate::options::Limits;
use crate::own_log::{self, Sort};

/// The divisor under pressure. If fewer than one in so many places is free, an idle connection is closed sooner, by
/// the same factor.
const PRESSURE: usize = 4;

/// The maximum number of bytes kept that a client sends ahead.
const AHEAD: usize = 64 << 10;

/// The time that accepting waits when the process has no descriptor left.
const BREATH: Duration = Duration::from_millis(50);

/// The interval at which counts of folded log lines are checked.
const TICK: Duration = Duration::from_secs(1);

/// The time after which a connection that makes room is closed unless a request is under way on it.
const HESITATION: Duration = Duration::from_millis(100);

/// Serves a router until `shutdown` resolves, and then until every answer under way is sent, or the grace is over.
///
/// It speaks HTTP/1.1 (and 1.0) only, over TLS if the limits have it. HTTP/2 takes a proxy in front: a protocol that is missing cannot be
/// flooded. Returns the number of connections that had to be cut off at the end.
///
/// # Errors
/// None that a connection could cause; an [`io::Error`] if the listener itself is broken.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<usize> {
    let site = Site {
        router,
        retrievals: None,
    };
    serve_site(listener, site, limits, shutdown).await
}

/// As [`serve`], with a way for retrievals past the router.
pub(crate) async fn serve_site(
    listener: TcpListener,
    site: Site,
    limits: Limits,
    shutdown: impl Future<Output = ()>,
) -> io::Result<usize> {
    let server = Server::new(site, limits);
    let mut shutdown = pin!(shutdown);
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            _ = ticks.tick() => own_log::write_counts(false),
            served = server.next(&listener) => served?,
        }
    }
    // A client in the kernel's queue is already connected, and expects an answer.
    for _ in 0..server.limits.connections {
        match tokio::time::timeout(Duration::from_millis(1), server.next(&listener)).await {
            Ok(served) => served?,
            Err(_) => break,
        }
    }
    drop(listener);
    let cut = server.finish().await;
    own_log::write_counts(true);
    Ok(cut)
}

struct Server {
    site: Arc<Site>,
    limits: Arc<Limits>,
    under_pressure: Arc<Limits>,
    connections: Arc<Connections>,
    waiting: Mutex<Option<(TcpStream, SocketAddr)>>,
    stopping: watch::Sender<bool>,
}

impl Server {
    fn new(site: Site, limits: Limits) -> Self {
        let mut under_pressure = limits.clone();
        under_pressure.header_timeout /= u32::try_from(PRESSURE).unwrap_or(1);
        let limits = Arc::new(limits);
        Server {
            site: Arc::new(site),
            connections: Arc::new(Connections::new(Arc::clone(&limits))),
            limits,
            under_pressure: Arc::new(under_pressure),
            waiting: Mutex::new(None),
            stopping: watch::Sender::new(false),
        }
    }

    /// Accepts the next connection and serves it on a separate task once there is a place for it.
    ///
    /// If this future is dropped on the way, an accepted connection waits for the next call.
    async fn next(&self, listener: &TcpListener) -> io::Result<()> {
        let mut waiting = self.waiting.lock().await;
        if waiting.is_none() {
            *waiting = self.accept(listener).await?;
        }
        let Some((_, peer)) = *waiting else { return Ok(()) };
        let place = self.connections.place(peer.ip()).await;
        let Some((stream, _)) = waiting.take() else {
            return Ok(());
        };
        match place {
            Some(place) => self.greet(stream, peer, place),
            None => unread(
                peer,
                "its address already has the largest number of connections per address",
            ),
        }
        Ok(())
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => return Ok(None),
            Err(error) if is_of_resources(&error) => {
                if own_log::is_a_line(None, Sort::Connection, 0) {
                    tracing::warn!(%error, "cannot accept connections now");
                }
                tokio::time::sleep(BREATH).await;
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let only = self.limits.only_from.as_ref();
        if only.is_some_and(|only| !is_trusted(peer.ip().to_canonical(), only)) {
            unread(
                peer,
                "it is not from a trusted proxy, and the server accepts plain HTTP only from trusted proxies",
            );
            return Ok(None);
        }
        Ok(Some((stream, peer)))
    }

    fn greet(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let limits = match self.connections.are_short(PRESSURE) {
            true => &self.under_pressure,
            false => &self.limits,
        };
        let stopping = self.stopping.subscribe();
        let (site, limits) = (Arc::clone(&self.site), Arc::clone(limits));
        tokio::spawn(secured(stream, Peer(peer), site, limits, stopping, place));
    }

    /// Lets every connection end after the answer that it is giving.
    async fn finish(self) -> usize {
        self.stopping.send_replace(true);
        let ended = tokio::time::timeout(self.limits.shutdown_grace, self.connections.ended()).await;
        match ended {
            Ok(()) => 0,
            Err(_) => self.connections.tasks(),
        }
    }
}

/// Notes a connection that is closed before anything was read from it.
fn unread(peer: SocketAddr, why: &str) {
    let client = peer.ip().to_canonical();
    if own_log::is_a_line(Some(client), Sort::Connection, 0) {
        tracing::warn!(%client, "closed a connection unread: {why}");
    }
}

/// One connection: its handshake, if it has TLS, and its requests.
async fn secured(
    stream: TcpStream,
    peer: Peer,
    site: Arc<Site>,
    limits: Arc<Limits>,
    stopping: watch::Receiver<bool>,
    place: Place,
) {
    // Without it an answer waits for the acknowledgement of the one before; that it cannot be set changes nothing else.
    stream.set_nodelay(true).ok();
    #[cfg(feature = "tls")]
    if let Some(tls) = &limits.tls {
        let handshake = tls.acceptor().accept(stream);
        match tokio::time::timeout(limits.header_timeout, handshake).await {
            Ok(Ok(stream)) => connection(stream, peer, site, limits, stopping, place).await,
            // A client that speaks plain HTTP, trusts another authority, or takes too long.
            Ok(Err(error)) => tracing::debug!(peer = %peer.0, %error, "no TLS handshake"),
            Err(_) => tracing::debug!(peer = %peer.0, "no TLS handshake in time"),
        }
        return;
    }
    connection(stream, peer, site, limits, stopping, place).await;
}

/// The requests of a connection, from the first byte to the last.
async fn connection<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    peer: Peer,
    site: Arc<Site>,
    limits: Arc<Limits>,
    mut stopping: watch::Receiver<bool>,
    place: Place,
) {
    let life = Arc::clone(&place.life);
    let stream = Watched::new(stream, &limits, Arc::clone(&life));
    let exchanges = Exchanges::new(site, peer, place, limits.connection_age);
    let service = service_fn(|request| exchanges.answer(request));
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
        () = life.makes_room.notified() => {
            connection.as_mut().graceful_shutdown();
            tokio::select! {
                ended = connection.as_mut() => ended,
                () = stays_idle(&life) => Ok(()),
            }
        }
    };
    if let Err(error) = ended {
        // A client that went away or was too slow; the library's words hold nothing that was sent.
        tracing::debug!(peer = %peer.0, timeout = error.is_timeout(), parse = error.is_parse(), "connection ended early");
    }
}

/// Resolves once nothing is under way: a head that never ends must not keep a connection that makes room.
async fn stays_idle(life: &Life) {
    loop {
        tokio::time::sleep(HESITATION).await;
        if life.is_idle() {
            return;
        }
    }
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
