//! A collector of webhooks: a small HTTP server, plain or with TLS, whose answers a test scripts.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The way in which the collector treats a request.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Status(u16),
    /// A redirect to a URL.
    Redirect(String),
    /// No answer, until the client gives up.
    Silence,
    /// The end of the connection instead of an answer.
    Cut,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) head: String,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// The replies to the next requests. Then every request is answered 204.
    replies: VecDeque<Reply>,
    requests: Vec<Request>,
    /// The lines of the requests that were acknowledged.
    taken: Vec<u8>,
}

/// A collector that runs to the end of the test process. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Collector {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Collector {
    pub(crate) fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let collector = Collector {
            address: listener.local_addr().unwrap(),
            state: Arc::default(),
        };
        let of_thread = collector.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (collector, tls, stream) = (of_thread.clone(), tls.clone(), stream.unwrap());
                std::thread::spawn(move || match tls {
                    None => collector.serve(stream),
                    Some(tls) => collector.serve(StreamOwned::new(ServerConnection::new(tls).unwrap(), stream)),
                });
            }
        });
        collector
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/ibyok", self.address)
    }

    pub(crate) fn replies(&self, replies: impl IntoIterator<Item = Reply>) {
        self.state.lock().unwrap().replies.extend(replies);
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The bytes of the lines that it acknowledged.
    pub(crate) fn taken(&self) -> Vec<u8> {
        self.state.lock().unwrap().taken.clone()
    }

    fn serve(&self, stream: impl Read + Write) {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream) {
            let mut state = self.state.lock().unwrap();
            let reply = state.replies.pop_front().unwrap_or(Reply::Status(204));
            if matches!(reply, Reply::Status(200..=299)) {
                state.taken.extend_from_slice(&request.body);
            }
            state.requests.push(request);
            drop(state);
            let answer = match reply {
                Reply::Status(status) => format!("HTTP/1.1 {status} Told\r\ncontent-length: 0\r\n\r\n"),
                Reply::Redirect(to) => {
                    format!("HTTP/1.1 307 Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
                }
                Reply::Silence => {
                    std::thread::sleep(Duration::from_secs(20));
                    return;
                }
                Reply::Cut => return,
            };
            if stream
                .get_mut()
                .write_all(answer.as_bytes())
                .and_then(|()| stream.get_mut().flush())
                .is_err()
            {
                return;
            }
        }
    }
}

fn read(stream: &mut BufReader<impl Read>) -> Option<Request> {
    let mut head = String::new();
    stream.read_line(&mut head).ok().filter(|length| *length > 0)?;
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(Request { head, headers, body })
}

/// An address on which nobody listens.
pub(crate) fn nobody() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap()
}

/// Connects to an address, to see that a listener is there.
pub(crate) fn listens(address: SocketAddr) -> bool {
    TcpStream::connect(address).is_ok()
}
