//! Keys, but for their values.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{delete, get, patch, put};
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::Scope;
use ibyok_core::audit::Action;
use ibyok_core::{
    EnvironmentName, Error, KeyRef, Secret, Session,
    keys::{FieldName, Interval, KeyEdit, KeyWrite, WhichVersion},
};
use ibyok_documents::{Documented, rate};
use serde::Deserialize;

use super::{key_ref, page};
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::{Changing, tag};
use crate::json::Raw;
use crate::openapi::{AFTER, ENVIRONMENT, LAST_USE, LIMIT, Operation, Parameter, VERSION};
use crate::problem::Problem;
use crate::query::Query;
use crate::route::Route;
use crate::takes::Takes;

pub(crate) const SET_TAKES: &str = "the body accepts one of value, value_base64 and fields, and provider, variable, labels, limit, rotate_every, expires_at, force and reason";
const EDIT_TAKES: &str = "the body accepts provider, variable, labels, limit, rotate_every and expires_at";

/// The request that writes a value, as JSON has it.
pub(super) type Write = api::KeyWrite<String, schema::Field>;

pub(super) fn routes() -> Vec<Route> {
    vec![list_route(), key_route()]
}

fn list_route() -> Route {
    let list = Operation::new("listKeys", "List the keys that the token may see")
        .needs("Scope: keys:list")
        .takes(ENVIRONMENT)
        .takes(LIMIT)
        .takes(AFTER)
        .takes(LAST_USE)
        .answers::<api::Page<api::KeyInfo>>(200, "A page");
    Route::at("/api/v1/keys").on(Method::GET, get(self::list), list)
}

fn key_route() -> Route {
    let show = Operation::new("showKey", "Show a key without its value")
        .needs("Scope: keys:list")
        .takes(VERSION)
        .tagged()
        .answers::<api::KeyInfo>(200, "The key");
    let set = Operation::new("setKey", "Create a key or make a new current version")
        .needs("Scope: keys:write")
        .takes(Parameter::IF_ABSENT)
        .conditional()
        .body::<Write>()
        .answers::<api::Written>(200, "A new version")
        .answers::<api::Written>(201, "A new key");
    let edit = Operation::new("editKey", "Change a key's settings")
        .needs("Scope: keys:write")
        .conditional()
        .body::<api::KeyEdit>()
        .answers::<api::KeyInfo>(200, "The key");
    let remove = Operation::new("removeKey", "Remove a key with all its versions")
        .needs("Scope: keys:destroy")
        .conditional()
        .answers::<api::KeyInfo>(200, "The key before its removal");
    let takes_value = Takes::value(Action::KeySet, Scope::KeysWrite);
    let takes_words = Takes::words(Action::KeyEdit, Scope::KeysWrite);
    Route::at("/api/v1/keys/{env}/{name}")
        .on(Method::GET, get(self::show), show)
        .on(Method::PUT, put(self::set).layer(takes_value), set)
        .on(Method::PATCH, patch(self::edit).layer(takes_words), edit)
        .on(Method::DELETE, delete(self::remove), remove)
}

/// GET `/api/v1/keys`
async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env", "limit", "after", "last_use"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    let request = page(&query)?.last_use(query.flag("last_use")?);
    ok(&session.keys().list(environment.as_ref(), &request).await?.document())
}

/// GET `/api/v1/keys/{env}/{name}`
async fn show(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    let version: WhichVersion = Query::parse(query.as_deref(), &["version"])?
        .parsed("version")?
        .unwrap_or_default();
    let key = path.key(&session).await?;
    let shown = session.keys().show(&key.at_version(version)).await?;
    let tag = tag(shown.revision);
    let mut answer = ok(&shown.document())?;
    answer.headers_mut().insert(ETAG, tag);
    Ok(answer)
}

/// PUT `/api/v1/keys/{env}/{name}`
async fn set(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let add = only_if_absent(&headers)?;
    let write = key_write(body.parse(SET_TAKES)?)?;
    drop(body);
    let key = path.key(&session).await?;
    let written = if add {
        session.keys().add(&key, write).await
    } else {
        session.keys().set(&key, write).await
    };
    let written = written.map_err(|error| match error {
        Error::Exists { .. } if add => {
            let problem = Problem::precondition(error.to_string());
            match error.hint() {
                Some(hint) => problem.hint(hint),
                None => problem,
            }
        }
        other => Problem::from(other),
    })?;
    let status = if written.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    json(status, &written.document())
}

