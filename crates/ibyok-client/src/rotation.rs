//! The verbs of a rotation.

use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::model::{KeyInfo, Written};
use crate::write::KeyWrite;

impl Client {
    /// Adds a version that is pending: served only to who asks for it, until it is promoted. One that was pending is replaced.
    ///
    /// # Errors
    /// As [`Client::set_key`]; `not_found` for a key that does not exist.
    pub async fn stage_key(&self, environment: &str, name: &str, write: &KeyWrite) -> Result<Written> {
        self.ask(Method::POST, &["keys", environment, name, "stage"])
            .body(write.body()?)
            .json()
            .await
    }

    /// Makes the pending version the current one; the one before is retiring.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `not_found` if nothing is pending.
    pub async fn promote_key(&self, environment: &str, name: &str) -> Result<KeyInfo> {
        self.ask(Method::POST, &["keys", environment, name, "promote"])
            .json()
            .await
    }

    /// Makes the version that was current before the current one again.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `not_found` if no version is retiring.
    pub async fn rollback_key(&self, environment: &str, name: &str) -> Result<KeyInfo> {
        self.ask(Method::POST, &["keys", environment, name, "rollback"])
            .json()
            .await
    }
}
