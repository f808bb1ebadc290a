//! Limits: how often a key may be retrieved.

use ibyok_policy::Rate;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::model::Page;

/// The limit that holds for a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LimitInForce {
    /// The rate.
    pub rate: Rate,
    /// `key` if it is the key's own, `environment` if it is the default of its environment.
    pub source: String,
    /// `node` if each server counts by itself, `shared` if all count together.
    pub scope: String,
}

/// The default limit of an environment's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EnvironmentLimit {
    /// The environment.
    pub environment: String,
    /// How often each of its keys may be retrieved that has no limit of its own; `None` is as often as one likes.
    pub limit: Option<Rate>,
    /// `node` if each server counts by itself, `shared` if all count together.
    pub scope: String,
}

impl Client {
    /// The default limits of one environment, or of all in which the token may list keys.
    ///
    /// # Errors
    /// As every verb.
    pub async fn limits(&self, environment: Option<&str>) -> Result<Listing<EnvironmentLimit>> {
        let ask = self.ask(Method::GET, &["limits"]).query("env", environment);
        let page: Page<EnvironmentLimit> = ask.json().await?;
        Ok(page.into())
    }

    /// Sets how often each key of an environment may be retrieved that has no limit of its own, or takes that away.
    ///
    /// # Errors
    /// As every verb.
    pub async fn set_limit(&self, environment: &str, limit: Option<Rate>) -> Result<EnvironmentLimit> {
        #[derive(Serialize)]
        struct Body<'a> {
            environment: &'a str,
            limit: Option<Rate>,
        }
        let body = serde_json::to_vec(&Body { environment, limit });
        let body = body.map_err(|_| Error::invalid("the limit cannot be sent", "give a rate such as `60/min`"))?;
        self.ask(Method::PUT, &["limits"]).body(body.into()).json().await
    }
}
