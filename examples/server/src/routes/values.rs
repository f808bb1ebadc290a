//! Retrieval: the hot path.

use std::collections::BTreeMap;

use axum::extract::{Path, RawQuery};
use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use ibyok_core::{ExposeSecret, FieldName, KeyId, Mode, ModeSource, Released, Secret, WhichVersion};
use serde::{Serialize, Serializer};

use super::key_ref;
use crate::answer::{Answer, ok};
use crate::caller::Caller;
use crate::problem::Problem;
use crate::query::Query;

/// GET `/api/v1/keys/{env}/{name}/value`
pub(crate) async fn retrieve(
    Caller(session): Caller,
    Path((environment, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Answer {
    let query = Query::parse(query.as_deref(), &["version", "field"])?;
    let field: Option<FieldName> = query.parsed("field")?;
    let version: WhichVersion = query.parsed("version")?.unwrap_or_default();
    let key = key_ref(&session, &environment, &name).await?;
    let one = field.is_some();
    let released = session.retrieve(&key.at_version(version).with_field(field)).await?;
    ok(&Value::of(&released, one)?)
}

#[derive(Serialize)]
struct Value<'a> {
    #[serde(rename = "ref")]
    reference: String,
    id: KeyId,
    version: u32,
    mode: Mode,
    mode_source: ModeSource,
    provider: Option<&'a str>,
    variable: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value_base64: Option<Base64<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    fields: BTreeMap<&'a FieldName, Field<'a>>,
}

impl<'a> Value<'a> {
    /// `one`: whether one field was asked for, which then is the value.
    fn of(released: &'a Released, one: bool) -> Result<Self, Problem> {
        let info = released.info();
        let several = released.fields().len() > 1 || !released.fields().contains_key(&FieldName::value());
        let fields = released.fields().iter().filter(|_| several && !one);
        let main = match released.secret() {
            Ok(secret) => Some(secret),
            // Only fields of other names: they are all there is to answer.
            Err(_) if several && !one => None,
            Err(error) => return Err(error.into()),
        };
        let (value, value_base64) = main.map_or((None, None), text_or_base64);
        Ok(Value {
            reference: format!("{}/{}", info.environment, info.name),
            id: info.id,
            version: info.version,
            mode: info.mode,
            mode_source: info.mode_source,
            provider: info.provider.as_deref(),
            variable: &info.variable,
            value,
            value_base64,
            fields: fields.map(|(name, secret)| (name, Field(secret))).collect(),
        })
    }
}

/// A value as it stands in an answer: text where it is UTF-8, else Base64.
pub(crate) fn text_or_base64(secret: &Secret) -> (Option<&str>, Option<Base64<'_>>) {
    match secret.text() {
        Ok(text) => (Some(text), None),
        Err(_) => (None, Some(Base64(secret))),
    }
}

/// Bytes in Base64, written straight into the answer.
pub(crate) struct Base64<'a>(&'a Secret);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0.expose_secret(), &STANDARD))
    }
}

/// A field: text, or `{"base64":"…"}`.
struct Field<'a>(&'a Secret);

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.text() {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.collect_map([("base64", Base64(self.0))]),
        }
    }
}
