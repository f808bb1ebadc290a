//! The verbs on keys.

use ibyok_api::{Document, KeyCopy, KeyEdit, KeyInfo, Page, ProblemCode, Written};
use reqwest::Method;
use reqwest::header::{HeaderValue, IF_NONE_MATCH};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::listing::Listing;
use crate::retrieved::Retrieved;
use crate::rotation::forced;
use crate::send::{Ask, json};
use crate::write::KeyWrite;

/// The number of items of a list in one request.
pub(crate) const PAGE: usize = 500;

impl Client {
    /// Retrieves a key: it is on the server's audit log before it comes.
    ///
    /// `name` is the key's name or its id (`key_…`); with an id, `environment` may be `_`. Without a version it is the
    /// current one, without a field every field comes.
    ///
    /// # Errors
    /// [`Error::Refused`] with the server's reason: `unauthenticated`, `denied`, `not_found`, the states of key and version,
    /// `unavailable`; else [`Error::Unreachable`] or [`Error::Answer`].
    pub async fn retrieve(
        &self,
        environment: &str,
        name: &str,
        version: Option<u32>,
        field: Option<&str>,
    ) -> Result<Retrieved> {
        let ask = self.ask(Method::GET, &["keys", environment, name, "value"]);
        ask.query("version", version).query("field", field).json().await
    }

    /// Retrieves the version of a key that is staged to become current: as [`Client::retrieve`].
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `not_found` also where no version is staged.
    pub async fn retrieve_pending(&self, environment: &str, name: &str, field: Option<&str>) -> Result<Retrieved> {
        let ask = self.ask(Method::GET, &["keys", environment, name, "value"]);
        ask.query("version", Some("pending")).query("field", field).json().await
    }

    /// Lists the keys that the token may see, of one environment or of all: every page.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn keys(&self, environment: Option<&str>) -> Result<Listing<Document<KeyInfo>>> {
        self.list_keys(environment, false).await
    }

    /// Lists the same keys with the time of each one's last use, for a token that may see who uses them.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn keys_with_last_use(&self, environment: Option<&str>) -> Result<Listing<Document<KeyInfo>>> {
        self.list_keys(environment, true).await
    }

    async fn list_keys(&self, environment: Option<&str>, last_use: bool) -> Result<Listing<Document<KeyInfo>>> {
        Listing::follow(self.ask_keys(environment, last_use)).await
    }

    /// Lists one page of the keys with the time of each one's last use, for a program that must not hold all of them. `after` is
    /// [`next`](ibyok_api::Page::next) of the page before.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn keys_page(&self, environment: Option<&str>, after: Option<&str>) -> Result<Page<Document<KeyInfo>>> {
        self.ask_keys(environment, true).query("after", after).json().await
    }

    fn ask_keys(&self, environment: Option<&str>, last_use: bool) -> Ask<'_> {
        self.ask(Method::GET, &["keys"])
            .query("env", environment)
            .query("last_use", last_use.then_some(true))
            .query("limit", Some(PAGE))
    }

    /// Returns the description of a key, without its value.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn show_key(&self, environment: &str, name: &str) -> Result<Document<KeyInfo>> {
        self.ask(Method::GET, &["keys", environment, name]).json().await
    }

    /// Returns the description of a key and one of its versions: a number, or `pending`.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn show_version(&self, environment: &str, name: &str, version: &str) -> Result<Document<KeyInfo>> {
        let ask = self.ask(Method::GET, &["keys", environment, name]);
        ask.query("version", Some(version)).json().await
    }

    /// Creates a key, or makes a new current version of it.
    ///
    /// # Errors
    /// As [`Client::retrieve`], and `invalid` or `too_large` for a value that cannot be stored.
    pub async fn set_key(&self, environment: &str, name: &str, write: &KeyWrite) -> Result<Document<Written>> {
        self.ask(Method::PUT, &["keys", environment, name])
            .body(write.body()?)
            .json()
            .await
    }

    /// Creates a key, and refuses one that exists, with `exists`.
    ///
    /// # Errors
    /// As [`Client::set_key`].
    pub async fn add_key(&self, environment: &str, name: &str, write: &KeyWrite) -> Result<Document<Written>> {
        let ask = self.ask(Method::PUT, &["keys", environment, name]).body(write.body()?);
        let written = ask.header(IF_NONE_MATCH, HeaderValue::from_static("*")).json().await;
        written.map_err(|error| match error {
            // What HTTP calls a failed precondition is, of this one precondition, a key that exists.
            Error::Refused(mut problem) if problem.code == ProblemCode::Precondition && self.if_match().is_none() => {
                problem.code = ProblemCode::Exists;
                Error::Refused(problem)
            }
            other => other,
        })
    }

    /// Changes the description of a key; its values stay as they are.
    ///
    /// # Errors
    /// As [`Client::set_key`].
    pub async fn edit_key(&self, environment: &str, name: &str, edit: &KeyEdit) -> Result<Document<KeyInfo>> {
        let body = serde_json::to_vec(edit)
            .map_err(|_| Error::invalid("the change cannot be written as JSON", "shorten the change"))?;
        self.ask(Method::PATCH, &["keys", environment, name])
            .body(body.into())
            .json()
            .await
    }

    /// Stops serving a key, or one version of it.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn disable_key(&self, environment: &str, name: &str, version: Option<u32>) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "disable"])
            .query("version", version)
            .json()
            .await
    }

    /// Serves a key, or one version of it, again.
    ///
    /// # Errors
    /// As [`Client::retrieve`]; `conflict` for a value that leaked.
    pub async fn enable_key(&self, environment: &str, name: &str, version: Option<u32>) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "enable"])
            .query("version", version)
            .json()
            .await
    }

    /// Serves a key or version again although it is compromised or its value leaked, for a reason.
    ///
    /// # Errors
    /// As [`Client::enable_key`]; `denied` without `keys:read`.
    pub async fn enable_key_by_force(
        &self,
        environment: &str,
        name: &str,
        (version, reason): (Option<u32>, &str),
    ) -> Result<Document<KeyInfo>> {
        self.ask(Method::POST, &["keys", environment, name, "enable"])
            .query("version", version)
            .body(forced(reason)?)
            .json()
            .await
    }

    /// Copies a key, its value included, to another reference (`environment/name`).
    ///
    /// # Errors
    /// As [`Client::set_key`]; `exists` for a copy that exists, unless `replace` is set.
    pub async fn copy_key(&self, environment: &str, name: &str, to: &str, replace: bool) -> Result<Document<Written>> {
        let to = to.to_owned();
        self.ask(Method::POST, &["keys", environment, name, "copy"])
            .body(json(&KeyCopy { to, replace })?)
            .json()
            .await
    }

    /// Removes a key with all its versions, and gives it as it was left.
    ///
    /// # Errors
    /// As [`Client::retrieve`].
    pub async fn remove_key(&self, environment: &str, name: &str) -> Result<Document<KeyInfo>> {
        self.ask(Method::DELETE, &["keys", environment, name]).json().await
    }
}
