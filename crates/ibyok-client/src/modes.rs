//! The verbs on modes.

use ibyok_api::{Document, EnvironmentMode, KeyInfo, KeyMode, Mode, ModeOverride, Page, SetMode};
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::listing::Listing;
use crate::send::json;

impl Client {
    /// Returns the mode in which values are served, for each environment in which the token may set modes.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn modes(&self) -> Result<Listing<Document<EnvironmentMode>>> {
        let page: Page<Document<EnvironmentMode>> = self.ask(Method::GET, &["modes"]).json().await?;
        Ok(page.into())
    }

    /// Sets the mode of the keys of an environment without their own mode.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `invalid` where a guardrail of the server does not allow it.
    pub async fn set_environment_mode(&self, environment: &str, mode: Mode) -> Result<Document<EnvironmentMode>> {
        let set = SetMode {
            environment: environment.to_owned(),
            mode,
        };
        self.ask(Method::PUT, &["modes"]).body(json(&set)?).json().await
    }

    /// Sets the mode of a key.
    ///
    /// # Errors
    /// As [`Client::set_environment_mode`].
    pub async fn set_key_mode(&self, environment: &str, name: &str, mode: ModeOverride) -> Result<Document<KeyInfo>> {
        let ask = self.ask(Method::POST, &["keys", environment, name, "mode"]);
        ask.body(json(&KeyMode { mode })?).json().await
    }
}
