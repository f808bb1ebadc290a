//! The published interface: short words, one environment at a time.

use std::sync::Arc;

use axum::extract::{Path, RawQuery, State};
use axum::http::Method;
use axum::routing::get;
use ibyok_api as api;
use ibyok_core::{
    EnvironmentName, KeyRef, Session,
    keys::{KeyId, KeyInfo},
    pages::Page,
};
use ibyok_documents::Documented;

use super::page;
use super::values::text_or_base64;
use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::openapi::{AFTER, ENVIRONMENT, LIMIT, Operation};
use crate::problem::Problem;
use crate::query::Query;
use crate::retrieval::Retrieval;
use crate::route::Route;
use crate::router::Shared;

/// The provider of a key without a named one.
const CUSTOM: &str = "custom";

pub(super) fn routes() -> Vec<Route> {
    let list = Operation::new("externalKeys", "List the keys that the token may see")
        .needs("Scope: keys:list")
        .takes(ENVIRONMENT)
        .takes(LIMIT)
        .takes(AFTER)
        .answers::<api::Page<api::ExternalKey>>(200, "A page");
    let value = Operation::new("externalValue", "Retrieve a key's value")
        .needs("Scope: keys:read")
        .takes(ENVIRONMENT)
        .answers::<api::ExternalValue<String>>(200, "The value");
    vec![
        Route::at("/external/keys").on(Method::GET, get(self::list), list),
        Route::at("/external/keys/{name}/value")
            .on(Method::GET, get(self::value), value)
            .past_the_router(Retrieval::External),
    ]
}

/// GET `/external/keys/{id or name}/value`
async fn value(
    State(shared): State<Arc<Shared>>,
    Caller(session): Caller,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Answer {
    released(&shared, &session, &name, query.as_deref()).await
}

/// Retrieves the value of the key that a path names.
pub(crate) async fn released(shared: &Shared, session: &Session, name: &str, query: Option<&str>) -> Answer {
    let query = Query::parse(query, &["env"])?;
    let environment: Result<EnvironmentName, Problem> = match query.parsed("env")? {
        Some(environment) => Ok(environment),
        None => own_environment(shared, session).await,
    };
    let key = match (environment, name.parse::<KeyId>()) {
        (Ok(environment), _) => KeyRef::from_parts(environment, name)?,
        (Err(_), Ok(id)) => session.keys().find(id).await?,
        (Err(problem), Err(_)) => return Err(problem),
    };
    let released = session.retrieve(&key).await?;
    let info = released.info();
    let (value, value_base64) = text_or_base64(released.secret()?);
    ok(&api::ExternalValue {
        key_id: info.id.to_string(),
        name: info.name.to_string(),
        llm_type: llm_type(info.provider.clone()),
        value,
        value_base64,
        version: info.version,
        mode_info: api::ExternalMode {
            environment: info.environment.long().to_owned(),
            effective_mode: info.mode.document(),
            source: info.mode_source.document(),
        },
    })
}

/// GET `/external/keys`
async fn list(Caller(session): Caller, RawQuery(query): RawQuery) -> Answer {
    let query = Query::parse(query.as_deref(), &["env", "limit", "after"])?;
    let environment: Option<EnvironmentName> = query.parsed("env")?;
    let keys: Page<KeyInfo> = session.keys().list(environment.as_ref(), &page(&query)?).await?;
    let items = keys.items.into_iter().map(|key| api::ExternalKey {
        key_id: key.id.to_string(),
        name: key.name.to_string(),
        llm_type: llm_type(key.provider),
        environment: key.environment.to_string(),
        version: key.version,
        disabled: key.disabled,
    });
    ok(&api::Page {
        items: items.collect(),
        next: keys.next,
        damaged: keys.damaged.document(),
        incomplete: keys.incomplete,
    })
}

fn llm_type(provider: Option<String>) -> String {
    provider.unwrap_or_else(|| CUSTOM.to_owned())
}

/// The environment of a request that names none: the token's if it has exactly one, else the server's own.
async fn own_environment(shared: &Shared, session: &Session) -> Result<EnvironmentName, Problem> {
    let mut reached = session.environments().reached().await?.into_iter();
    let only = reached.next().filter(|_| reached.next().is_none());
    match (only, &shared.options.environment) {
        (Some(only), _) => Ok(only),
        (None, Some(own)) => Ok(own.clone()),
        (None, None) => {
            Err(Problem::invalid("the token allows several environments, and the request names none").hint("add ?env="))
        }
    }
}
