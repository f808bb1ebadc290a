//! The verbs that work the same on a vault in this process and on a server.

use async_trait::async_trait;
use ibyok_api as api;
use ibyok_api::Document;
use ibyok_core::{
    AccessToken, EnvironmentName, KeyRef, Secret, TokenRequest,
    incidents::IncidentRequest,
    jiff::Timestamp,
    keys::{FieldName, KeyEdit, KeyId, KeyWrite, WhichVersion},
    modes::Mode,
    policy::Rate,
    tokens::TokenRotation,
    usage::UsageRequest,
};
use ibyok_operations::reviews::ReviewRequest;

use crate::error::Result;
use crate::{Drain, Listed, Step};

/// A value that was released, with its description.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// The reference of the key: `environment/name`.
    pub reference: String,
    /// The number of the version.
    pub version: u32,
    /// The mode in which the value was released: `live` or `mock`.
    pub mode: String,
    /// The key itself, or the field that was asked for.
    pub value: Secret,
}

impl Fetched {
    /// Returns true if the value is a mock, and not the key.
    #[must_use]
    pub fn is_mock(&self) -> bool {
        self.mode == "mock"
    }
}

/// The description of a token that was just issued, without its secret.
pub type IssuedToken = api::Issued<Option<()>>;

/// The verbs of a vault, the same for [`Local`](crate::Local) and [`Remote`](crate::Remote).
///
/// An answer is a [`Document`]: typed, together with its JSON, so that a program that passes an answer on also passes members of a newer
/// server. A text that names a token or an incident is its id, or the name or reference that people use for it.
///
/// # Errors
/// Every verb can return the errors of the vault and of the server. [`Remote`](crate::Remote) also returns
/// [`Error::Invalid`](crate::Error::Invalid) for a reference that has a version or a field where the verb is about a whole key.
#[async_trait]
pub trait Access: Send + Sync {
    /// Makes every later change of a key fail unless the key's current version has this number.
    fn only_if_version(&mut self, version: u32);
    /// Returns the caller's identity and rights.
    async fn whoami(&self) -> Result<Document<api::WhoAmI>>;
    /// Returns the reference of the key with this id.
    async fn find(&self, id: &KeyId) -> Result<KeyRef>;
    /// Retrieves the value of a key, or of one field of it.
    async fn retrieve(&self, key: &KeyRef) -> Result<Fetched>;
    /// Retrieves the value of the key with this id.
    async fn retrieve_by_id(&self, id: &KeyId, version: WhichVersion, field: Option<FieldName>) -> Result<Fetched>;
    /// Writes a version. With `new`, refuses a key that exists.
    async fn write(&self, key: &KeyRef, write: KeyWrite, new: bool) -> Result<Document<api::Written>>;
    /// Returns the description of a key.
    async fn show(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>>;
    /// Lists the keys that the caller may see, of one environment or of all.
    async fn list(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>>;
    /// Returns a page of the same keys with the time of their last use, where that may be known, and where the next page begins.
    async fn key_page(
        &self,
        environment: Option<&EnvironmentName>,
        after: Option<String>,
    ) -> Result<(Listed<api::KeyInfo>, Option<String>)>;
    /// Changes the description of a key.
    async fn edit(&self, key: &KeyRef, edit: KeyEdit) -> Result<Document<api::KeyInfo>>;
    /// Disables or enables a key or a version.
    async fn switch(&self, key: &KeyRef, on: bool) -> Result<Document<api::KeyInfo>>;
    /// Enables a key or a version even if it leaked, for a reason.
    async fn enable_by_force(&self, key: &KeyRef, reason: &str) -> Result<Document<api::KeyInfo>>;
    /// Sets the mode of a key. `None` applies the mode of its environment.
    async fn key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<Document<api::KeyInfo>>;
    /// Lists the mode of each environment that the caller may see.
    async fn modes(&self) -> Result<Listed<api::EnvironmentMode>>;
    /// Sets the mode of an environment.
    async fn set_mode(&self, environment: &EnvironmentName, mode: Mode) -> Result<Document<api::EnvironmentMode>>;
    /// Copies a key.
    async fn copy(&self, from: &KeyRef, to: &KeyRef, replace: bool) -> Result<Document<api::Written>>;
    /// Removes a key.
    async fn remove(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>>;
    /// Stages a version.
    async fn stage(&self, key: &KeyRef, write: KeyWrite) -> Result<Document<api::Written>>;
    /// Destroys the value of a version.
    async fn destroy(&self, key: &KeyRef, drain: Drain) -> Result<Document<api::Destroyed>>;
    /// Takes a step of the rotation of a key.
    async fn rotate(&self, key: &KeyRef, step: Step) -> Result<Document<api::KeyInfo>>;
    /// Lists the default limits of one environment or of all.
    async fn limits(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::EnvironmentLimit>>;
    /// Sets the default limit of an environment, or removes it.
    async fn set_limit(
        &self,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<Document<api::EnvironmentLimit>>;
    /// Returns the consumers of each version of a key.
    async fn rotation(&self, key: &KeyRef) -> Result<Document<api::RotationStatus>>;
    /// Returns the tasks that are due in an environment or in all.
    async fn due(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::Due>>;
    /// Issues a token. Returns its description, and the token itself.
    async fn issue(&self, request: TokenRequest) -> Result<(Document<IssuedToken>, AccessToken)>;
    /// Gives a token a new secret. Returns its description, and the secret.
    async fn rotate_token(&self, which: &str, rotation: &TokenRotation)
    -> Result<(Document<IssuedToken>, AccessToken)>;
    /// Returns the findings about the tokens that the caller may see.
    async fn review_tokens(&self) -> Result<Listed<api::TokenFinding>>;
    /// Lists the tokens that the caller may see.
    async fn tokens(&self) -> Result<Listed<api::TokenInfo>>;
    /// Lists the same tokens with the time of their last use.
    async fn tokens_with_last_use(&self) -> Result<Listed<api::TokenInfo>>;
    /// Returns the description of a token, by id, name, or `self`.
    async fn token(&self, which: &str) -> Result<Document<api::TokenInfo>>;
    /// Revokes a token.
    async fn revoke(&self, which: &str, keep_children: bool) -> Result<Document<api::RevokedToken>>;
    /// Opens an incident on a key, or adds to the one that is open.
    async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<Document<api::IncidentOpened>>;
    /// Lists the open incidents that the caller may see, and with `all` the closed ones too.
    async fn incidents(&self, all: bool) -> Result<Listed<api::Incident>>;
    /// Returns the report of an incident, by id or by its key's reference.
    async fn incident_report(&self, which: &str, since: Option<Timestamp>) -> Result<Document<api::IncidentReport>>;
    /// Closes an incident.
    async fn close_incident(
        &self,
        which: &str,
        cause: &str,
        prevention: &str,
        force: bool,
    ) -> Result<Document<api::Incident>>;
    /// Adds a note to an incident.
    async fn note_incident(&self, which: &str, text: &str) -> Result<Document<api::Incident>>;
    /// Returns a report of usage.
    async fn usage(&self, request: UsageRequest) -> Result<Document<api::UsageReport>>;
    /// Reviews the audit log.
    async fn review(&self, request: &ReviewRequest) -> Result<Document<api::Review>>;
    /// Acknowledges a finding of that review.
    async fn acknowledge(&self, request: &ReviewRequest, finding: &str, reason: &str)
    -> Result<Document<api::Finding>>;
    /// Reviews, and records that it was done.
    async fn review_done(&self, request: &ReviewRequest, reason: Option<&str>) -> Result<Document<api::Review>>;
    /// Closes the vault, so that nothing is left unwritten. Does nothing for a server.
    async fn close(&self) -> Result<()>;
}
