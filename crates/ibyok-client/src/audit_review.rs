//! The verbs on reviews of the audit log.

use ibyok_api::{Document, Finding, FindingAck, Review, ReviewDoneRequest};
use jiff::Timestamp;
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::send::json;

impl Client {
    /// Reviews the server's audit log since a time, the last seven days unless given.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `denied` without the scope `audit:read`, `unavailable` while another review is going on.
    pub async fn review(&self, since: Option<Timestamp>) -> Result<Document<Review>> {
        let ask = self.ask(Method::GET, &["audit", "review"]);
        ask.query("since", since).json().await
    }

    /// Acknowledges a finding of that review with a reason. Gives the finding.
    ///
    /// # Errors
    /// As [`Client::review`]; `not_found` for a finding that the review does not have.
    pub async fn acknowledge_finding(
        &self,
        since: Option<Timestamp>,
        id: &str,
        reason: &str,
    ) -> Result<Document<Finding>> {
        let ack = FindingAck {
            id: id.to_owned(),
            reason: reason.to_owned(),
            since,
        };
        self.ask(Method::POST, &["audit", "review", "acks"])
            .body(json(&ack)?)
            .json()
            .await
    }

    /// Reviews, and records that the log was reviewed. Gives the review.
    ///
    /// # Errors
    /// As [`Client::review`].
    pub async fn review_done(&self, since: Option<Timestamp>, reason: Option<&str>) -> Result<Document<Review>> {
        let done = ReviewDoneRequest {
            reason: reason.map(str::to_owned),
            since,
        };
        self.ask(Method::POST, &["audit", "review", "done"])
            .body(json(&done)?)
            .json()
            .await
    }
}
