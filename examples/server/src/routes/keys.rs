//! Keys, but for their values.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use ibyok_core::{
    EnvironmentName, Error, FieldName, Interval, KeyEdit, KeyRef, KeyWrite, Rate, Secret, Session, Timestamp,
    WhichVersion,
};
use serde::{Deserialize, Deserializer};

use super::{key_ref, page};
use crate::answer::{Answer, json, ok};
use crate::body::Json;
use crate::caller::Caller;
use crate::conditional::{Changing, tag};
use crate::json::{Raw, Unique};
use crate::problem::Problem;
use crate::query::Query;

pub(crate) const SET_TAKES: &str = "it takes one of value, value_base64 and fields, and provider, variable, labels, limit, rotate_every, expires_at, force, reason";
const EDIT_TAKES: &str = "it takes provider, variable, labels, limit, rotate_every and expires_at";
const VERSION_TAKES: &str = "it takes version, or nothing";
const ENABLE_TAKES: &str = "it takes version, force and reason, or nothing";

/// GET `/api/v1/keys`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env", "limit", "after", "last_use"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    ok(&session
        .list_keys(environment.as_ref(), &page(&query)?.last_use(query.flag("last_use")?))
        .await?)
}

/// GET `/api/v1/keys/{env}/{name}`
pub(crate) async fn show(Caller(session): Caller, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    let version: WhichVersion = Query::parse(query.as_deref(), &["version"])?
        .parsed("version")?
        .unwrap_or_default();
    let key = path.key(&session).await?;
    let shown = session.show_key(&key.at_version(version)).await?;
    let mut answer = ok(&shown)?;
    answer.headers_mut().insert(ETAG, tag(shown.revision));
    Ok(answer)
}

/// PUT `/api/v1/keys/{env}/{name}`
pub(crate) async fn set(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let add = only_if_absent(&headers)?;
    let write = body.parse::<SetBody<'_>>(SET_TAKES)?.write()?;
    drop(body);
    let key = path.key(&session).await?;
    let written = if add {
        session.add_key(&key, write).await
    } else {
        session.set_key(&key, write).await
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
    json(
        if written.created {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        &written,
    )
}

/// PATCH `/api/v1/keys/{env}/{name}`
pub(crate) async fn edit(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let edit = body.parse::<EditBody>(EDIT_TAKES)?.edit();
    let key = path.key(&session).await?;
    ok(&session.edit_key(&key, &edit).await?)
}

/// POST `/api/v1/keys/{env}/{name}/disable`
pub(crate) async fn disable(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    let version = version(query.as_deref(), &body)?;
    let key = path.key(&session).await?;
    ok(&session.disable_key(&key.at_version(version)).await?)
}

/// POST `/api/v1/keys/{env}/{name}/enable`
pub(crate) async fn enable(
    Changing(session): Changing,
    Path(path): Path<Named>,
    RawQuery(query): RawQuery,
    body: Json,
) -> Answer {
    let enable = body.parse_or_default::<EnableBody>(ENABLE_TAKES)?;
    let version = one_version(query.as_deref(), enable.version)?;
    let force = forced(enable.force, enable.reason)?;
    let key = path.key(&session).await?.at_version(version);
    ok(&match force {
        None => session.enable_key(&key).await?,
        Some(reason) => session.enable_key_by_force(&key, &reason).await?,
    })
}

/// DELETE `/api/v1/keys/{env}/{name}`
pub(crate) async fn remove(Changing(session): Changing, Path(path): Path<Named>, RawQuery(query): RawQuery) -> Answer {
    Query::parse(query.as_deref(), &[])?;
    let key = path.key(&session).await?;
    ok(&session.remove_key(&key).await?)
}

/// The key that the path names, which is looked for once everything else about the request is right.
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
            "the only conditions here are `If-None-Match: *` and `If-Match`",
        )),
    }
}

/// The version that is meant, by query or body; `None` is the whole key.
fn version(query: Option<&str>, body: &Json) -> Result<Option<u32>, Problem> {
    #[derive(Default, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        version: Option<u32>,
    }
    one_version(query, body.parse_or_default::<Body>(VERSION_TAKES)?.version)
}

