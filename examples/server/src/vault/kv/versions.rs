//! Deleting, undeleting and destroying versions. Vault's deletion is the vault's disabling, so that a deleted version can return.

use ibyok_core::audit::Action;
use ibyok_core::keys::KeyInfo;
use ibyok_core::rotation::DrainRequest;
use ibyok_core::{Error, KeyRef, Scope, Session};
use serde::Deserialize;

use super::key_of;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::takes::Takes;
use crate::vault::answer::done;
use crate::vault::call::Call;
use crate::vault::path::{Kv, Place};

const TAKES: &str = "the body accepts versions, a list of numbers";

/// The most versions of one request: each is a change of its own.
const MOST: usize = 64;

/// The reason on the audit log: a client of Vault cannot give one.
const REASON: &str = "a client of the Vault interface destroys this version";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Versions {
    #[serde(default)]
    versions: Vec<Number>,
}

/// The number of a version. The command line of Vault sends it as text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u32),
    Text(String),
}

impl Number {
    fn get(&self) -> Result<u32, Problem> {
        let number = match self {
            Number::Number(number) => Some(*number),
            Number::Text(text) => text.parse().ok(),
        };
        let wrong = || Problem::invalid("versions contains a text that is not a number of at least 1");
        number.filter(|number| *number > 0).ok_or_else(wrong)
    }
}

/// DELETE `{mount}/data/{path}`
pub(super) async fn delete_latest(mut call: Call, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let session = call.session().await?;
    unless_absent(session.keys().disable_current(&key).await)?;
    Ok(done())
}

/// POST and PUT `{mount}/delete|undelete|destroy/{path}`
pub(super) async fn change(mut call: Call, kv: Kv, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let takes = match kv {
        Kv::Destroy => Takes::words(Action::KeyDestroy, Scope::KeysDestroy),
        Kv::Undelete => Takes::words(Action::KeyEnable, Scope::KeysWrite),
        Kv::Delete | Kv::Data | Kv::Metadata | Kv::Subkeys => Takes::words(Action::KeyDisable, Scope::KeysWrite),
    };
    let session = call.sender(takes.0, Some(&key)).await?;
    let (_, _, _, body) = call.body().await?;
    let numbers = body.parse::<Versions>(TAKES)?.versions;
    if numbers.is_empty() {
        return Err(Problem::invalid("no version number provided"));
    }
    if numbers.len() > MOST {
        return Err(Problem::invalid("versions contains more than 64 numbers").hint("send several requests"));
    }
    // All numbers are read before anything changes.
    let mut numbers: Vec<u32> = numbers.iter().map(Number::get).collect::<Result<_, _>>()?;
    // The highest first: if the vault refuses one, it is the current version, and then nothing has changed yet.
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    numbers.dedup();
    for number in numbers {
        let version = key.clone().at_version(number);
        unless_absent(match kv {
            Kv::Destroy => destroy(&session, &version).await,
            Kv::Undelete => session.keys().enable(&version).await,
            Kv::Delete | Kv::Data | Kv::Metadata | Kv::Subkeys => session.keys().disable(&version).await,
        })
        .map_err(|problem| explained(problem, kv))?;
    }
    Ok(done())
}

async fn destroy(session: &Session, version: &KeyRef) -> Result<KeyInfo, Error> {
    let request = DrainRequest::default().force(REASON);
    Ok(session.rotation().destroy(version, &request).await?.key)
}

/// Vault answers alike for a version that is not there: there is nothing to take away.
fn unless_absent(changed: Result<KeyInfo, Error>) -> Result<(), Problem> {
    match changed {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Gives the refusals that Vault does not know in words that name the way out.
fn explained(problem: Problem, kv: Kv) -> Problem {
    match (kv, problem.code()) {
        (Kv::Destroy, "in_use") => Problem::invalid("the vault does not destroy the current version of a key")
            .hint("write a new version first, or delete the metadata to remove the key with all its versions"),
        (Kv::Undelete, "version_destroyed" | "version_disabled") => {
            Problem::invalid("a destroyed or retired version cannot be undeleted").hint("write a new version")
        }
        _ => problem,
    }
}
