//! The verbs on usage.

use ibyok_api::{Document, UsageBy, UsageReport};
use jiff::Timestamp;
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;

/// A request for a report of usage. The default is every key of the last seven days.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UsageRequest {
    /// The unit that the report adds up by; `key` if `None`.
    pub by: Option<UsageBy>,
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
    /// Returns the report of usage: the keys and their consumers, with the number of uses and the time of the last
    /// one.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `denied` without the scope `usage:read`, `not_found` for an environment or
    /// a key that is not there, `invalid`.
    pub async fn usage(&self, request: &UsageRequest) -> Result<Document<UsageReport>> {
        let ask = self.ask(Method::GET, &["usage"]).query("by", request.by.as_ref());
        let ask = ask.query("since", request.since).query("until", request.until);
        let ask = ask.query("env", request.environment.as_deref());
        ask.query("key", request.key.as_deref()).json().await
    }
}
