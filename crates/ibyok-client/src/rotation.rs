//! The verbs of a rotation.

use bytes::Bytes;
use ibyok_api::{Destroyed, Document, Drain, Due, Forcing, KeyInfo, Page, RotationStatus, Written};
use reqwest::Method;

use crate::client::Client;
use crate::error::Result;
use crate::listing::Listing;
use crate::send::json;
use crate::write::KeyWrite;

impl Client {
    /// Adds a version that is pending: served only to who asks for it, until it is promoted. One that was pending is replaced.
    ///
    /// # Errors
    /// As [`Client::set_key`]; `not_found` for a key that does not exist.
    pub async fn stage_key(&self, environment: &str, name: &str, write: &KeyWrite) -> Result<Document<Written>> {
        self.ask(Method::POST, &["keys", environment, name, "stage"])
            .body(write.body()?)
            .json()
            .await
    }

    /// Makes the pending version the current one; the one before is retiring.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `not_found` if nothing is pending.
    pub async fn promote_key(&self, environment: &str, name: &str) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "promote"])
            .json()
            .await
    }

    /// Makes the version that was current before the current one again.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `not_found` if no version is retiring.
    pub async fn rollback_key(&self, environment: &str, name: &str) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "rollback"])
            .json()
            .await
    }

    /// Makes the pending version the current one although it is compromised or its value leaked, for a reason.
    ///
    /// # Errors
    /// As [`Client::promote_key`]; `denied` without `keys:read`.
    pub async fn promote_key_by_force(&self, environment: &str, name: &str, reason: &str) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "promote"])
            .body(forced(reason)?)
            .json()
            .await
    }

    /// Makes the version before the current one again although it is compromised or its value leaked, for a reason.
    ///
    /// # Errors
    /// As [`Client::rollback_key`]; `denied` without `keys:read`.
    pub async fn rollback_key_by_force(
        &self,
        environment: &str,
        name: &str,
        reason: &str,
    ) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "rollback"])
            .body(forced(reason)?)
            .json()
            .await
    }

    /// Retires every retiring version, or the one that is named: it is no longer served.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `in_use` while a consumer needs it.
    pub async fn retire_key(&self, environment: &str, name: &str, drain: &Drain) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "retire"])
            .body(json(drain)?)
            .json()
            .await
    }

    /// Destroys the value of a version. Answers with the key, and with the places that may still hold the value.
    ///
    /// # Errors
    /// As [`Client::retire_key`].
    pub async fn destroy_version(&self, environment: &str, name: &str, drain: &Drain) -> Result<Document<Destroyed>> {
        self.ask(Method::POST, &["keys", environment, name, "destroy"])
            .body(json(drain)?)
            .json()
            .await
    }

    /// Returns the consumers of each version of a key, and those that have not yet read the current one.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn rotation_status(&self, environment: &str, name: &str) -> Result<Document<RotationStatus>> {
        self.ask(Method::GET, &["keys", environment, name, "rotation"])
            .json()
            .await
    }
}

/// The body of a request that is forced, for a reason.
pub(crate) fn forced(reason: &str) -> Result<Bytes> {
    json(&Forcing {
        force: true,
        reason: Some(reason.to_owned()),
    })
}

impl Client {
    /// Returns the tasks that are due in an environment or in all: keys to be rotated, keys and tokens that end soon.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn rotations_due(&self, environment: Option<&str>) -> Result<Listing<Document<Due>>> {
        let ask = self.ask(Method::GET, &["rotations", "due"]).query("env", environment);
        let page: Page<Document<Due>> = ask.json().await?;
        Ok(page.into())
    }
}
