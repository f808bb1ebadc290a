//! The verbs that work the same on the vault here and on a server.

mod here;
mod listed;
mod sent;
mod server;
mod step;

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

pub(crate) use here::{Here, document as document_of, fetched};
pub(crate) use listed::{Listed, line as damaged_line};
pub(crate) use server::Server;
pub(crate) use step::{Drain, Step};

use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};
use crate::identity::{Place, Who, place, token, who_here};
use crate::io::Io;

/// A value that was released.
pub(crate) struct Fetched {
    /// `environment/name`.
    pub(crate) reference: String,
    /// The version.
    pub(crate) version: u32,
    /// `live` or `mock`.
    pub(crate) mode: String,
    /// The key itself, or the field that was asked for.
    pub(crate) value: Secret,
}

/// A token that was just issued, without its secret.
pub(crate) type IssuedToken = api::Issued<Option<()>>;

/// Answers are documents: typed, with the JSON that `--json` prints, so that members of a newer server are printed as well.
#[async_trait(?Send)]
pub(crate) trait Access {
    /// Changes a key from now on only while its current version has this number.
    fn only_if_version(&mut self, version: u32);
    /// Returns the caller's identity and rights.
    async fn whoami(&self) -> Result<Document<api::WhoAmI>>;
    /// The reference for a bare key id.
    async fn find(&self, id: &KeyId) -> Result<KeyRef>;
    /// Retrieves a value.
    async fn retrieve(&self, key: &KeyRef) -> Result<Fetched>;
    /// Retrieves the value of a bare key id.
    async fn retrieve_by_id(&self, id: &KeyId, version: WhichVersion, field: Option<FieldName>) -> Result<Fetched>;
    /// Writes a version; `new` refuses a key that exists.
    async fn write(&self, key: &KeyRef, write: KeyWrite, new: bool) -> Result<Document<api::Written>>;
    /// Returns the description of a key.
    async fn show(&self, key: &KeyRef) -> Result<Document<api::KeyInfo>>;
    /// Every key that may be seen, of one environment or of all.
    async fn list(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>>;
    /// The same keys with the time of their last use, where that may be known.
    async fn list_with_last_use(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::KeyInfo>>;
    /// Changes the description of a key.
    async fn edit(&self, key: &KeyRef, edit: KeyEdit) -> Result<Document<api::KeyInfo>>;
    /// Disables or enables a key or a version.
    async fn switch(&self, key: &KeyRef, on: bool) -> Result<Document<api::KeyInfo>>;
    /// Enables a key or a version although it leaked, for a reason.
    async fn enable_by_force(&self, key: &KeyRef, reason: &str) -> Result<Document<api::KeyInfo>>;
    /// Sets the mode of a key, or with `None` gives it back its environment's.
    async fn key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<Document<api::KeyInfo>>;
    /// The mode of each environment that may be seen.
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
    /// Takes a step of a rotation.
    async fn rotate(&self, key: &KeyRef, step: Step) -> Result<Document<api::KeyInfo>>;
    /// The default limits of one environment or of all.
    async fn limits(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::EnvironmentLimit>>;
    /// Sets the default limit of an environment, or takes it away.
    async fn set_limit(
        &self,
        environment: &EnvironmentName,
        limit: Option<Rate>,
    ) -> Result<Document<api::EnvironmentLimit>>;
    /// Returns the consumers of each version of a key.
    async fn rotation(&self, key: &KeyRef) -> Result<Document<api::RotationStatus>>;
    /// Returns the tasks that are due in an environment or in all.
    async fn due(&self, environment: Option<&EnvironmentName>) -> Result<Listed<api::Due>>;
    /// Issues a token: its description, and the token itself.
    async fn issue(&self, request: TokenRequest) -> Result<(Document<IssuedToken>, AccessToken)>;
    /// Gives a token a new secret: its description, and the secret.
    async fn rotate_token(&self, which: &str, rotation: &TokenRotation)
    -> Result<(Document<IssuedToken>, AccessToken)>;
    /// Returns the findings about the tokens that the caller may see.
    async fn review_tokens(&self) -> Result<Listed<api::TokenFinding>>;
    /// Every token that may be seen.
    async fn tokens(&self) -> Result<Listed<api::TokenInfo>>;
    /// The same tokens with the time of their last use.
    async fn tokens_with_last_use(&self) -> Result<Listed<api::TokenInfo>>;
    /// Returns the description of a token, by id, name, or `self`.
    async fn token(&self, which: &str) -> Result<Document<api::TokenInfo>>;
    /// Revokes a token.
    async fn revoke(&self, which: &str, keep_children: bool) -> Result<Document<api::RevokedToken>>;
    /// Opens an incident on a key, or adds to the one that is open.
    async fn open_incident(&self, key: &KeyRef, request: IncidentRequest) -> Result<Document<api::IncidentOpened>>;
    /// The incidents that may be seen; those that are closed as well if `all` is set.
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
    /// Leaves nothing unwritten.
    async fn close(&self) -> Result<()>;
}

/// The way in that flags and variables say, as whom they say. Says on standard error when it is not the operator's.
///
/// # Errors
/// [`Error::Usage`] and [`Error::NoToken`] where the flags make no sense, and the errors of opening the vault.
pub(crate) async fn open(globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Box<dyn Access>> {
    match place(globals, environment)? {
        Place::Server { url, why } => {
            let insecure_http = allows_insecure_http(globals, environment)?;
            // An address that no token is sent to needs none, and starts no command that gives one.
            Server::check(&url, insecure_http)?;
            let (token, _) = token(environment)?;
            let namespace = globals
                .namespace
                .as_ref()
                .or_else(|| environment.get("IBYOK_NAMESPACE"));
            let server = Server::new(&url, &token, why, namespace.cloned(), insecure_http)?;
            Ok(Box::new(server))
        }
        Place::Here => Ok(Box::new(open_here(globals, environment, io).await?)),
    }
}

/// Returns true if a client may send a token in the clear to another machine.
fn allows_insecure_http(globals: &Globals, environment: &Environment) -> Result<bool> {
    if globals.insecure_http {
        return Ok(true);
    }
    match environment
        .get("IBYOK_INSECURE_HTTP")
        .map(|value| value.to_ascii_lowercase())
        .as_deref()
    {
        Some("1" | "true" | "yes") => Ok(true),
        None | Some("" | "0" | "false" | "no") => Ok(false),
        Some(_) => Err(Error::usage(
            "IBYOK_INSECURE_HTTP is neither `true` nor `false`",
            "set it to `true` or `false`",
        )),
    }
}

/// The local vault, for commands that work only there.
///
/// # Errors
/// [`Error::Usage`] where a server is named; else as [`open`].
pub(crate) async fn here(verb: &str, globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Here> {
    only_here(verb, globals, environment)?;
    open_here(globals, environment, io).await
}

/// Opens the vault here, with its floors rebuilt from the records that are there.
///
/// # Errors
/// As [`here()`].
pub(crate) async fn here_rebuilding(verb: &str, globals: &Globals, environment: &Environment) -> Result<Here> {
    only_here(verb, globals, environment)?;
    Here::open_as(globals, environment, who_here(globals, environment)?, true).await
}

/// Refuses where a server is named.
///
/// # Errors
/// [`Error::Usage`].
pub(crate) fn only_here(verb: &str, globals: &Globals, environment: &Environment) -> Result<()> {
    match place(globals, environment)? {
        Place::Here => Ok(()),
        Place::Server { why, .. } => Err(Error::usage(
            format!("`{verb}` works only on a local vault, but {why} names a server"),
            "run the command on the server's machine, or give `--vault`",
        )),
    }
}

async fn open_here(globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Here> {
    let who = who_here(globals, environment)?;
    if let Who::Token(_, why) = &who {
        io.say(&format!(
            "acting as the holder of the access token in {why}, not as the operator"
        ));
    }
    let here = Here::open(globals, environment, who).await?;
    if let Some(behind) = here.vault.store_behind() {
        io.warn(&format!("warning: {}", crate::remedy::of_behind(&behind)));
    }
    Ok(here)
}

/// Refuses where a token belongs to another namespace than the one that was asked for.
///
/// # Errors
/// The vault's `denied`.
fn same_namespace(own: &str, asked: &str) -> Result<()> {
    if own == asked {
        return Ok(());
    }
    Err(Error::Vault(ibyok_core::Error::Denied {
        limit: "namespace",
        reason: format!("the token belongs to the namespace `{own}`"),
    }))
}

/// The key that a command is about: a reference, or a bare id.
#[derive(Clone, Debug)]
pub(crate) enum KeyArgument {
    /// `env/name`, `ibyok://…`
    Reference(KeyRef),
    /// `key_…`
    Id(KeyId),
}

impl std::str::FromStr for KeyArgument {
    type Err = ibyok_core::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(id) = text.parse() {
            return Ok(KeyArgument::Id(id));
        }
        text.parse().map(KeyArgument::Reference)
    }
}

impl KeyArgument {
    /// The reference itself.
    ///
    /// # Errors
    /// As [`Access::find`].
    pub(crate) async fn resolve(&self, access: &dyn Access) -> Result<KeyRef> {
        match self {
            KeyArgument::Reference(key) => Ok(key.clone()),
            KeyArgument::Id(id) => access.find(id).await,
        }
    }

    /// Its value, of the given version and field, if there are any.
    ///
    /// # Errors
    /// As [`Access::retrieve`].
    pub(crate) async fn retrieve(
        &self,
        access: &dyn Access,
        version: Option<WhichVersion>,
        field: Option<FieldName>,
    ) -> Result<Fetched> {
        match self {
            KeyArgument::Reference(key) => {
                let version = version.unwrap_or(key.version());
                let field = field.or_else(|| key.field().cloned());
                access
                    .retrieve(&key.clone().at_version(version).with_field(field))
                    .await
            }
            KeyArgument::Id(id) => access.retrieve_by_id(id, version.unwrap_or_default(), field).await,
        }
    }
}
