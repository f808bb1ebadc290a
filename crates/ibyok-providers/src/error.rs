//! Faults in a catalogue.

/// A catalogue cannot be used. Each case says where to look: the provider's id (or `#n`, its place in the file,
/// counted from 1, where it has none) and the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not TOML.
    #[error("the catalogue is not TOML: line {line}: {message}")]
    Syntax {
        /// The line, counted from 1.
        line: usize,
        /// The message of the parser.
        message: String,
    },
    /// The text is longer than a catalogue may be.
    #[error("the catalogue has {bytes} bytes, and at most {limit} are read")]
    TooLong {
        /// Its size in bytes.
        bytes: usize,
        /// The limit in bytes.
        limit: usize,
    },
    /// There is no `[[provider]]`.
    #[error("the catalogue has no provider: add one under `[[provider]]`")]
    Empty,
    /// A field that every entry has is not there.
    #[error("provider `{entry}`: `{field}` is missing")]
    Missing {
        /// The provider.
        entry: String,
        /// The field, such as `shapes[1].pattern`.
        field: String,
    },
    /// A field that no entry has, perhaps misspelt.
    #[error("provider `{entry}`: `{field}` is not a field: there are {}", .expected.join(", "))]
    Unknown {
        /// The provider.
        entry: String,
        /// The field.
        field: String,
        /// The fields that are.
        expected: &'static [&'static str],
    },
    /// A field holds something that it cannot hold.
    #[error("provider `{entry}`: `{field}` {problem}")]
    Invalid {
        /// The provider.
        entry: String,
        /// The field.
        field: String,
        /// The fault, and the remedy.
        problem: String,
    },
    /// Two providers claim the same unique thing.
    #[error("provider `{entry}`: `{field}` is `{value}`, and so is that of `{other}`")]
    Duplicate {
        /// The provider that comes later.
        entry: String,
        /// The field.
        field: String,
        /// The value that both entries claim.
        value: String,
        /// The provider that came first.
        other: String,
    },
    /// The example of one provider's key would be taken for the key of another.
    #[error("provider `{entry}`: `{field}` also fits a shape of `{other}`: mark one of the two `context_only = true`")]
    Ambiguous {
        /// The provider whose example it is.
        entry: String,
        /// The example, as a field.
        field: String,
        /// The provider that it would be taken for.
        other: String,
    },
}

impl Error {
    /// The provider's id, or its place in the file, where the error is about one.
    pub fn entry(&self) -> Option<&str> {
        match self {
            Self::Syntax { .. } | Self::TooLong { .. } | Self::Empty => None,
            Self::Missing { entry, .. }
            | Self::Unknown { entry, .. }
            | Self::Invalid { entry, .. }
            | Self::Duplicate { entry, .. }
            | Self::Ambiguous { entry, .. } => Some(entry),
        }
    }

    /// The field of that provider's entry.
    pub fn field(&self) -> Option<&str> {
        match self {
            Self::Syntax { .. } | Self::TooLong { .. } | Self::Empty => None,
            Self::Missing { field, .. }
            | Self::Unknown { field, .. }
            | Self::Invalid { field, .. }
            | Self::Duplicate { field, .. }
            | Self::Ambiguous { field, .. } => Some(field),
        }
    }
}
