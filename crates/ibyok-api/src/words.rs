//! Sets of words: enums that read a word they do not know as `Other`.

/// Defines a set of words.
///
/// The enum serialises as its word. A word of a newer server is read as `Other` and written as it was read.
macro_rules! words {
    ($(#[$doc:meta])* pub enum $name:ident { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$word_doc])* $variant,)+
            /// A word that this version does not know.
            Other(String),
        }

        impl $name {
            /// The words that this version knows.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Returns the word.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $word,)+
                    Self::Other(word) => word,
                }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word {
                    $($word => Self::$variant,)+
                    other => Self::Other(other.to_owned()),
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, word: &str) -> bool {
                self.as_str() == word
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, word: &&str) -> bool {
                self.as_str() == *word
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Ok(Self::from(word.as_str()))
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": Self::WORDS })
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use crate::{ModeSource, Scope};

    #[test]
    fn a_word_reads_back_as_it_was_written_also_an_unknown_one() {
        for (word, source) in [
            ("guardrail", ModeSource::Guardrail),
            ("key_override", ModeSource::KeyOverride),
            ("moon", ModeSource::Other("moon".to_owned())),
        ] {
            let json = format!("\"{word}\"");
            assert_eq!(serde_json::from_str::<ModeSource>(&json).unwrap(), source);
            assert_eq!(serde_json::to_string(&source).unwrap(), json);
            assert_eq!((source.to_string().as_str(), source == word), (word, true));
        }
        assert!(serde_json::from_str::<ModeSource>("1").is_err());
        assert_eq!(ModeSource::WORDS, ["guardrail", "key_override", "tenant_setting"]);
    }

    #[test]
    fn every_known_word_is_known() {
        for word in Scope::WORDS {
            assert!(!matches!(Scope::from(*word), Scope::Other(_)), "{word}");
        }
    }
}
