//! The time of a last use.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The time at which a key or token was last used.
///
/// A list shows it only on request (`last_use=true`) and only to a token that may see usage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::exhaustive_enums, reason = "a last use is exactly one of the three")]
pub enum LastUse {
    /// The answer does not show it. The member is absent.
    #[default]
    NotShown,
    /// No use is counted. The member is `null`.
    Never,
    /// The time of the last use.
    At(Timestamp),
}

impl LastUse {
    /// Returns true for [`LastUse::NotShown`].
    #[must_use]
    pub fn is_not_shown(&self) -> bool {
        matches!(self, LastUse::NotShown)
    }

    /// Returns the time, if there is one.
    #[must_use]
    pub fn time(self) -> Option<Timestamp> {
        match self {
            LastUse::NotShown | LastUse::Never => None,
            LastUse::At(time) => Some(time),
        }
    }
}

impl From<Option<Option<Timestamp>>> for LastUse {
    fn from(shown: Option<Option<Timestamp>>) -> Self {
        match shown {
            None => LastUse::NotShown,
            Some(None) => LastUse::Never,
            Some(Some(time)) => LastUse::At(time),
        }
    }
}

impl Serialize for LastUse {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.time().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LastUse {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = Option::<Timestamp>::deserialize(deserializer)?;
        Ok(time.map_or(LastUse::Never, LastUse::At))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for LastUse {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LastUse".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Option::<crate::schema::Time>::json_schema(generator)
    }
}
