//! The routes of the mount: a key is a secret at `ENVIRONMENT/NAME`, and its fields are the secret's data.
//!
//! - `data`: reading, writing, changing and deleting the data of a version
//! - `documents`: a key as Vault's documents
//! - `fields`: the data of a secret as the fields of a key
//! - `versions`: deleting, undeleting and destroying versions
//! - `metadata`: lists, the facts about a secret, and its removal

mod data;
mod documents;
mod fields;
mod metadata;
mod versions;

use axum::http::StatusCode;
use ibyok_core::KeyRef;
use serde::{Deserialize, Serialize};

use super::answer::{self, done};
use super::call::{Call, Verb};
use super::duration::Period;
use super::path::{Kv, Place};
use crate::answer::Answer;
use crate::problem::Problem;
use crate::takes::Takes;

/// Answers a route about a secret.
pub(super) async fn answer(call: Call, kv: Kv, place: Place<'_>) -> Answer {
    match kv {
        Kv::Metadata => metadata::answer(call, place).await,
        Kv::Data => match call.verb {
            Verb::Read => data::read(call, place).await,
            Verb::Write => data::write(call, place).await,
            Verb::Patch => data::patch(call, place).await,
            Verb::Delete => versions::delete_latest(call, place).await,
            Verb::Head | Verb::List | Verb::Other => Err(call.refuse_method("GET, POST, PUT, PATCH, DELETE")),
        },
        Kv::Subkeys => match call.verb {
            Verb::Read => data::subkeys(call, place).await,
            _ => Err(call.refuse_method("GET")),
        },
        Kv::Delete | Kv::Undelete | Kv::Destroy => match call.verb {
            Verb::Write => versions::change(call, kv, place).await,
            _ => Err(call.refuse_method("POST, PUT")),
        },
    }
}

/// Returns the key that a path names. A caller without a valid token learns nothing about paths, so its token is checked first.
async fn key_of(call: &mut Call, place: Place<'_>) -> Result<KeyRef, Problem> {
    let problem = match place {
        Place::Key(environment, name, false) => match KeyRef::from_parts(environment, name) {
            Ok(key) => return Ok(key),
            Err(error) => error.into(),
        },
        Place::Key(_, _, true) => Problem::invalid("the path of a secret does not end with `/`"),
        Place::Root | Place::Environment(_) | Place::Deeper => {
            Problem::invalid("the path of a secret is an environment and the name of a key")
                .hint("for example `prod/openai`")
        }
    };
    call.session().await?.whoami().await?;
    // Vault knows no malformed path: a read finds nothing there.
    Err(match call.verb {
        Verb::Read | Verb::Head | Verb::List => problem.with_status(StatusCode::NOT_FOUND),
        Verb::Write | Verb::Patch | Verb::Delete | Verb::Other => problem,
    })
}

/// The settings of a mount or a secret, as a request names them. A key has none of them, so that only the usual ones are taken.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    #[serde(default)]
    max_versions: Option<u32>,
    #[serde(default)]
    cas_required: Option<bool>,
    #[serde(default)]
    delete_version_after: Option<Period>,
}

impl Settings {
    fn check(&self) -> Result<(), Problem> {
        let refused = if self.max_versions.is_some_and(|most| most != 0) {
            "max_versions must be 0: a key keeps all its versions"
        } else if self.cas_required == Some(true) {
            "cas_required must be false: a write decides by itself whether to send `cas`"
        } else if self.delete_version_after.as_ref().is_some_and(|after| !after.is_zero()) {
            "delete_version_after must be 0: the server deletes no version by itself"
        } else {
            return Ok(());
        };
        Err(Problem::invalid(refused))
    }
}

#[derive(Serialize)]
struct Config {
    max_versions: u32,
    cas_required: bool,
    delete_version_after: &'static str,
}

/// GET and POST `{mount}/config`
pub(super) async fn config(mut call: Call) -> Answer {
    match call.verb {
        Verb::Read => {
            call.session().await?.whoami().await?;
            let config = Config {
                max_versions: 0,
                cas_required: false,
                delete_version_after: "0s",
            };
            answer::ok(&call.id, config)
        }
        Verb::Write => {
            let takes = Takes::words(ibyok_core::audit::Action::KeyEdit, ibyok_core::Scope::SettingsWrite);
            let session = call.sender(takes.0, None).await?;
            session.whoami().await?;
            let (_, _, _, body) = call.body().await?;
            let takes = "the body accepts max_versions, cas_required and delete_version_after";
            body.parse_or_default::<Settings>(takes)?.check()?;
            Ok(done())
        }
        _ => Err(call.refuse_method("GET, POST, PUT")),
    }
}
