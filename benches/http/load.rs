//! The generator of load: keep-alive connections, each sending its next request when the last answer is whole.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_benches::{Result, percentile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

/// The number of connections of one address: half of the server's default limit, so that the connections of the round before, which
/// are still being closed, have room beside them.
const PER_CLIENT: usize = 256;

/// The result of some time of load.
pub(crate) struct Load {
    /// Answers in a second.
    pub(crate) rate: f64,
    /// The number of answers.
    pub(crate) count: usize,
    /// The median time to the last byte of an answer, in microseconds.
    pub(crate) p50: f64,
    /// That of all but a hundredth.
    pub(crate) p99: f64,
}

/// Asks over and over for a time.
pub(crate) async fn run(address: SocketAddr, request: &str, connections: usize, time: Duration) -> Result<Load> {
    let request: Arc<[u8]> = request.as_bytes().into();
    let mut opened = Vec::with_capacity(connections);
    for number in 0..connections {
        opened.push(Connection::open(address, number, &request).await?);
    }
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for connection in opened {
        running.spawn(connection.run(begun + time));
    }
    let mut nanos = Vec::new();
    while let Some(times) = running.join_next().await {
        nanos.extend(times??);
    }
    let took = begun.elapsed();
    nanos.sort_unstable();
    let micros = |share| f64::from(percentile(&nanos, share)) / 1000.0;
    Ok(Load {
        rate: nanos.len() as f64 / took.as_secs_f64(),
        count: nanos.len(),
        p50: micros(50),
        p99: micros(99),
    })
}

/// The size of the body of the one answer.
pub(crate) async fn body_size(address: SocketAddr, request: &str) -> Result<usize> {
    let connection = Connection::open(address, 0, &request.as_bytes().into()).await?;
    let head = head_size(&connection.answer).ok_or("an answer without an end of its head")?;
    Ok(connection.answer.len() - head)
}

/// A connection whose answers are all of one size, which is known from the first.
struct Connection {
    stream: TcpStream,
    request: Arc<[u8]>,
    answer: Vec<u8>,
}

impl Connection {
    /// Opens a connection by its number, from one of several clients.
    async fn open(address: SocketAddr, number: usize, request: &Arc<[u8]>) -> Result<Self> {
        let socket = TcpSocket::new_v4()?;
        // The server closes the longest idle connection of an address that opens more than its share.
        let client = u8::try_from(1 + number / PER_CLIENT)?;
        socket.bind(SocketAddr::from(([127, 0, 0, client], 0)))?;
        let mut stream = socket.connect(address).await?;
        stream.set_nodelay(true)?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        loop {
            if stream.read_buf(&mut answer).await? == 0 {
                return Err("the server ended the connection".into());
            }
            if whole_size(&answer).is_some_and(|size| size <= answer.len()) {
                break;
            }
        }
        is_good(&answer)?;
        Ok(Connection {
            stream,
            request: Arc::clone(request),
            answer,
        })
    }

    async fn run(mut self, end: Instant) -> Result<Vec<u32>> {
        let mut nanos = Vec::with_capacity(1 << 14);
        loop {
            let begun = Instant::now();
            if begun >= end {
                return Ok(nanos);
            }
            self.stream.write_all(&self.request).await?;
            self.stream.read_exact(&mut self.answer).await?;
            is_good(&self.answer)?;
            nanos.push(u32::try_from(begun.elapsed().as_nanos()).unwrap_or(u32::MAX));
        }
    }
}

fn is_good(answer: &[u8]) -> Result<()> {
    if answer.starts_with(b"HTTP/1.1 200 ") {
        return Ok(());
    }
    let text = String::from_utf8_lossy(answer);
    Err(format!("not what was asked for: {}", text.lines().next().unwrap_or_default()).into())
}

fn head_size(answer: &[u8]) -> Option<usize> {
    let end = b"\r\n\r\n";
    let at = answer.windows(end.len()).position(|bytes| bytes == end)?;
    Some(at + end.len())
}

fn whole_size(answer: &[u8]) -> Option<usize> {
    let head = head_size(answer)?;
    let text = std::str::from_utf8(answer.get(..head)?).ok()?.to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    Some(head + length.trim().parse::<usize>().ok()?)
}
