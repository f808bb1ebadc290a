//! The data of a secret: reading, writing, and changing parts of it.

use ibyok_core::audit::Action;
use ibyok_core::keys::{Condition, FieldName, WhichVersion, Written};
use ibyok_core::modes::Mode;
use ibyok_core::secrecy::ExposeSecret;
use ibyok_core::{Code, Error, KeyRef, Released, Scope, Secret, Session};
use serde::Deserialize;

use super::documents::{Data, Deleted, Metadata, Subkeys, shown};
use super::fields::{Object, Secrets, field, key_write, secret, secrets};
use super::key_of;
use crate::answer::Answer;
use crate::problem::Problem;
use crate::query::Query;
use crate::takes::Takes;
use crate::vault::answer::{Envelope, ok};
use crate::vault::call::Call;
use crate::vault::path::Place;

const TAKES: &str = "the body accepts data, and options with cas";

/// Vault's own words for a write on a condition that does not hold.
const OTHER_VERSION: &str = "check-and-set parameter did not match the current version";

/// The number of times that a change of parts is tried on the newest version.
const TRIES: usize = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Write<'a> {
    #[serde(default, borrow)]
    data: Option<Object<'a>>,
    #[serde(default)]
    options: Option<Options>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Options {
    #[serde(default)]
    cas: Option<u32>,
}

impl<'a> Write<'a> {
    fn parts(self) -> Result<(Object<'a>, Option<u32>), Problem> {
        let data = self.data.ok_or_else(|| Problem::invalid("no data provided"))?;
        Ok((data, self.options.unwrap_or_default().cas))
    }
}

/// GET `{mount}/data/{path}`
pub(super) async fn read(mut call: Call, place: Place<'_>) -> Answer {
    let version = version(&call.query(&["version"])?)?;
    let key = key_of(&mut call, place).await?.at_version(version);
    let session = call.session().await?;
    match session.retrieve(&key).await {
        Ok(released) => {
            let labels = session.keys().labels_of(&released);
            ok(&call.id, Data::of(&released, labels))
        }
        Err(error) => withheld(&call.id, &session, &key, error).await,
    }
}

/// Returns the version that a query names. `0` is the current one.
fn version(query: &Query) -> Result<WhichVersion, Problem> {
    match query.get("version") {
        None | Some("" | "0") => Ok(WhichVersion::Current),
        Some(_) => Ok(query.number("version")?.into()),
    }
}

/// Answers for a version that the vault withholds: 404, with the metadata of the version. Any other error stays one.
async fn withheld(id: &str, session: &Session, key: &KeyRef, error: Error) -> Answer {
    if !matches!(error.code(), Code::VersionDisabled | Code::VersionDestroyed) {
        return Err(error.into());
    }
    match session.keys().withheld(key).await? {
        Some(withheld) => Envelope::of(id, Deleted::from(withheld)).deleted(),
        None => Err(error.into()),
    }
}

/// GET `{mount}/subkeys/{path}`
pub(super) async fn subkeys(mut call: Call, place: Place<'_>) -> Answer {
    let query = call.query(&["version", "depth"])?;
    let version = version(&query)?;
    if query.get("depth") != Some("0") {
        // The data of a key has no depth; a number is read and means nothing.
        query.number("depth")?;
    }
    let key = key_of(&mut call, place).await?;
    let session = call.session().await?;
    let info = session.keys().show(&key.clone().at_version(version)).await?;
    let number = version.number().or(info.version);
    let mut versions = info.versions.iter();
    let shown = versions.find(|version| Some(version.version) == number);
    let none = || {
        Problem::from(Error::NotFound {
            what: "version of the key".to_owned(),
            hint: None,
        })
    };
    let envelope = Envelope::of(&call.id, Subkeys::of(&info, shown.ok_or_else(none)?));
    match envelope.data.as_ref().is_some_and(Subkeys::is_deleted) {
        true => envelope.deleted(),
        false => envelope.ok(),
    }
}

