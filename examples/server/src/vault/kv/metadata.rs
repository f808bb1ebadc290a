//! Lists of secrets, the facts about one, and its removal.

use std::collections::{BTreeMap, BTreeSet};

use ibyok_core::audit::Action;
use ibyok_core::keys::{KeyEdit, KeyInfo};
use ibyok_core::pages::PageRequest;
use ibyok_core::{EnvironmentName, Error, Scope, Session};
use serde::{Deserialize, Serialize};

use super::documents::{RESERVED, Secret};
use super::{Settings, key_of};
use crate::answer::Answer;
use crate::problem::Problem;
use crate::takes::Takes;
use crate::vault::answer::{Envelope, done, ok};
use crate::vault::call::{Call, Verb};
use crate::vault::duration::Period;
use crate::vault::path::Place;

const TAKES: &str = "the body accepts custom_metadata, max_versions, cas_required and delete_version_after";

/// The keys of a page while a whole list is read.
const PAGE: usize = 1000;

/// Answers `{mount}/metadata/{path}`.
pub(super) async fn answer(call: Call, place: Place<'_>) -> Answer {
    let is_list = call.verb == Verb::Read && call.query(&["list"])?.flag("list")?;
    match call.verb {
        Verb::List => list(call, place).await,
        Verb::Read if is_list => list(call, place).await,
        Verb::Read => show(call, place).await,
        Verb::Write | Verb::Patch => edit(call, place).await,
        Verb::Delete => remove(call, place).await,
        Verb::Head | Verb::Other => Err(call.refuse_method("GET, LIST, POST, PUT, PATCH, DELETE")),
    }
}

#[derive(Serialize)]
struct Keys {
    keys: Vec<String>,
}

/// LIST `{mount}/metadata/{path}`: environments as folders, and the keys of one.
async fn list(mut call: Call, place: Place<'_>) -> Answer {
    let session = call.session().await?;
    let (keys, warnings) = match place {
        Place::Root => (environments(&session).await?, Vec::new()),
        Place::Environment(name) => names(&session, &name.parse()?).await?,
        // A key has nothing below it.
        Place::Key(..) | Place::Deeper => {
            session.whoami().await?;
            (Vec::new(), Vec::new())
        }
    };
    if keys.is_empty() {
        return Err(Error::NotFound {
            what: "secret at this path".to_owned(),
            hint: None,
        }
        .into());
    }
    Envelope::of(&call.id, Keys { keys }).warnings(warnings).ok()
}

/// The environments that the caller reaches, as folders.
async fn environments(session: &Session) -> Result<Vec<String>, Problem> {
    // The decision about the list, and its line on the log.
    session.keys().list(None, &PageRequest::default().limit(1)).await?;
    let reached = session.environments().reached().await?;
    Ok(reached.iter().map(|name| format!("{name}/")).collect())
}

/// The names of an environment's keys, as far as the caller may see them.
async fn names(session: &Session, environment: &EnvironmentName) -> Result<(Vec<String>, Vec<String>), Problem> {
    let mut names = BTreeSet::new();
    let mut damaged = false;
    let mut request = Some(PageRequest::default().limit(PAGE));
    while let Some(asked) = request.take() {
        let page = session.keys().list(Some(environment), &asked).await?;
        damaged |= page.incomplete || !page.damaged.is_empty();
        names.extend(page.items.iter().map(|key| key.name.to_string()));
        request = asked.following(&page);
    }
    let warning = damaged.then(|| "damaged records may hide keys of this list".to_owned());
    Ok((names.into_iter().collect(), warning.into_iter().collect()))
}

/// GET `{mount}/metadata/{path}`
async fn show(mut call: Call, place: Place<'_>) -> Answer {
    let key = key_of(&mut call, place).await?;
    let session = call.session().await?;
    let info = session.keys().show(&key).await?;
    ok(&call.id, Secret::from(&info))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    #[serde(default)]
    custom_metadata: Option<BTreeMap<String, Option<String>>>,
    #[serde(default)]
    max_versions: Option<u32>,
    #[serde(default)]
    cas_required: Option<bool>,
    #[serde(default)]
    delete_version_after: Option<Period>,
}

