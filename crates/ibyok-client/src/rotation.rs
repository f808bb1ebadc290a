//! The verbs of a rotation.

use bytes::Bytes;
use jiff::Timestamp;
use reqwest::Method;
use serde::{Deserialize, Serialize};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::model::{KeyInfo, Page, Written};
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

    /// Makes the pending version the current one although it is compromised or its value leaked, for a reason.
    ///
    /// # Errors
    /// As [`Client::promote_key`]; `denied` without `keys:read`.
    pub async fn promote_key_by_force(&self, environment: &str, name: &str, reason: &str) -> Result<KeyInfo> {
        self.ask(Method::POST, &["keys", environment, name, "promote"])
            .body(forced(reason)?)
            .json()
            .await
    }

    /// Makes the version before the current one again although it is compromised or its value leaked, for a reason.
    ///
    /// # Errors
    /// As [`Client::rollback_key`]; `denied` without `keys:read`.
    pub async fn rollback_key_by_force(&self, environment: &str, name: &str, reason: &str) -> Result<KeyInfo> {
        self.ask(Method::POST, &["keys", environment, name, "rollback"])
            .body(forced(reason)?)
            .json()
            .await
    }

    /// Retires every retiring version, or the one that is named: it is no longer served.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `in_use` while a consumer needs it.
    pub async fn retire_key(&self, environment: &str, name: &str, drain: &Drain) -> Result<KeyInfo> {
        self.ask(Method::POST, &["keys", environment, name, "retire"])
            .body(drain.body()?.into())
            .json()
            .await
    }

    /// Destroys the value of a version. Answers with the key, and with what may still hold the value.
    ///
    /// # Errors
    /// As [`Client::retire_key`].
    pub async fn destroy_version(&self, environment: &str, name: &str, drain: &Drain) -> Result<Destroyed> {
        self.ask(Method::POST, &["keys", environment, name, "destroy"])
            .body(drain.body()?.into())
            .json()
            .await
    }

    /// Who reads which version of a key, and who has not yet read the current one.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn rotation_status(&self, environment: &str, name: &str) -> Result<RotationStatus> {
        self.ask(Method::GET, &["keys", environment, name, "rotation"])
            .json()
            .await
    }
}

/// The body of a request that is forced, for a reason.
pub(crate) fn forced(reason: &str) -> Result<Bytes> {
    #[derive(Serialize)]
    struct Forced<'a> {
        force: bool,
        reason: &'a str,
    }
    let body = serde_json::to_vec(&Forced { force: true, reason });
    body.map(Bytes::from)
        .map_err(|_| Error::invalid("the request cannot be sent", "give a shorter reason"))
}

impl Client {
    /// What is due in an environment or in all: keys to be rotated, keys and tokens that end soon.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn rotations_due(&self, environment: Option<&str>) -> Result<Listing<Due>> {
        let ask = self.ask(Method::GET, &["rotations", "due"]).query("env", environment);
        let page: Page<Due> = ask.json().await?;
        Ok(page.into())
    }
}

/// Something that is due, or will be soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Due {
    /// `rotation`, `key_expiry` or `token_expiry`; or `damaged_key`, `damaged_token` and `damaged_environment` where the record does not
    /// say what is due.
    pub kind: String,
    /// The key as `environment/name`; `None` for a token.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The token's id; `None` for a key.
    pub token: Option<String>,
    /// The key's or the token's name.
    pub name: String,
    /// The key's provider, if it has one; `None` for a token.
    #[serde(default)]
    pub provider: Option<String>,
    /// When it is or was due.
    pub at: Timestamp,
    /// Whether that is past.
    pub overdue: bool,
    /// Which warning it is: within 30, 7 or 1 days; 0 once it is past.
    pub within_days: i64,
}

/// Which version is to go, and what has to be true before it does.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Drain {
    /// The version's number, or `pending`; to retire without one means every retiring version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// How long ago the last read of the old version has to be: `7d`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet: Option<String>,
    /// Whether it goes although consumers need it; a reason has to be given.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// Why, for the audit log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Drain {
    fn body(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|_| Error::invalid("the request cannot be sent", "ask for less"))
    }
}

/// A version whose value is destroyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Destroyed {
    /// The key as it is now.
    #[serde(flatten)]
    pub key: KeyInfo,
    /// What may still hold the sealed value, and until when; `None` if nothing does that belongs to the store.
    pub remains: Option<String>,
}

/// How far the rotation of a key is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RotationStatus {
    /// `environment/name`.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The key's public id.
    pub id: String,
    /// The current version's number.
    pub version: Option<u32>,
    /// Every version, oldest first, with who read it within 90 days.
    pub versions: Vec<VersionUse>,
    /// Who uses the key and has not read the current version, or an older one since.
    pub waiting_for: Vec<Waiting>,
    /// What may hide a consumer.
    #[serde(default)]
    pub unseen: Vec<String>,
    /// Whether consumers are shown: the token needs `usage:read` or `keys:rotate`. Without, the lists are empty.
    #[serde(default)]
    pub consumers_shown: bool,
}

/// A version with those who read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct VersionUse {
    /// The number.
    pub version: u32,
    /// Its state.
    pub state: String,
    /// Who read it, the last reader first.
    pub consumers: Vec<Consumer>,
}

/// Somebody who read a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Consumer {
    /// The token's id, or the operator's name.
    pub token: String,
    /// `token`, `operator` or `others`.
    pub kind: String,
    /// The token's name.
    pub name: Option<String>,
    /// When it last read the version.
    pub last: Timestamp,
    /// How often.
    pub count: u64,
    /// The network of the last read.
    pub network: Option<String>,
    /// Whether it can still come.
    pub active: bool,
}

/// Somebody for whom an older version is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The token's id.
    pub token: String,
    /// The token's name.
    pub name: Option<String>,
    /// The version that it read last.
    pub version: Option<u32>,
    /// When.
    pub last: Option<Timestamp>,
    /// `not_yet` or `read_since`.
    pub why: String,
}
