//! The client itself.

use std::fmt;
use std::time::Duration;

use ibyok_api::{Document, WhoAmI};
use reqwest::header::HeaderValue;
use reqwest::{Method, Url};
use secrecy::SecretString;

use crate::builder::ClientBuilder;
use crate::error::Result;

/// A client of one server, with one access token. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Client {
    base: Url,
    http: reqwest::Client,
    token: HeaderValue,
    timeout: Duration,
    /// The condition on which keys are changed, as `If-Match` says it.
    if_match: Option<HeaderValue>,
}

impl Client {
    /// A client of the server at `url`, with everything as it should usually be.
    ///
    /// # Errors
    /// As [`ClientBuilder::build`].
    pub fn new(url: &str, token: SecretString) -> Result<Self> {
        Self::builder(url, token).build()
    }

    /// A client that is to be put together differently.
    pub fn builder(url: &str, token: SecretString) -> ClientBuilder {
        ClientBuilder::new(url, token)
    }

    pub(crate) fn from_parts(base: Url, http: reqwest::Client, token: HeaderValue, timeout: Duration) -> Self {
        Client {
            base,
            http,
            token,
            timeout,
            if_match: None,
        }
    }

    /// Returns the same client, which changes a key only while the key is at this revision ([`KeyInfo::revision`]).
    ///
    /// Every change of a key is then refused with `precondition` where the key has changed. Everything else is as it was.
    ///
    /// [`KeyInfo::revision`]: crate::KeyInfo::revision
    #[must_use]
    pub fn only_if_revision(mut self, revision: u64) -> Self {
        self.if_match = HeaderValue::try_from(format!("\"{revision}\"")).ok();
        self
    }

    /// Returns the same client, which changes a key only while its current version has this number.
    #[must_use]
    pub fn only_if_version(mut self, version: u32) -> Self {
        self.if_match = HeaderValue::try_from(format!("\"version-{version}\"")).ok();
        self
    }

    /// The server's address.
    #[must_use]
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    pub(crate) fn base(&self) -> &Url {
        &self.base
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    pub(crate) fn token(&self) -> &HeaderValue {
        &self.token
    }

    pub(crate) fn if_match(&self) -> Option<&HeaderValue> {
        self.if_match.as_ref()
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Returns the identity that the server sees in the token's holder. Any valid token may ask.
    ///
    /// # Errors
    /// [`Error::Refused`](crate::Error::Refused) with `unauthenticated` if the token is not valid; else as every verb:
    /// [`Error::Unreachable`](crate::Error::Unreachable), [`Error::Answer`](crate::Error::Answer).
    pub async fn whoami(&self) -> Result<Document<WhoAmI>> {
        self.ask(Method::GET, &["tokens", "self"]).json().await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.base.as_str())
            .finish_non_exhaustive()
    }
}