/// POST, PUT and PATCH `{mount}/metadata/{path}`: the custom metadata are the key's labels. PATCH keeps those that it does not name.
async fn edit(mut call: Call, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let takes = Takes::words(Action::KeyEdit, Scope::KeysWrite);
    let session = call.sender(takes.0, Some(&key)).await?;
    let (_, verb, _, body) = call.body().await?;
    let sent = body.parse::<Edit>(TAKES)?;
    let settings = Settings {
        max_versions: sent.max_versions,
        cas_required: sent.cas_required,
        delete_version_after: sent.delete_version_after,
    };
    settings.check()?;
    let custom = sent.custom_metadata;
    let edit = match (custom, verb) {
        (None, _) => KeyEdit::default(),
        (Some(custom), Verb::Patch) if !custom.keys().any(|name| FIXED.contains(&name.as_str())) => {
            changed(custom, None)?
        }
        (Some(custom), verb) => {
            let info = session.keys().show(&key).await.map_err(absent)?;
            refuse_other_facts(&custom, &info)?;
            changed(custom, Some(&info).filter(|_| verb != Verb::Patch))?
        }
    };
    session.keys().edit(&key, &edit).await.map_err(absent)?;
    Ok(done())
}

/// The facts of a key that a client may send back as it read them, and that are changed elsewhere.
const FIXED: [&str; 2] = ["key_id", "mode"];

fn absent(error: Error) -> Problem {
    match error {
        Error::NotFound { .. } => Problem::invalid("there is no such secret").hint("write its data first"),
        other => other.into(),
    }
}

/// Refuses another mode or id than the key has: the client would believe that it changed them.
fn refuse_other_facts(custom: &BTreeMap<String, Option<String>>, info: &KeyInfo) -> Result<(), Problem> {
    let sent = |name: &str| custom.get(name).and_then(Option::as_deref);
    let is_other_id = sent("key_id").is_some_and(|id| id != info.id.to_string());
    let is_other_mode = sent("mode").is_some_and(|mode| info.mode.is_none_or(|found| found.as_str() != mode));
    if is_other_id || is_other_mode {
        return Err(Problem::invalid("custom_metadata cannot change key_id and mode")
            .hint("change the mode with `ibyok keys mode`, or leave both out"));
    }
    Ok(())
}

/// Makes the edit. With a key, the labels that the request does not name go.
fn changed(custom: BTreeMap<String, Option<String>>, replaced: Option<&KeyInfo>) -> Result<KeyEdit, Problem> {
    let mut edit = KeyEdit::default();
    let labels = replaced.into_iter().flat_map(|key| key.labels.keys());
    for gone in labels.filter(|name| !RESERVED.contains(&name.as_str()) && !custom.contains_key(*name)) {
        edit = edit.remove_label(gone.clone());
    }
    for (name, value) in custom {
        edit = match (name.as_str(), value) {
            ("provider", provider) => edit.provider(provider.unwrap_or_default()),
            // A client that changes one label sends back the others as it read them.
            ("key_id" | "mode", Some(_)) => edit,
            ("key_id" | "mode", None) => {
                return Err(Problem::invalid("custom_metadata cannot remove key_id and mode"));
            }
            (_, Some(value)) => edit.label(name, value),
            (_, None) => edit.remove_label(name),
        };
    }
    Ok(edit)
}

/// DELETE `{mount}/metadata/{path}`: removes the key with all its versions.
async fn remove(mut call: Call, place: Place<'_>) -> Answer {
    call.query(&[])?;
    let key = key_of(&mut call, place).await?;
    let session = call.session().await?;
    match session.keys().remove(&key).await {
        Ok(_) | Err(Error::NotFound { .. }) => Ok(done()),
        Err(error) => Err(error.into()),
    }
}
