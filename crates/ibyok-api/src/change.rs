//! Changes of one setting.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A change of a setting that may be absent.
///
/// In JSON an absent member keeps the setting, `null` removes it, and any other value replaces it. Use it with
/// `#[serde(default, skip_serializing_if = "Change::is_keep")]`.
///
/// ```
/// use ibyok_api::{Change, KeyEdit};
///
/// let edit: KeyEdit = serde_json::from_str(r#"{"provider":null,"rotate_every":"90d"}"#)?;
/// assert_eq!(edit.provider, Change::Clear);
/// assert_eq!(edit.rotate_every, Change::Set("90d".parse().unwrap()));
/// assert_eq!(edit.limit, Change::Keep);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a program that changes a setting handles all three cases"
)]
pub enum Change<T> {
    /// Keeps the setting.
    #[default]
    Keep,
    /// Removes the setting.
    Clear,
    /// Replaces the setting.
    Set(T),
}

impl<T> Change<T> {
    /// Returns true for [`Change::Keep`].
    pub fn is_keep(&self) -> bool {
        matches!(self, Change::Keep)
    }

    /// Changes the type of the new setting.
    pub fn map<U>(self, into: impl FnOnce(T) -> U) -> Change<U> {
        match self {
            Change::Keep => Change::Keep,
            Change::Clear => Change::Clear,
            Change::Set(value) => Change::Set(into(value)),
        }
    }

    /// Returns `None` to keep the setting, `Some(None)` to remove it, and `Some(Some(…))` to replace it.
    pub fn into_nested(self) -> Option<Option<T>> {
        match self {
            Change::Keep => None,
            Change::Clear => Some(None),
            Change::Set(value) => Some(Some(value)),
        }
    }
}

impl<T> From<Option<Option<T>>> for Change<T> {
    fn from(nested: Option<Option<T>>) -> Self {
        match nested {
            None => Change::Keep,
            Some(None) => Change::Clear,
            Some(Some(value)) => Change::Set(value),
        }
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            // A struct leaves the member out; alone there is nothing better than `null`.
            Change::Keep | Change::Clear => serializer.serialize_none(),
            Change::Set(value) => value.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Option::<T>::deserialize(deserializer)?;
        Ok(value.map_or(Change::Clear, Change::Set))
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> schemars::JsonSchema for Change<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        Option::<T>::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<T>::json_schema(generator)
    }
}
