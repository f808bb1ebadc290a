//! A client that sends exactly the given bytes.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// The longest time to wait for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// A request, one connection each.
#[derive(Clone, Debug)]
#[must_use]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    /// A request for a path as it is, query included.
    pub fn new(method: &str, path: &str) -> Self {
        Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// GET.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// With one more header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// By the holder of a token.
    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With an id of the client's own.
    pub fn id(self, id: &str) -> Self {
        self.header("X-Request-Id", id)
    }

    /// With a body that says it is JSON.
    pub fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    /// With a body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    fn bytes(&self, host: SocketAddr) -> Vec<u8> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n",
            self.method, self.path
        );
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(self.body.iter().flatten());
        bytes
    }

    /// Sends it, and reads the answer.
    ///
    /// # Errors
    /// The connection's, `UnexpectedEof` if it was closed without an answer, and `InvalidData` for an answer that is cut.
    pub fn try_send(&self, to: SocketAddr) -> io::Result<Answer> {
        Answer::to(&self.bytes(to), to)
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in small letters.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: Vec<u8>,
    /// All of it, as it came.
    pub raw: Vec<u8>,
}

impl Answer {
    /// Sends these bytes, and reads the answer until the server closes.
    ///
    /// # Errors
    /// As [`Request::try_send`].
    pub fn to(bytes: &[u8], to: SocketAddr) -> io::Result<Answer> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        // A server that refuses early may close before it has all; its answer is there all the same.
        let sent = stream.write_all(bytes);
        let mut raw = Vec::new();
        match stream.read_to_end(&mut raw) {
            Err(error) if raw.is_empty() => return Err(sent.err().unwrap_or(error)),
            // Closed without a byte: not answered, which is not the same as an answer that is cut.
            _ if raw.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ => {}
        }
        Self::parse(raw)
    }

    fn parse(raw: Vec<u8>) -> io::Result<Answer> {
        let wrong = |what: &str| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("{what}: {}", String::from_utf8_lossy(&raw)),
            )
        };
        let end = raw
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .ok_or_else(|| wrong("no head"))?;
        let head = std::str::from_utf8(&raw[..end]).map_err(|_| wrong("a head that is no text"))?;
        let mut lines = head.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| wrong("no status"))?;
        let pairs = lines.filter_map(|line| line.split_once(':'));
        let headers: BTreeMap<String, String> = pairs
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let rest = &raw[end + 4..];
        let body = match headers
            .get("content-length")
            .and_then(|length| length.parse::<usize>().ok())
        {
            Some(length) => rest.get(..length).ok_or_else(|| wrong("a body that is cut"))?.to_vec(),
            None if headers.get("transfer-encoding").is_some_and(|e| e == "chunked") => {
                chunks(rest).ok_or_else(|| wrong("chunks that are cut"))?
            }
            None => rest.to_vec(),
        };
        Ok(Answer {
            status,
            headers,
            body,
            raw: raw.clone(),
        })
    }

    /// The id that the server gave the request, or took over.
    #[must_use]
    pub fn request_id(&self) -> &str {
        self.headers.get("x-request-id").map_or("", String::as_str)
    }

    /// Its body as JSON.
    ///
    /// # Panics
    /// If it is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.raw)))
    }

    /// The same, if it has this status.
    ///
    /// # Panics
    /// If it does not.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.raw));
        self
    }

    /// The same, if it is a problem document of this status and code that carries the request's id.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn is_problem(self, status: u16, code: &str) -> Self {
        let this = self.is(status);
        let problem = this.json();
        assert_eq!(
            this.headers.get("content-type").map(String::as_str),
            Some("application/problem+json")
        );
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["status"], status, "{problem}");
        let id = problem["request_id"].as_str().unwrap_or("");
        assert!(
            !id.is_empty() && id == this.request_id(),
            "{}",
            String::from_utf8_lossy(&this.raw)
        );
        this
    }
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        rest = &rest[line + 2..];
        if size == 0 {
            return Some(body);
        }
        body.extend(rest.get(..size)?);
        rest = rest.get(size + 2..)?;
    }
}
