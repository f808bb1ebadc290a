//! Limits: how often a key may be retrieved.

use ibyok_api::{Change, Document, EnvironmentLimit, EnvironmentLimitChange, Page, Rate};
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::listing::Listing;
use crate::send::json;

impl Client {
    /// The default limits of one environment, or of all in which the token may list keys.
    ///
    /// # Errors
    /// As every verb.
    pub async fn limits(&self, environment: Option<&str>) -> Result<Listing<Document<EnvironmentLimit>>> {
        let ask = self.ask(Method::GET, &["limits"]).query("env", environment);
        let page: Page<Document<EnvironmentLimit>> = ask.json().await?;
        Ok(page.into())
    }

    /// Sets how often each key of an environment without its own limit may be retrieved, or removes that limit.
    ///
    /// # Errors
    /// As every verb.
    pub async fn set_limit(&self, environment: &str, limit: Option<Rate>) -> Result<Document<EnvironmentLimit>> {
        let change = EnvironmentLimitChange {
            environment: environment.to_owned(),
            limit: limit.map_or(Change::Clear, Change::Set),
        };
        self.ask(Method::PUT, &["limits"]).body(json(&change)?).json().await
    }
}
