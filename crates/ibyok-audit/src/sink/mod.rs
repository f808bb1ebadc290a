//! Where lines go.

pub(crate) mod file;
mod stdout;

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use crate::chain::Head;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;
use crate::statement::StoreMark;

pub use file::{FileSink, FileSinkBuilder, begun_logs_in, is_written};
pub use stdout::StdoutSink;

/// Somewhere that lines go: a file, a database, a collector.
///
/// # Contract
/// A sink is called by one thread at a time and may block. Batches come in the order of the log. After [`Sink::sync`] has
/// returned `Ok`, every batch whose `write` returned `Ok` survives what [`Sink::describe`] says it survives.
///
/// # Errors
/// A batch that `write` refused may be partly there. The log refuses its requests at once. A sink that keeps the log (one
/// with a [`Sink::place`]) is then not written to until `reopen` has returned `Ok`; any other gets the next batch when it
/// comes, and must deliver what is pending before it, or refuse again.
///
/// # Writing your own
/// `ibyok_audit::conformance` (feature `conformance`) holds what every sink must do. A sink that cannot say that a line
/// is durable returns `false` from [`Sink::durable`], and can then only be best effort.
pub trait Sink: Send {
    /// What it is, for people.
    fn describe(&self) -> SinkDescription;

    /// Whether an `Ok` of `sync` means that the lines are durable.
    fn durable(&self) -> bool;

    /// How the log stands that it keeps; `None` for a sink from which a log cannot be continued.
    fn place(&self) -> Option<Place>;

    /// Takes the key of the MACs that the log's lines carry. A sink that keeps the log then lets it end before the first line that is
    /// neither signed nor carries its MAC: somebody else put that line there. Any other sink needs nothing of it.
    ///
    /// # Errors
    /// Fails if the end of the log cannot be read.
    fn believe(&mut self, key: &LineKey) -> Result<(), Error> {
        let _ = key;
        Ok(())
    }

    /// Takes a batch; need not be durable yet.
    ///
    /// # Errors
    /// When not all of it was taken.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error>;

    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// When it is not known to be durable. A later `Ok` must not cover what an earlier error left open.
    fn sync(&mut self) -> Result<(), Error>;

    /// Begins again after a failure; `head` is how far lines were acknowledged.
    ///
    /// # Errors
    /// When it still does not work; it may be called again.
    fn reopen(&mut self, head: &Head) -> Result<(), Error>;

    /// Ends in good order. Nothing is called after it.
    ///
    /// # Errors
    /// When the end could not be put in order; what was acknowledged stays so.
    fn close(&mut self) -> Result<(), Error>;
}

/// What a sink promises of a line that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Durability {
    /// It survives a loss of power.
    Synced,
    /// It is with the kernel: it survives the end of the process, and not a loss of power.
    Written,
    /// Nothing.
    BestEffort,
}

/// What a sink is, for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SinkDescription {
    /// Its kind and place, such as `file /var/log/ibyok`.
    pub name: String,
    /// What it promises.
    pub durability: Durability,
}

impl SinkDescription {
    /// A description of these two.
    #[must_use]
    pub fn new(name: impl Into<String>, durability: Durability) -> Self {
        Self {
            name: name.into(),
            durability,
        }
    }
}

/// Lines that go out together: whole lines, each ended by a newline.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    bytes: &'a [u8],
    first_seq: u64,
    count: u64,
}

impl<'a> Batch<'a> {
    /// A batch of whole lines, the first of which has this `seq`.
    #[must_use]
    pub fn new(bytes: &'a [u8], first_seq: u64, count: u64) -> Self {
        Self {
            bytes,
            first_seq,
            count,
        }
    }

    /// All lines with their newlines.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The lines without their newlines.
    pub fn lines(&self) -> impl Iterator<Item = &'a [u8]> {
        self.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
    }

    /// The `seq` of the first line.
    #[must_use]
    pub fn first_seq(&self) -> u64 {
        self.first_seq
    }

    /// How many lines.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// How a log stands in the place that keeps it.
#[derive(Debug, Clone)]
pub struct Place {
    pub(crate) log: String,
    pub(crate) head: Head,
    pub(crate) root: PathBuf,
    pub(crate) directory: PathBuf,
    pub(crate) slot: u32,
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    pub(crate) public_key: Option<VerifyingKey>,
    pub(crate) last_time: Option<Timestamp>,
    pub(crate) gaps: Vec<Gap>,
    pub(crate) signed: u64,
    pub(crate) mark: StoreMark,
}

impl Place {
    /// The log's id: 22 base62 characters.
    #[must_use]
    pub fn log(&self) -> &str {
        &self.log
    }

    /// The `seq` that the next line gets.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.head.size() + 1
    }

    /// The hash that the next line carries as `prev`.
    #[must_use]
    pub fn prev(&self) -> &[u8; 32] {
        self.head.prev()
    }

    /// The root of the tree over its lines.
    #[must_use]
    pub fn tree_root(&self) -> [u8; 32] {
        self.head.tree().root()
    }

    /// The place's directory, which holds the slots.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The slot's directory, which holds this log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of the slot.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }

    /// The public half of the log's key; `None` for a log that was just made.
    #[must_use]
    pub fn public_key(&self) -> Option<&VerifyingKey> {
        self.public_key.as_ref()
    }

    /// The time of the last line.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }

    /// How many of the lines that were there at open the log's key had signed.
    #[must_use]
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// How far the lines say that the store had come.
    #[must_use]
    pub fn store_mark(&self) -> StoreMark {
        self.mark
    }

    /// What opening found missing or torn, and the log will say in its first lines.
    #[must_use]
    pub fn gaps(&self) -> &[Gap] {
        &self.gaps
    }
}

/// Something that is missing from a log: what a `log.gap` line says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// What kind it is.
    pub kind: GapKind,
    /// How many lines or events, as far as it is known.
    pub count: u64,
    /// What happened, for people.
    pub detail: String,
}

impl Gap {
    pub(crate) fn new(kind: GapKind, count: u64, detail: impl Into<String>) -> Self {
        Self {
            kind,
            count,
            detail: detail.into(),
        }
    }
}

/// Why something is missing from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapKind {
    /// The last write was cut by a crash; no line of it was acknowledged.
    Torn,
    /// Lines that the last checkpoint covers, or that were acknowledged, are not there.
    Missing,
    /// A whole line does not fit the chain; the log goes on after the last one that does.
    Broken,
    /// Events were refused while a sink had failed.
    Refused,
    /// Events that nobody waited for were dropped.
    Dropped,
}

impl GapKind {
    /// The word that begins the line's reason.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Torn => "torn",
            Self::Missing => "missing",
            Self::Broken => "broken",
            Self::Refused => "refused",
            Self::Dropped => "dropped",
        }
    }
}
