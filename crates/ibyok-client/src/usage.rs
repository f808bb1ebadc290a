//! Who used what.

use jiff::Timestamp;
use reqwest::Method;
use serde_json::Value;

use crate::client::Client;
use crate::error::Result;

/// What is asked about usage. The default is every key of the last seven days.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UsageRequest {
    /// What it is added up by: `key` unless given, `token`, `env`, `day` or `version`.
    pub by: Option<String>,
    /// From the day of this time on.
    pub since: Option<Timestamp>,
    /// To the day of this time.
    pub until: Option<Timestamp>,
    /// Of one environment only.
    pub environment: Option<String>,
    /// Of one key only: `environment/name`.
    pub key: Option<String>,
}

impl Client {
    /// Who used what, how often, when last: the document that the server gives, as it is.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `denied` without the scope `usage:read`, `not_found` for an environment or
    /// a key that is not there, `invalid`.
    pub async fn usage(&self, request: &UsageRequest) -> Result<Value> {
        let ask = self.ask(Method::GET, &["usage"]).query("by", request.by.as_deref());
        let ask = ask.query("since", request.since).query("until", request.until);
        let ask = ask.query("env", request.environment.as_deref());
        ask.query("key", request.key.as_deref()).json().await
    }
}
