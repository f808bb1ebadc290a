//! Keys and their values.

use axum::http::Method;
use axum::routing::{delete, get, patch, post, put};
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::{Scope, audit::Action};
use schemars::SchemaGenerator;

use super::Route;
use crate::openapi::{AFTER, BY, ENVIRONMENT, LAST_USE, LIMIT, Operation, Parameter, SINCE, UNTIL, VERSION};
use crate::routes::{external, keys, usage, values};
use crate::takes::Takes;

/// The request that writes a value, as JSON has it.
pub(super) type Write = api::KeyWrite<String, schema::Field>;

pub(super) fn routes() -> Vec<Route> {
    let mut routes = published();
    routes.extend(values_and_usage());
    routes.push(key());
    routes.extend(switches());
    routes
}

/// The published interface.
fn published() -> Vec<Route> {
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
    let used = usage_operation("externalUsage").answers::<api::ExternalUsage>(200, "The report");
    vec![
        Route::at("/external/keys").on(Method::GET, get(external::list), list),
        Route::at("/external/keys/{name}/value").on(Method::GET, get(external::value), value),
        Route::at("/external/usage").on(Method::GET, get(usage::external), used),
    ]
}

fn usage_operation(id: &'static str) -> Operation {
    Operation::new(
        id,
        "Report usage: the consumers, the number of retrievals and the last ones",
    )
    .needs("Scope: usage:read")
    .takes(BY)
    .takes(SINCE)
    .takes(UNTIL)
    .takes(ENVIRONMENT)
    .takes(Parameter::text(
        "key",
        "The key, as `environment/name`; every key if absent",
    ))
}

fn values_and_usage() -> Vec<Route> {
    let field = Parameter::query("field", "The field", SchemaGenerator::subschema_for::<api::FieldName>);
    let list = Operation::new("listKeys", "List the keys that the token may see")
        .needs("Scope: keys:list")
        .takes(ENVIRONMENT)
        .takes(LIMIT)
        .takes(AFTER)
        .takes(LAST_USE)
        .answers::<api::Page<api::KeyInfo>>(200, "A page");
    let retrieve = Operation::new("retrieve", "Retrieve a key's value")
        .needs("Scope: keys:read")
        .takes(VERSION)
        .takes(field)
        .answers::<api::Value<String, schema::Field>>(200, "The value");
    let used = usage_operation("usage").answers::<api::UsageReport>(200, "The report");
    vec![
        Route::at("/api/v1/keys").on(Method::GET, get(keys::list), list),
        Route::at("/api/v1/keys/{env}/{name}/value").on(Method::GET, get(values::retrieve), retrieve),
        Route::at("/api/v1/usage").on(Method::GET, get(usage::report), used),
    ]
}

fn key() -> Route {
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
        .on(Method::GET, get(keys::show), show)
        .on(Method::PUT, put(keys::set).layer(takes_value), set)
        .on(Method::PATCH, patch(keys::edit).layer(takes_words), edit)
        .on(Method::DELETE, delete(keys::remove), remove)
}

fn switches() -> Vec<Route> {
    let version = Parameter::query(
        "version",
        "The version's number; the whole key if absent",
        SchemaGenerator::subschema_for::<schema::VersionNumber>,
    );
    let disable = Operation::new("disableKey", "Disable a key or a version")
        .needs("Scope: keys:write")
        .takes(version)
        .conditional()
        .optional_body::<api::WhichVersion>()
        .answers::<api::KeyInfo>(200, "The key");
    let enable = Operation::new("enableKey", "Enable a key or a version")
        .needs(
            "Scope: keys:write. A key with an open incident or a version that is marked compromised needs incidents:write as well. \
             `force` needs keys:read as well",
        )
        .takes(version)
        .conditional()
        .optional_body::<api::Enabling>()
        .answers::<api::KeyInfo>(200, "The key");
    let copy = Operation::new("copyKey", "Copy a key with its value to another name or environment")
        .needs("Scope: keys:read for the key, and keys:write for the copy")
        .body::<api::KeyCopy>()
        .answers::<api::Written>(200, "The new current version of a key that existed")
        .answers::<api::Written>(201, "The new key");
    let takes_copy = Takes::words(Action::KeySet, Scope::KeysRead);
    let takes_disable = Takes::words(Action::KeyDisable, Scope::KeysWrite);
    let takes_enable = Takes::words(Action::KeyEnable, Scope::KeysWrite);
    vec![
        Route::at("/api/v1/keys/{env}/{name}/copy").on(Method::POST, post(keys::copy).layer(takes_copy), copy),
        Route::at("/api/v1/keys/{env}/{name}/disable").on(
            Method::POST,
            post(keys::disable).layer(takes_disable),
            disable,
        ),
        Route::at("/api/v1/keys/{env}/{name}/enable").on(Method::POST, post(keys::enable).layer(takes_enable), enable),
    ]
}
