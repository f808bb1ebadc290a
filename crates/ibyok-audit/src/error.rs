//! The errors of this crate.

use std::io;
use std::path::{Path, PathBuf};

/// An error of a log. No message holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused something.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// The operation that failed, as a verb.
        action: &'static str,
        /// The path on which it failed.
        path: PathBuf,
        /// The error of the operating system. The message includes it, so `source()` skips it.
        r#source: io::Error,
    },
    /// The place of a log is not a directory.
    #[error("`{}` cannot hold an audit log: it is {what}; give a directory", path.display())]
    NotADirectory {
        /// The place.
        path: PathBuf,
        /// The kind of file at that path.
        what: &'static str,
    },
    /// Every slot of the place is in use.
    #[error("all {slots} slots of the audit log in `{}` are in use", path.display())]
    NoFreeSlot {
        /// The place.
        path: PathBuf,
        /// The number of slots in the place.
        slots: u32,
    },
    /// The files of a log do not fit together, and no checkpoint shows how to continue.
    #[error("the audit log in `{}` is damaged: {why}; verify it, then move the directory away to start a new log", path.display())]
    Damaged {
        /// The log's slot.
        path: PathBuf,
        /// The mismatch, in words.
        why: String,
    },
    /// Segments of a log cannot be moved into an archive.
    #[error("cannot archive the audit log: `{}`: {why}", path.display())]
    CannotArchive {
        /// The segment, the slot or the archive.
        path: PathBuf,
        /// The obstacle, in words.
        why: String,
    },
    /// The signing key is not the one of this log.
    #[error("the signing key does not belong to the log `{log}`")]
    WrongKey {
        /// The log.
        log: String,
    },
    /// A log was opened without a signing key.
    #[error("an audit log needs a signing key")]
    NoSigningKey,
    /// A log was opened without a sink that keeps it.
    #[error("an audit log needs a home, such as a `FileSink`")]
    NoHome,
    /// A required sink cannot say that an event is durable.
    #[error("`{sink}` cannot acknowledge durability; it can only be best effort")]
    NotDurable {
        /// The sink.
        sink: String,
    },
    /// A write or a sync failed; everything is refused until the log is reopened.
    #[error("the audit log refuses every line until it is reopened: {reason}")]
    Poisoned {
        /// The failure that poisoned the log.
        reason: String,
    },
    /// The event is not known to be on the log: a required sink failed or was too slow.
    #[error("the audit log is unavailable: {reason}")]
    Unavailable {
        /// The reason.
        reason: String,
    },
    /// A file in a home has another length than its writer left: another program wrote to it.
    #[error(
        "`{file}` in the home of the audit log has {found} bytes, but its writer left {expected}: another program wrote to it"
    )]
    OutOfPlace {
        /// The name of the file.
        file: String,
        /// The length in bytes that the writer left.
        expected: u64,
        /// The length in bytes that the file has.
        found: u64,
    },
    /// A sink or a home failed for another reason.
    #[error("the audit log's sink or home failed")]
    Other(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A sink will not take these lines at a later attempt either. The log drops them if the sink is best effort.
    #[error("{reason}")]
    Rejected {
        /// The reason.
        reason: String,
    },
    /// The log was closed.
    #[error("the audit log is closed")]
    Closed,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
    /// A public key is not in the form `name+hash+base64`.
    #[error("`{text}` is not a verifying key of the form `name+hash+key`")]
    BadKey {
        /// The text that was given, cut to a safe length.
        text: String,
    },
    /// A word is not one of those of the log.
    #[error("`{text}` is not a known {what}")]
    UnknownWord {
        /// The kind of word that was expected.
        what: &'static str,
        /// The text that was given, cut to a safe length.
        text: String,
    },
    /// There is no such line.
    #[error("there is no line {seq} {}", log.as_ref().map_or("in any log".to_owned(), |log| format!("in the log `{}`", shown(log))))]
    NoLine {
        /// The log that was named.
        log: Option<String>,
        /// The number.
        seq: u64,
    },
    /// Several logs have a line of this number.
    #[error("several logs have a line {seq}: give the id of the log")]
    SeveralLogs {
        /// The number.
        seq: u64,
    },
    /// The first lines of a log are in an archive that was not given.
    #[error(
        "lines 1 to {lines} of the log `{}` are archived: give the archive with `--archive`",
        shown(log)
    )]
    Elsewhere {
        /// The log.
        log: String,
        /// The number of lines.
        lines: u64,
    },
    /// No checkpoint speaks of the line.
    #[error("no checkpoint covers line {seq} of the log `{log}` yet; try again in a second")]
    NotCovered {
        /// The log.
        log: String,
        /// The number.
        seq: u64,
    },
    /// A text is no proof.
    #[error("this is not a proof of a line: {why}")]
    NotAProof {
        /// The fault in the text.
        why: &'static str,
    },
    /// A proof, or the log that one was asked of, does not hold.
    #[error("the proof does not hold: {why}")]
    DoesNotHold {
        /// The mismatch, in words.
        why: &'static str,
    },
    /// A threshold of the review makes no sense.
    #[error("the review's setting `{name}` is not valid: {why}")]
    BadThreshold {
        /// The name of the threshold.
        name: &'static str,
        /// The values that would make sense.
        why: &'static str,
    },
    /// A line of a log is not an audit line of this format.
    #[error("line {line} of `{}` is not an audit line: {why}", path.display())]
    BadLine {
        /// The segment.
        path: PathBuf,
        /// The line, counted from 1; 0 where it is not known.
        line: u64,
        /// The fault in the line.
        why: String,
    },
}

impl Error {
    /// Makes an error of a sink's or a home's own error.
    pub fn other(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Other(source.into())
    }

    /// Makes the error of a sink that will not take these lines at a later attempt either.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(crate) fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }

    /// The message with those of its causes, joined by colons.
    pub(crate) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let why = error.to_string();
            // A message may have said its cause already.
            if !text.ends_with(&why) {
                text.push_str(": ");
                text.push_str(&why);
            }
            cause = error.source();
        }
        text
    }
}

/// Input as it is shown in a message: short, control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(64).flat_map(char::escape_default).collect()
}
