//! Retrieval: the hot path.

use axum::extract::{Path, RawQuery};
use axum::http::Method;
use axum::routing::get;
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use ibyok_api as api;
use ibyok_api::schema;
use ibyok_core::{
    Released, Secret, Session,
    keys::{FieldName, WhichVersion},
    secrecy::ExposeSecret,
};
use ibyok_documents::Documented;
use schemars::SchemaGenerator;
use serde::{Serialize, Serializer};

use super::key_ref;
use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::openapi::{Operation, Parameter, VERSION};
use crate::problem::Problem;
use crate::query::Query;
use crate::retrieval::Retrieval;
use crate::route::Route;

pub(super) fn routes() -> Vec<Route> {
    let field = Parameter::query("field", "The field", SchemaGenerator::subschema_for::<api::FieldName>);
    let retrieve = Operation::new("retrieve", "Retrieve a key's value")
        .needs("Scope: keys:read")
        .takes(VERSION)
        .takes(field)
        .answers::<api::Value<String, schema::Field>>(200, "The value");
    vec![
        Route::at("/api/v1/keys/{env}/{name}/value")
            .on(Method::GET, get(self::retrieve), retrieve)
            .past_the_router(Retrieval::Value),
    ]
}

/// GET `/api/v1/keys/{env}/{name}/value`
async fn retrieve(
    Caller(session): Caller,
    Path((environment, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    released(&session, (&environment, &name), query.as_deref()).await
}

/// Retrieves the value of the key that a path names.
pub(crate) async fn released(session: &Session, (environment, name): (&str, &str), query: Option<&str>) -> Answer {
    let query = Query::parse(query, &["version", "field"])?;
    let field: Option<FieldName> = query.parsed("field")?;
    let version: WhichVersion = query.parsed("version")?.unwrap_or_default();
    let key = key_ref(session, environment, name).await?;
    let one = field.is_some();
    let released = session.retrieve(&key.at_version(version).with_field(field)).await?;
    ok(&value(&released, one)?)
}

/// The document of a released value. `one` is true if the request named a field, which then is the value.
fn value(released: &Released, one: bool) -> Result<api::Value<Sent<'_>, Field<'_>>, Problem> {
    let info = released.info();
    let several = released.fields().len() > 1 || !released.fields().contains_key(&FieldName::value());
    let fields = released.fields().iter().filter(|_| several && !one);
    let main = match released.secret() {
        Ok(secret) => Some(secret),
        // The key has only fields of other names: they are the whole answer.
        Err(_) if several && !one => None,
        Err(error) => return Err(error.into()),
    };
    let (value, value_base64) = main.map_or((None, None), text_or_base64);
    Ok(api::Value {
        reference: format!("{}/{}", info.environment, info.name),
        id: info.id.to_string(),
        version: info.version,
        mode: info.mode.document(),
        mode_source: Some(info.mode_source.document()),
        provider: info.provider.clone(),
        variable: Some(info.variable.clone()),
        value,
        value_base64,
        fields: fields.map(|(name, secret)| (name.to_string(), Field(secret))).collect(),
    })
}

/// A value as an answer shows it: text where it is UTF-8, else Base64.
pub(crate) fn text_or_base64(secret: &Secret) -> (Option<Sent<'_>>, Option<Sent<'_>>) {
    match secret.text() {
        Ok(text) => (Some(Sent::Text(text)), None),
        Err(_) => (None, Some(Sent::Base64(secret))),
    }
}

/// A value, written straight into the answer.
pub(crate) enum Sent<'a> {
    Text(&'a str),
    Base64(&'a Secret),
}

impl Serialize for Sent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Sent::Text(text) => serializer.serialize_str(text),
            Sent::Base64(secret) => serializer.collect_str(&Base64Display::new(secret.expose_secret(), &STANDARD)),
        }
    }
}

/// A field: text, or `{"base64":"…"}`.
struct Field<'a>(&'a Secret);

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.text() {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("base64", Sent::Base64(self.0))]),
        }
    }
}