/// The version that a query and a body name; they may not name two.
fn one_version(query: Option<&str>, by_body: Option<u32>) -> Result<Option<u32>, Problem> {
    let by_query = Query::parse(query, &["version"])?.number("version")?;
    if by_body == Some(0) {
        return Err(Problem::invalid("version is not a number of at least 1"));
    }
    match (by_query, by_body) {
        (Some(one), Some(other)) if one != other => Err(Problem::invalid("two different versions are named")),
        (one, other) => Ok(one.or(other)),
    }
}

/// The version that is enabled, and whether it is although it leaked.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnableBody {
    #[serde(default)]
    version: Option<u32>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SetBody<'a> {
    #[serde(borrow, default)]
    value: Option<Raw<'a>>,
    #[serde(borrow, default)]
    value_base64: Option<Raw<'a>>,
    #[serde(borrow, default)]
    fields: Option<Unique<FieldName, Raw<'a>>>,
    #[serde(default)]
    provider: Option<String>,
    #[serde(default)]
    variable: Option<String>,
    #[serde(default)]
    labels: Option<Unique<String, String>>,
    #[serde(default, deserialize_with = "named")]
    limit: Option<Option<Rate>>,
    #[serde(default, deserialize_with = "named")]
    rotate_every: Option<Option<Interval>>,
    #[serde(default, deserialize_with = "named")]
    expires_at: Option<Option<Timestamp>>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    reason: Option<String>,
}

impl SetBody<'_> {
    pub(crate) fn write(self) -> Result<KeyWrite, Problem> {
        let secrets = match (self.value, self.value_base64, self.fields) {
            (Some(value), None, None) => BTreeMap::from([(FieldName::value(), text(value.text())?)]),
            (None, Some(value), None) => BTreeMap::from([(FieldName::value(), base64(value.base64())?)]),
            (None, None, Some(fields)) => {
                let secrets = fields
                    .0
                    .into_iter()
                    .map(|(name, raw)| Ok((name, text(raw.text_or_base64())?)));
                secrets.collect::<Result<_, Problem>>()?
            }
            _ => return Err(Problem::invalid("the value is not given in exactly one way").hint(SET_TAKES)),
        };
        let write = KeyWrite::new(secrets).provider(self.provider).variable(self.variable);
        let write = write.labels(self.labels.map(|labels| labels.0)).limit(self.limit);
        let write = write.rotate_every(self.rotate_every).expires(self.expires_at);
        Ok(write.force(forced(self.force, self.reason)?))
    }
}

/// The reason for which something is forced; neither is given without the other.
pub(crate) fn forced(force: bool, reason: Option<String>) -> Result<Option<String>, Problem> {
    match (force, reason) {
        (true, None) => Err(Problem::invalid("force needs a reason").hint("the reason is kept on the audit log")),
        (false, Some(_)) => Err(Problem::invalid("a reason is given, and nothing is forced").hint("add force")),
        (_, reason) => Ok(reason),
    }
}

fn text(secret: Option<Secret>) -> Result<Secret, Problem> {
    secret.ok_or_else(|| Problem::invalid("the value is not a string").hint("what is not text goes in Base64"))
}

fn base64(secret: Option<Secret>) -> Result<Secret, Problem> {
    secret.ok_or_else(|| Problem::invalid("the value is not Base64").hint("the standard alphabet, padded"))
}

/// `null` takes a thing away; what is not named stays.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EditBody {
    #[serde(default, deserialize_with = "named")]
    provider: Option<Option<String>>,
    #[serde(default)]
    variable: Option<String>,
    #[serde(default)]
    labels: Option<Unique<String, Option<String>>>,
    #[serde(default, deserialize_with = "named")]
    limit: Option<Option<Rate>>,
    #[serde(default, deserialize_with = "named")]
    rotate_every: Option<Option<Interval>>,
    #[serde(default, deserialize_with = "named")]
    expires_at: Option<Option<Timestamp>>,
}

pub(super) fn named<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl EditBody {
    fn edit(self) -> KeyEdit {
        let mut edit = KeyEdit::default();
        edit.provider = self.provider.map(Option::unwrap_or_default);
        edit.variable = self.variable;
        edit.labels = self.labels.map(|labels| labels.0).unwrap_or_default();
        edit.limit = self.limit;
        edit.rotate_every = self.rotate_every;
        edit.expires = self.expires_at;
        edit
    }
}
