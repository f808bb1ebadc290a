use std::error::Error as StdError;

/// The result of a store's method.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reasons why a store failed, grouped by the possible remedy.
///
/// No message holds bytes of a record or a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The new record exists already. Nothing was written.
    #[error("the record already exists")]
    Exists,

    /// The record is not at the revision that was expected, or is not there at all. Nothing was written: read it again.
    #[error("the record is not at the expected revision")]
    Conflict,

    /// The record is larger than a store takes. Nothing was written.
    #[error("the record is larger than {limit} bytes")]
    #[non_exhaustive]
    TooLarge {
        /// The most that a record may have, in bytes.
        limit: usize,
    },

    /// An argument makes no sense, such as a URL of no known form.
    #[error("{what} is not valid")]
    #[non_exhaustive]
    Invalid {
        /// The argument, with user input in backticks.
        what: String,
        /// The form that would be valid.
        hint: String,
    },

    /// The store exists, and must not be used in its present state, such as a file that others may read.
    #[error("refused: {what}")]
    #[non_exhaustive]
    Refused {
        /// The reason.
        what: String,
        /// The change that makes the store usable.
        hint: String,
    },

    /// The store cannot be reached or has no room. The failure may pass. After a `put` or `delete` it is unknown whether the change was made:
    /// read the record to find out.
    #[error("the {backend} store is unavailable: {}", told(source.as_ref()))]
    #[non_exhaustive]
    Unavailable {
        /// The name of the backend.
        backend: &'static str,
        /// The error of the backend. The message includes it, so [`StdError::source`] skips it.
        r#source: Box<dyn StdError + Send + Sync>,
    },

    /// The stored data is damaged, or is not a store of IBYOK.
    #[error("{what} is damaged or is not a store: {}", told(source.as_ref()))]
    #[non_exhaustive]
    Corrupt {
        /// The file or database.
        what: String,
        /// The error that was found. The message includes it, so [`StdError::source`] skips it.
        r#source: Box<dyn StdError + Send + Sync>,
    },

    /// A newer program made this store.
    #[error("the store has format {found}, and this program supports formats up to {known}")]
    #[non_exhaustive]
    Newer {
        /// The format that was found.
        found: u32,
        /// The newest format that this program knows.
        known: u32,
    },

    /// The store is [sealed](crate::Store#the-seal): it takes no writes, and nothing was written.
    #[error("the store is sealed: {why}")]
    #[non_exhaustive]
    Sealed {
        /// The reason, as the seal has it.
        why: String,
    },

    /// A write or sync failed in a way that leaves the state of the disk unknown. This handle does nothing any more.
    /// Open the store again, which reads the real state.
    #[error("the {backend} store failed to write and must be reopened")]
    #[non_exhaustive]
    Poisoned {
        /// The name of the backend.
        backend: &'static str,
    },
}

impl Error {
    /// An [`Error::TooLarge`].
    pub fn too_large(limit: usize) -> Self {
        Error::TooLarge { limit }
    }

    /// An [`Error::Invalid`] with the given input and the valid form.
    pub fn invalid(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Invalid {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// An [`Error::Refused`] with the reason and the necessary change.
    pub fn refused(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Error::Refused {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// An [`Error::Unavailable`] with the error of the backend.
    pub fn unavailable(backend: &'static str, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::Unavailable {
            backend,
            source: source.into(),
        }
    }

    /// Returns an [`Error::Corrupt`] with the damaged thing and the fault.
    pub fn corrupt(what: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Error::Corrupt {
            what: what.into(),
            source: source.into(),
        }
    }

    /// An [`Error::Newer`] of two formats.
    pub fn newer(found: u32, known: u32) -> Self {
        Error::Newer { found, known }
    }

    /// An [`Error::Poisoned`].
    pub fn poisoned(backend: &'static str) -> Self {
        Error::Poisoned { backend }
    }

    /// An [`Error::Sealed`] with the bytes of the seal, for authors of a backend.
    pub fn sealed(seal: &[u8]) -> Self {
        let text = String::from_utf8_lossy(seal);
        let why = text.chars().take(500).map(|c| if c.is_control() { ' ' } else { c });
        Error::Sealed { why: why.collect() }
    }

    /// Returns the same error for another caller that waited for the same answer.
    pub(crate) fn repeated(&self) -> Self {
        match self {
            Error::Exists => Error::Exists,
            Error::Conflict => Error::Conflict,
            Error::TooLarge { limit } => Error::too_large(*limit),
            Error::Invalid { what, hint } => Error::invalid(what.clone(), hint.clone()),
            Error::Refused { what, hint } => Error::refused(what.clone(), hint.clone()),
            Error::Unavailable { backend, source } => Error::unavailable(backend, told(source.as_ref())),
            Error::Corrupt { what, source } => Error::corrupt(what.clone(), told(source.as_ref())),
            Error::Newer { found, known } => Error::newer(*found, *known),
            Error::Poisoned { backend } => Error::poisoned(backend),
            Error::Sealed { why } => Error::sealed(why.as_bytes()),
        }
    }

    /// Returns the remedy for the error, in one line.
    pub fn hint(&self) -> &str {
        match self {
            Error::Exists => "read the record and put with its revision, or choose another id",
            Error::Conflict => "read the record again and repeat the change",
            Error::TooLarge { .. } => "store the large data elsewhere, and store a reference to it here",
            Error::Invalid { hint, .. } | Error::Refused { hint, .. } => hint,
            Error::Unavailable { .. } => "check that the store is reachable and has space, then try again",
            Error::Corrupt { .. } => "check the path, or restore a backup",
            Error::Newer { .. } => "use the newer program that wrote this store",
            Error::Sealed { .. } => "use the store that the message names",
            Error::Poisoned { .. } => "check the disk and the system's log, then reopen the store",
        }
    }
}

/// An error and its causes in one line, each named once: a message may include its cause already.
fn told(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.ends_with(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}
