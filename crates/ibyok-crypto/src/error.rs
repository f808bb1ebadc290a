//! The errors of this crate. They differ only where the difference is public.

use std::io;
use std::path::PathBuf;

use crate::KekRefusal;

/// Why a key, record or value could not be made, wrapped, sealed or opened.
///
/// Everything that depends on a secret is the one [`Error::Open`]: a wrong key, a changed byte and a record in another's place look alike.
/// No message holds a secret.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes do not open here: damaged, sealed under another key, or moved from another place.
    #[error("the sealed bytes do not open here")]
    Open,
    /// The bytes are of a format that this version does not know.
    #[error("unsupported format `{version}`: a newer version of this program may read it")]
    UnsupportedFormat {
        /// The version byte as found.
        version: u8,
    },
    /// The bytes do not begin as the bytes of this format do.
    #[error("not an ibyok record")]
    NotSealed,
    /// The bytes end before the format allows.
    #[error("the bytes are cut short")]
    Truncated,
    /// The clear part of an environment key record breaks the format's rules.
    #[error("malformed record: {reason}")]
    Malformed {
        /// The rule that is broken.
        reason: &'static str,
    },
    /// There are more bytes than may be.
    #[error("too large: at most {limit} bytes")]
    TooLarge {
        /// The most bytes that there may be.
        limit: usize,
    },
    /// The value is not UTF-8.
    #[error("the value is not text")]
    NotText,
    /// Reading a secret failed.
    #[error("reading the secret failed")]
    Read(#[source] io::Error),
    /// The operating system gave no random bytes; nothing was made.
    #[error("the operating system gave no random bytes")]
    Random,
    /// An id, tag or name does not have its form.
    #[error("not a {what}")]
    InvalidName {
        /// The kind of id, tag or name that was expected.
        what: &'static str,
    },
    /// The place is not of the realm whose keys were to seal it.
    #[error("the place belongs to another realm")]
    OtherRealm,
    /// The realm holds no such generation.
    #[error("no generation `{number}` in this realm")]
    NoSuchGeneration {
        /// The generation that was asked for.
        number: u32,
    },
    /// The current generation cannot be dropped; add a new one first.
    #[error("generation `{number}` is current: add a new one before dropping it")]
    CurrentGeneration {
        /// The current generation.
        number: u32,
    },
    /// The wrapped key names a KEK that we were not given; none was called.
    #[error("wrapped under `{named}`, which was not given")]
    UnknownKek {
        /// The KEK that the wrapped key names.
        named: String,
    },
    /// The program was given no KEK for the environment, so nothing can be wrapped for it.
    #[error("no KEK was given for {}", environment.as_ref().map_or("what spans environments".to_owned(), |name| format!("environment `{name}`")))]
    NoKek {
        /// The environment; `None` for the realm that spans environments.
        environment: Option<String>,
    },
    /// The KEK refused: a wrong passphrase, or no permission.
    #[error("`{kek}` refused: a wrong passphrase, or no permission")]
    KekDenied {
        /// The KEK that refused.
        kek: String,
    },
    /// The KEK could not be reached, or failed in a way that may pass.
    #[error("`{kek}` is unavailable")]
    KekUnavailable {
        /// The KEK that failed.
        kek: String,
        /// The error of the KEK.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A key service refused, and will refuse until somebody changes its settings or the key's.
    #[error("`{kek}` refused: {why}")]
    KekRefused {
        /// The KEK that refused.
        kek: String,
        /// The reason, which shows the remedy.
        why: KekRefusal,
        /// The error of the key service.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A key service gave an answer that cannot be right; nothing of it was used.
    #[error("`{kek}` gave a wrong answer: {problem}")]
    KekAnswer {
        /// The KEK that gave it.
        kek: String,
        /// The fault in the answer.
        problem: &'static str,
    },
    /// The key that was given cannot be the KEK.
    #[error("`{key}` cannot be the KEK: {problem}")]
    KekUnusable {
        /// The key as it was given.
        key: String,
        /// The fault, and the remedy.
        problem: String,
    },
    /// The file of a KEK may not be used as it is.
    #[error("`{}` {problem}", path.display())]
    KekFile {
        /// The file.
        path: PathBuf,
        /// The fault, and the remedy.
        problem: &'static str,
    },
    /// The file of a KEK could not be read or written.
    #[error("cannot read or make `{}`", path.display())]
    KekFileAccess {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The bytes given as a local KEK are not exactly 32.
    #[error("a local KEK is exactly 32 bytes")]
    KekSize,
    /// A passphrase cost is out of bounds.
    #[error("the passphrase cost is out of bounds: {bound}")]
    Cost {
        /// The bound.
        bound: &'static str,
    },
}
