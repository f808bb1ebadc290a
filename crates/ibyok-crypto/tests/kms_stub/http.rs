//! As much of HTTP/1.1 as the client of the SDK speaks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Call, Fault};

pub(crate) struct Request {
    head: String,
    body: Vec<u8>,
}

impl Request {
    /// The next request; `None` when there is no more, or no whole one.
    pub(crate) fn read(connection: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        let end = loop {
            if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            let count = connection.read(&mut chunk).ok().filter(|&count| count > 0)?;
            bytes.extend_from_slice(&chunk[..count]);
        };
        let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
        let mut request = Self {
            head,
            body: bytes[end..].to_vec(),
        };
        let length: usize = request.header("content-length").parse().ok()?;
        while request.body.len() < length {
            let count = connection.read(&mut chunk).ok().filter(|&count| count > 0)?;
            request.body.extend_from_slice(&chunk[..count]);
        }
        Some(request)
    }

    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        let mut values = lines.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        values.next().map_or("", |(_, value)| value.trim())
    }

    /// The call that it is.
    pub(crate) fn call(&self) -> Call {
        let operation = self
            .header("x-amz-target")
            .strip_prefix("TrentService.")
            .unwrap_or_default();
        let credential = self.header("authorization").split_once("Credential=");
        let access_key = credential
            .and_then(|(_, rest)| rest.split('/').next())
            .unwrap_or_default();
        Call {
            operation: operation.to_owned(),
            body: serde_json::from_slice(&self.body).unwrap_or(Value::Null),
            access_key: access_key.to_owned(),
            user_agent: format!("{} {}", self.header("user-agent"), self.header("x-amz-user-agent")),
        }
    }
}

pub(crate) struct Reply {
    status: u16,
    headers: String,
    body: Vec<u8>,
    /// The wait before each byte of the body.
    pace: Option<Duration>,
    /// The time of silence before the connection is closed without an answer; `None` for an answer.
    silence: Option<Duration>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: &[u8]) -> Self {
        Self {
            status,
            headers: String::new(),
            body: body.to_vec(),
            pace: None,
            silence: None,
        }
    }

    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::new(status, body.to_string().as_bytes())
    }

    /// Returns the answer of the service to a request that it refuses.
    pub(crate) fn refusal(fault: &Fault) -> Self {
        let Fault::Refuses { status, code, message } = fault else {
            return Self::new(500, b"the stub was asked to refuse without a refusal");
        };
        Self::json(*status, &json!({ "__type": code, "message": message }))
    }

    /// Its JSON.
    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers = format!("{name}: {value}\r\n");
        self
    }

    pub(crate) fn paced(mut self, pace: Duration) -> Self {
        self.pace = Some(pace);
        self
    }

    pub(crate) fn silent(silence: Duration) -> Self {
        Self {
            silence: Some(silence),
            ..Self::new(0, b"")
        }
    }

    /// Sends the answer. Returns true if the connection stays open.
    pub(crate) fn send(&self, connection: &mut TcpStream) -> bool {
        if let Some(silence) = self.silence {
            thread::sleep(silence);
            return false;
        }
        let head = format!(
            "HTTP/1.1 {} Stub\r\nContent-Type: application/x-amz-json-1.1\r\nx-amzn-RequestId: stub-request\r\nContent-Length: {}\r\n{}\r\n",
            self.status,
            self.body.len(),
            self.headers
        );
        let Some(pace) = self.pace else {
            return connection.write_all(&[head.as_bytes(), &self.body].concat()).is_ok();
        };
        connection.write_all(head.as_bytes()).is_ok()
            && self.body.iter().all(|byte| {
                thread::sleep(pace);
                connection.write_all(&[*byte]).is_ok()
            })
    }
}