/// POST and PUT `{mount}/data/{path}`
pub(super) async fn write(mut call: Call, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let takes = Takes::value(Action::KeySet, Scope::KeysWrite);
    let session = call.sender(takes.0, Some(&key)).await?;
    let (_, _, id, body) = call.body().await?;
    let (data, cas) = body.parse::<Write<'_>>(TAKES)?.parts()?;
    let write = key_write(secrets(data)?, None)?;
    drop(body);
    let written = match cas {
        None => session.keys().set(&key, write).await,
        Some(0) => session.keys().add(&key, write).await,
        Some(version) => {
            let session = session.only_if(Condition::Version(version));
            session.keys().set(&key, write).await
        }
    };
    answer_written(&id, written)
}

fn answer_written(id: &str, written: Result<Written, Error>) -> Answer {
    let written = written.map_err(|error| match error {
        Error::Exists { .. } | Error::Precondition { .. } => Problem::invalid(OTHER_VERSION),
        other => Problem::from(other),
    })?;
    let envelope = Envelope::of(id, Metadata::from(&written));
    envelope.warnings(written.warnings.clone()).ok()
}

/// PATCH `{mount}/data/{path}`: a merge patch (RFC 7396) of the current data. It needs the right to read the key.
pub(super) async fn patch(mut call: Call, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let takes = Takes::value(Action::KeySet, Scope::KeysWrite);
    let session = call.sender(takes.0, Some(&key)).await?;
    let (_, _, id, body) = call.body().await?;
    let (data, cas) = body.parse::<Write<'_>>(TAKES)?.parts()?;
    if cas == Some(0) {
        return Err(Problem::invalid(
            "a patch changes a secret that exists: `cas` must be greater than 0",
        ));
    }
    let changes = changes(&data)?;
    for _ in 0..TRIES {
        let released = match session.retrieve(&key).await {
            Ok(released) => released,
            Err(error) => return withheld(&id, &session, &key, error).await,
        };
        let current = released.info().version;
        if cas.is_some_and(|cas| cas != current) {
            return Err(Problem::invalid(OTHER_VERSION));
        }
        let write = patched(&released, &changes)?;
        let on_current = session.clone().only_if(Condition::Version(current));
        match on_current.keys().set(&key, write).await {
            // Somebody wrote a version in between, and the patch is for the newest.
            Err(Error::Precondition { .. }) if cas.is_none() => {}
            written => return answer_written(&id, written),
        }
    }
    Err(Problem::invalid(
        "too many concurrent changes to this secret: try again",
    ))
}

/// The changes of a patch: a secret for each name, or none where the name goes.
type Changes = Vec<(FieldName, Option<Secret>)>;

fn changes(data: &Object<'_>) -> Result<Changes, Problem> {
    let read = data.0.iter().map(|(name, raw)| {
        let secret = match raw.is_null() {
            true => None,
            false => Some(secret(raw)?),
        };
        Ok((field(name)?, secret))
    });
    read.collect()
}

/// Makes the write of a patched version.
fn patched(released: &Released, changes: &Changes) -> Result<ibyok_core::keys::KeyWrite, Problem> {
    let info = released.info();
    if info.mode != Mode::Live {
        let detail = "this node serves the key as a mock, and a patch would store the mock";
        return Err(Problem::invalid(detail).hint("write the whole data, or set the mode of the key to live"));
    }
    let value_name = info.value_name.as_ref();
    let mut merged = Secrets::new();
    for (name, secret) in released.fields() {
        merged.insert(field(shown(name, value_name))?, copy(secret));
    }
    for (name, change) in changes {
        match change {
            Some(secret) => merged.insert(name.clone(), copy(secret)),
            None => merged.remove(name),
        };
    }
    key_write(merged, value_name)
}

fn copy(secret: &Secret) -> Secret {
    Secret::copy_of(secret.expose_secret())
}
