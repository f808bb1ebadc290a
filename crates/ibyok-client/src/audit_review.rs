//! The verbs on reviews of the audit log.

use jiff::Timestamp;
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use crate::client::Client;
use crate::error::{Error, Result};

#[derive(Serialize)]
struct Ack<'a> {
    id: &'a str,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

#[derive(Serialize)]
struct Done<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Timestamp>,
}

fn body(thing: &impl Serialize) -> Result<bytes::Bytes> {
    let body = serde_json::to_vec(thing).map_err(|_| Error::invalid("the request cannot be sent", "say less"))?;
    Ok(body.into())
}

impl Client {
    /// Reviews the server's audit log since a time, the last seven days unless given: the document that the server answers with,
    /// so that one newer than this program loses nothing.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `denied` without the scope `audit:read`, `unavailable` while another review is going on.
    pub async fn review(&self, since: Option<Timestamp>) -> Result<Value> {
        let ask = self.ask(Method::GET, &["audit", "review"]);
        ask.query("since", since).json().await
    }

    /// Acknowledges a finding of that review with a reason. Gives the finding.
    ///
    /// # Errors
    /// As [`Client::review`]; `not_found` for a finding that the review does not have.
    pub async fn acknowledge_finding(&self, since: Option<Timestamp>, id: &str, reason: &str) -> Result<Value> {
        let ack = Ack { id, reason, since };
        self.ask(Method::POST, &["audit", "review", "acks"])
            .body(body(&ack)?)
            .json()
            .await
    }

    /// Reviews, and records that the log was reviewed. Gives the review.
    ///
    /// # Errors
    /// As [`Client::review`].
    pub async fn review_done(&self, since: Option<Timestamp>, reason: Option<&str>) -> Result<Value> {
        let done = Done { reason, since };
        self.ask(Method::POST, &["audit", "review", "done"])
            .body(body(&done)?)
            .json()
            .await
    }
}