/// PATCH `/api/v1/keys/{env}/{name}`
async fn edit(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery, body: Json) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let edit = key_edit(body.parse(EDIT_TAKES)?)?;
    let key = path.key(&session).await?;
    ok(&session.keys().edit(&key, &edit).await?.document())
}

/// DELETE `/api/v1/keys/{env}/{name}`
async fn remove(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let key = path.key(&session).await?;
    ok(&session.keys().remove(&key).await?.document())
}

/// The key that the path names. The handler looks it up after it has checked the rest of the request.
#[derive(Deserialize)]
pub(crate) struct Named {
    env: String,
    name: String,
}

impl Named {
    pub(crate) async fn key(&self, session: &Session) -> Result<KeyRef, Problem> {
        key_ref(session, &self.env, &self.name).await
    }
}

/// Returns true if the key must not exist.
fn only_if_absent(headers: &HeaderMap) -> Result<bool, Problem> {
    let mut values = headers.get_all(IF_NONE_MATCH).iter();
    match (values.next().map(|value| value.as_bytes()), values.next()) {
        (None, _) => Ok(false),
        (Some(b"*"), None) => Ok(true),
        _ => Err(Problem::invalid(
            "this path accepts only the conditions `If-None-Match: *` and `If-Match`",
        )),
    }
}

/// The vault's write for a write of the wire, whose secrets are copied once.
pub(crate) fn key_write(sent: api::KeyWrite<Raw<'_>>) -> Result<KeyWrite, Problem> {
    let secrets = match (sent.value, sent.value_base64, sent.fields) {
        (Some(value), None, None) => BTreeMap::from([(FieldName::value(), text(value.text())?)]),
        (None, Some(value), None) => BTreeMap::from([(FieldName::value(), base64(value.base64())?)]),
        (None, None, Some(fields)) => {
            let secrets = fields
                .into_iter()
                .map(|(name, raw)| Ok((name.as_str().parse()?, text(raw.text_or_base64())?)));
            secrets.collect::<Result<_, Problem>>()?
        }
        _ => return Err(Problem::invalid("the body must give the value in exactly one way").hint(SET_TAKES)),
    };
    let write = KeyWrite::new(secrets).provider(sent.provider).variable(sent.variable);
    let write = write.labels(sent.labels).limit(sent.limit.map(rate).into_nested());
    let write = write.rotate_every(interval(sent.rotate_every)?);
    let write = write.expires(sent.expires_at.into_nested());
    Ok(write.force(forced(sent.force, sent.reason)?))
}

/// The vault's edit for an edit of the wire.
fn key_edit(sent: api::KeyEdit) -> Result<KeyEdit, Problem> {
    let mut edit = KeyEdit::default();
    // An empty provider removes it.
    edit.provider = sent.provider.into_nested().map(Option::unwrap_or_default);
    edit.variable = sent.variable;
    edit.labels = sent.labels;
    edit.limit = sent.limit.map(rate).into_nested();
    edit.rotate_every = interval(sent.rotate_every)?;
    edit.expires = sent.expires_at.into_nested();
    Ok(edit)
}

/// The vault's interval for an interval of the wire.
fn interval(every: api::Change<api::Interval>) -> Result<Option<Option<Interval>>, Problem> {
    let every = every.into_nested();
    let read = every.map(|every| every.map(|every| every.to_string().parse()).transpose());
    Ok(read.transpose()?)
}

/// The reason for which something is forced; neither is given without the other.
pub(crate) fn forced(force: bool, reason: Option<String>) -> Result<Option<String>, Problem> {
    match (force, reason) {
        (true, None) => Err(Problem::invalid("force needs a reason").hint("add reason, which the audit log records")),
        (false, Some(_)) => Err(Problem::invalid("a reason needs force").hint("remove reason, or add force")),
        (_, reason) => Ok(reason),
    }
}

fn text(secret: Option<Secret>) -> Result<Secret, Problem> {
    secret.ok_or_else(|| Problem::invalid("the value is not a string").hint("send a value that is not text in Base64"))
}

fn base64(secret: Option<Secret>) -> Result<Secret, Problem> {
    secret.ok_or_else(|| Problem::invalid("the value is not Base64").hint("use the standard alphabet with padding"))
}
