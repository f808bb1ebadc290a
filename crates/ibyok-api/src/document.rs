//! A document together with the JSON that it was read from.

use std::ops::Deref;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// A typed document beside the JSON that it was read from.
///
/// A newer server may send members that this version does not know. They are absent from the typed document and present in the JSON, so that
/// a program that passes an answer on loses none. A `Document` serialises as that JSON.
///
/// ```
/// use ibyok_api::{ChildToken, Document};
///
/// let child: Document<ChildToken> = serde_json::from_str(r#"{"id":"t","name":"ci","colour":"red"}"#)?;
/// assert_eq!(child.name, "ci");
/// assert_eq!(child.json()["colour"], "red");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<T> {
    typed: T,
    json: Value,
}

impl<T: DeserializeOwned> Document<T> {
    /// Reads a document from JSON.
    ///
    /// # Errors
    /// Those of [`serde_json::from_value`].
    pub fn read(json: Value) -> serde_json::Result<Self> {
        Ok(Document {
            typed: T::deserialize(&json)?,
            json,
        })
    }

    /// Makes a document from anything that serialises as one.
    ///
    /// # Errors
    /// Those of [`serde_json::to_value`] and [`Document::read`].
    pub fn of(thing: &impl Serialize) -> serde_json::Result<Self> {
        Document::read(serde_json::to_value(thing)?)
    }
}

impl<T> Document<T> {
    /// Returns the JSON with every member.
    pub fn json(&self) -> &Value {
        &self.json
    }

    /// Returns the JSON with every member.
    pub fn into_json(self) -> Value {
        self.json
    }

    /// Returns the typed document.
    pub fn into_typed(self) -> T {
        self.typed
    }
}

impl From<Value> for Document<Value> {
    fn from(json: Value) -> Self {
        Document {
            typed: json.clone(),
            json,
        }
    }
}

impl<T> Deref for Document<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.typed
    }
}

impl<T> Serialize for Document<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Document<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Document::read(Value::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
