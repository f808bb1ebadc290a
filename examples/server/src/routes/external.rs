//! The published interface: short words, one environment at a time.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use ibyok_core::{DamagedRecord, EnvironmentName, KeyId, KeyInfo, KeyRef, Mode, ModeSource, Page, Session};
use serde::Serialize;

use super::page;
use super::values::{Base64, text_or_base64};
use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;
use crate::router::Shared;

/// Of a key whose provider nobody named.
const CUSTOM: &str = "custom";

/// GET `/external/keys/{id or name}/value`
pub(crate) async fn value(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.as_deref(), &["env"])?;
    let environment: Result<EnvironmentName, Problem> = match query.parsed("env")? {
        Some(environment) => Ok(environment),
        None => own_environment(&shared, &session).await,
    };
    let key = match (environment, name.parse::<KeyId>()) {
        (Ok(environment), _) => KeyRef::from_parts(environment, &name)?,
        (Err(_), Ok(id)) => session.find_key(id).await?,
        (Err(problem), Err(_)) => return Err(problem),
    };
    let released = session.retrieve(&key).await?;
    let info = released.info();
    let (value, value_base64) = text_or_base64(released.secret()?);
    ok(&Value {
        key_id: info.id,
        name: info.name.as_str(),
        llm_type: info.provider.as_deref().unwrap_or(CUSTOM),
        value,
        value_base64,
        version: info.version,
        mode_info: ModeInfo {
            environment: info.environment.long(),
            effective_mode: info.mode,
            source: info.mode_source,
        },
    })
}

/// GET `/external/keys`
pub(crate) async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env", "limit", "after"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    let keys: Page<KeyInfo> = session.list_keys(environment.as_ref(), &page(&query)?).await?;
    let items = keys.items.iter().map(|key| Item {
        key_id: key.id,
        name: key.name.as_str(),
        llm_type: key.provider.as_deref().unwrap_or(CUSTOM),
        environment: key.environment.as_str(),
        version: key.version,
        disabled: key.disabled,
    });
    ok(&Items {
        items: items.collect(),
        next: keys.next,
        damaged: &keys.damaged,
        incomplete: keys.incomplete,
    })
}

/// The environment of a request that names none: the token's if it has exactly one, else the server's own.
async fn own_environment(shared: &Shared, session: &Session) -> Result<EnvironmentName, Problem> {
    let mut reached = session.environments_reached().await?.into_iter();
    let only = reached.next().filter(|_| reached.next().is_none());
    match (only, &shared.options.environment) {
        (Some(only), _) => Ok(only),
        (None, Some(own)) => Ok(own.clone()),
        (None, None) => {
            Err(Problem::invalid("the token is for several environments and none is named").hint("add ?env="))
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Value<'a> {
    key_id: KeyId,
    name: &'a str,
    llm_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(rename = "value_base64", skip_serializing_if = "Option::is_none")]
    value_base64: Option<Base64<'a>>,
    version: u32,
    mode_info: ModeInfo<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ModeInfo<'a> {
    environment: &'a str,
    effective_mode: Mode,
    source: ModeSource,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    key_id: KeyId,
    name: &'a str,
    llm_type: &'a str,
    environment: &'a str,
    version: Option<u32>,
    disabled: bool,
}

#[derive(Serialize)]
struct Items<'a> {
    items: Vec<Item<'a>>,
    next: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    damaged: &'a [DamagedRecord],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    incomplete: bool,
}
