//! Opens the vault or the server that flags and variables name.

pub(crate) use ibyok_access::{Access, Drain, Fetched, IssuedToken, KeyArgument, Listed, Local as Here, Step};
use ibyok_access::{Note, Remote};
use ibyok_client::Client;
use ibyok_core::Namespace;
use ibyok_core::secrecy::SecretString;
use ibyok_settings::{Passphrase, announced_token, operator_name};
use serde::Serialize;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::globals::{Environment, Globals};
use crate::identity::{Place, Who, is_by_token, place, who_here};
use crate::io::Io;

/// Opens the vault or the server that flags and variables name, as the caller that they name. Prints a note if that is
/// not the operator.
///
/// # Errors
/// [`Error::Usage`] and [`Error::NoToken`] for flags that exclude each other, and the errors of opening the vault.
pub(crate) async fn open(globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Box<dyn Access>> {
    match place(globals, environment)? {
        Place::Server { url, why } => {
            let insecure_http = allows_insecure_http(globals, environment)?;
            let client = |token| Client::builder(&url, token).allow_insecure_http(insecure_http);
            // An address that no token is sent to needs none, and starts no command that gives one.
            client(SecretString::default()).check_address()?;
            let (token, _) = announced_token(environment)?;
            let client = client(SecretString::from(token.expose()))
                .user_agent(concat!("ibyok/", env!("CARGO_PKG_VERSION")))
                .build()?;
            let namespace = globals
                .namespace
                .as_ref()
                .or_else(|| environment.get("IBYOK_NAMESPACE"));
            Ok(Box::new(Remote::new(client, why, namespace.cloned())))
        }
        Place::Here => Ok(Box::new(open_here(globals, environment, io).await?)),
    }
}

/// Returns true if a client may send a token in the clear to another machine.
fn allows_insecure_http(globals: &Globals, environment: &Environment) -> Result<bool> {
    if globals.insecure_http {
        return Ok(true);
    }
    let value = environment.get("IBYOK_INSECURE_HTTP");
    match value.map(|value| value.to_ascii_lowercase()).as_deref() {
        Some("1" | "true" | "yes") => Ok(true),
        None | Some("" | "0" | "false" | "no") => Ok(false),
        Some(_) => Err(Error::usage(
            "IBYOK_INSECURE_HTTP is neither `true` nor `false`",
            "set it to `true` or `false`",
        )),
    }
}

/// Opens the local vault, for commands that work only there.
///
/// # Errors
/// [`Error::Usage`] if a server is named; else as [`open`].
pub(crate) async fn here(verb: &str, globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Here> {
    only_here(verb, globals, environment)?;
    open_here(globals, environment, io).await
}

/// Opens the local vault, and rebuilds its floors from the records that are there.
///
/// # Errors
/// As [`here()`].
pub(crate) async fn here_rebuilding(verb: &str, globals: &Globals, environment: &Environment) -> Result<Here> {
    only_here(verb, globals, environment)?;
    local(globals, environment, who_here(globals, environment)?, true).await
}

/// Refuses flags and variables that name a server.
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

/// Refuses flags and variables that name a server, and a caller that acts by an access token: the verb is the operator's.
///
/// # Errors
/// [`Error::Usage`], and `denied` for a token, also for an empty one.
pub(crate) fn only_operator(verb: &str, globals: &Globals, environment: &Environment) -> Result<()> {
    only_here(verb, globals, environment)?;
    if is_by_token(globals, environment) {
        return Err(Error::Vault(ibyok_core::Error::Denied {
            limit: "scope",
            reason: format!("only an operator of the vault may `{verb}`"),
        }));
    }
    Ok(())
}

async fn open_here(globals: &Globals, environment: &Environment, io: &mut Io) -> Result<Here> {
    let who = who_here(globals, environment)?;
    if let Who::Token(_, why) = &who {
        io.say(&format!(
            "acting as the holder of the access token in {why}, not as the operator"
        ));
    }
    let here = local(globals, environment, who, false).await?;
    if let Some(behind) = here.vault().store_behind() {
        io.warn(&format!("warning: {}", crate::remedy::of_behind(&behind)));
    }
    Ok(here)
}

async fn local(globals: &Globals, environment: &Environment, who: Who, rebuild: bool) -> Result<Here> {
    let mut settings = crate::settings::resolve(globals, environment)?;
    settings.one_command = true;
    let ask = crate::settings::ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let vault = match rebuild {
        true => settings.open_rebuilding_floors(&operator_name(), ask).await?,
        false => settings.open(&operator_name(), ask).await?,
    };
    let namespace: Namespace = settings.namespace.clone();
    let here = match who {
        Who::Operator(name) => Here::operator(vault, name, namespace)?,
        Who::Token(token, why) => Here::holder(vault, &token, why, namespace).await?,
    };
    Ok(here.with_review_habits(settings.review))
}

/// Returns the JSON document that `--json` prints for a thing.
pub(crate) fn document_of(thing: &impl Serialize) -> Result<Value> {
    Ok(ibyok_access::document_of(thing)?)
}

/// Returns a function that prints the notes of a verb.
pub(crate) fn notes(io: &mut Io) -> impl FnMut(Note) {
    |note| io.note(&note)
}
