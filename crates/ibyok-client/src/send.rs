//! One request and its answer: the retries, and the reading of an answer.

use std::error::Error as _;
use std::time::{Duration, Instant};

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::problem::Problem;

/// The largest number of tries of a request that only reads.
const TRIES: u32 = 4;

/// The first delay before trying again; it doubles each time, and each is shortened at random by up to a half.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest delay between tries. If the server asks for a longer one, the request is not tried again.
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// The largest answer that is read, in bytes.
const ANSWER_MAX: usize = 16 << 20;

/// The body of a request that holds no secret.
pub(crate) fn json(document: &impl Serialize) -> Result<Bytes> {
    let body = serde_json::to_vec(document);
    body.map(Bytes::from)
        .map_err(|_| Error::invalid("the request cannot be written as JSON", "shorten the request"))
}

/// A request that is being put together.
#[derive(Clone)]
pub(crate) struct Ask<'a> {
    client: &'a Client,
    method: Method,
    path: Vec<&'a str>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Option<Bytes>,
}

impl Client {
    /// A request of `/api/v1` followed by these segments.
    pub(crate) fn ask<'a>(&'a self, method: Method, segments: &[&'a str]) -> Ask<'a> {
        let path = ["api", "v1"].iter().chain(segments).copied().collect();
        Ask {
            client: self,
            method,
            path,
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }
}

impl Ask<'_> {
    pub(crate) fn query(mut self, name: &'static str, value: Option<impl ToString>) -> Self {
        self.query.extend(value.map(|value| (name, value.to_string())));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn body(mut self, body: Bytes) -> Self {
        self.body = Some(body);
        self
    }

    /// Sends it, and reads the answer as JSON.
    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T> {
        let url = self.client.url().to_owned();
        let body = self.send().await?;
        serde_json::from_slice(&body).map_err(|error| {
            // Not the library's own message: it may quote what it read.
            let reason = match error.line() {
                0 => "unexpected JSON".to_owned(),
                line => format!("unexpected JSON at line {line}, column {}", error.column()),
            };
            Error::Answer { url, reason }
        })
    }

    /// Sends it, again where that is harmless, and gives the body of a good answer. All of it is within the client's timeout.
    async fn send(&self) -> Result<Zeroizing<Vec<u8>>> {
        let begun = Instant::now();
        let left = || self.client.timeout().saturating_sub(begun.elapsed());
        let mut delay = FIRST_DELAY;
        let mut tries = 1;
        loop {
            let failed = match self.once(left()).await {
                Ok(body) => return Ok(body),
                Err(failed) => failed,
            };
            let wait = self.wait_before_retry(&failed, delay);
            let Some(wait) = wait.filter(|wait| tries < TRIES && *wait < left()) else {
                return Err(failed.error);
            };
            tokio::time::sleep(wait).await;
            delay = (delay * 2).min(LONGEST_DELAY);
            tries += 1;
        }
    }

    fn wait_before_retry(&self, failed: &Failed, delay: Duration) -> Option<Duration> {
        // A change whose answer was lost may have been done, and must not be done twice.
        if self.method != Method::GET {
            return None;
        }
        let asked = match &failed.error {
            Error::Unreachable { .. } if !failed.slow => Duration::ZERO,
            Error::Refused(problem) if problem.status == 503 => match problem.retry_after.unwrap_or_default() {
                // Who asks for more patience than there is here is not asked again too soon.
                wait if wait > LONGEST_DELAY => return None,
                wait => wait,
            },
            _ => return None,
        };
        Some(
            delay
                .mul_f64(rand::random_range(0.5..=1.0))
                .max(asked)
                .min(LONGEST_DELAY),
        )
    }

    async fn once(&self, within: Duration) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let mut url = crate::path::route(self.client.base(), &self.path)?;
        if !self.query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(self.query.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let mut request = self.client.http().request(self.method.clone(), url).timeout(within);
        request = request.header(AUTHORIZATION, self.client.token().clone());
        request = request.header(ACCEPT, "application/json, application/problem+json");
        for (name, value) in &self.headers {
            request = request.header(name, value.clone());
        }
        if let Some(condition) = self.client.if_match().filter(|_| self.changes_a_key()) {
            request = request.header(IF_MATCH, condition.clone());
        }
        if let Some(body) = &self.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let response = request.send().await.map_err(|error| self.unreachable(error))?;
        self.read(response).await
    }

    fn changes_a_key(&self) -> bool {
        self.method != Method::GET && self.path.starts_with(&["api", "v1", "keys"])
    }

    async fn read(&self, mut response: Response) -> Result<Zeroizing<Vec<u8>>, Failed> {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        let mut chunks: Vec<Bytes> = Vec::new();
        let mut size = 0;
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            size += chunk.len();
            if size > ANSWER_MAX {
                return Err(self.answer("the answer is too long").into());
            }
            chunks.push(chunk);
        }
        // Put together at once, so that no growing buffer leaves a copy behind.
        let mut body = Zeroizing::new(Vec::with_capacity(size));
        chunks.iter().for_each(|chunk| body.extend_from_slice(chunk));
        if status.is_success() {
            return Ok(body);
        }
        Err(self.refusal(status, retry_after.as_deref(), &body).into())
    }

    fn refusal(&self, status: StatusCode, retry_after: Option<&str>, body: &[u8]) -> Error {
        if status.is_redirection() {
            return self.answer("the answer is a redirect, and the client sends the token to no other server");
        }
        match Problem::parse(status.as_u16(), retry_after, body) {
            Some(problem) => Error::Refused(problem),
            None => self.answer(&format!("the answer has status {} and no details", status.as_u16())),
        }
    }

    fn answer(&self, reason: &str) -> Error {
        Error::Answer {
            url: self.client.url().to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn unreachable(&self, error: reqwest::Error) -> Failed {
        Failed {
            slow: error.is_timeout() && !error.is_connect(),
            error: Error::Unreachable {
                url: self.client.url().to_owned(),
                reason: chain(&error.without_url()),
            },
        }
    }
}

/// Why one attempt failed.
struct Failed {
    error: Error,
    /// The server was there and took too long: asking again would take as long again.
    slow: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Failed { error, slow: false }
    }
}

/// An error with its causes, joined by colons.
pub(crate) fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text.push_str(": ");
        text.push_str(&next.to_string());
        cause = next.source();
    }
    text
}
