//! The verbs on modes.

use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::model::{KeyInfo, Page};

/// How values of an environment are served by the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EnvironmentMode {
    /// The environment.
    pub environment: String,
    /// Its class, which guardrails bind: `dev`, `staging` or `prod`.
    pub class: Option<String>,
    /// The one mode of this class on the server, if one is forced.
    pub guardrail: Option<String>,
    /// Whether the server lets it be set to mock.
    pub mock_allowed: bool,
    /// What was set for keys that have no mode of their own.
    pub default: Option<String>,
    /// The mode in which keys that have none of their own are served; `None` if they are refused.
    pub mode: Option<String>,
    /// Which tier decided it: `guardrail` or `tenant_setting`.
    pub mode_source: Option<String>,
    /// Why they are refused.
    pub problem: Option<String>,
}

impl Client {
    /// How the values of each environment are served in which the token may set modes.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn modes(&self) -> Result<Listing<EnvironmentMode>> {
        let page: Page<EnvironmentMode> = self.ask(Method::GET, &["modes"]).json().await?;
        Ok(page.into())
    }

    /// Sets the mode (`mock` or `live`) of those keys of an environment that have none of their own.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `invalid` where a guardrail of the server does not allow it.
    pub async fn set_environment_mode(&self, environment: &str, mode: &str) -> Result<EnvironmentMode> {
        let body = body(&serde_json::json!({ "environment": environment, "mode": mode }))?;
        self.ask(Method::PUT, &["modes"]).body(body.into()).json().await
    }

    /// Sets the mode of a key (`mock`, `live`, or `inherit` for its environment's).
    ///
    /// # Errors
    /// As [`Client::set_environment_mode`].
    pub async fn set_key_mode(&self, environment: &str, name: &str, mode: &str) -> Result<KeyInfo> {
        let body = body(&serde_json::json!({ "mode": mode }))?;
        let ask = self.ask(Method::POST, &["keys", environment, name, "mode"]);
        ask.body(body.into()).json().await
    }
}

fn body(document: &serde_json::Value) -> Result<Vec<u8>> {
    serde_json::to_vec(document).map_err(|_| Error::invalid("the mode cannot be sent", "give `mock` or `live`"))
}
