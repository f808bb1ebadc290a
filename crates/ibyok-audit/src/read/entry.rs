//! A line as it is read.

use std::net::IpAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Deserialize;

use crate::action::{Outcome, Phase};
use crate::error::{Error, shown};
use crate::key::VerifyingKey;
use crate::line::LINE_LIMIT;
use crate::statement::Statement;

/// The place and the time of a line, for a reader that may not see its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinePlace<'l> {
    /// The log.
    pub log: &'l str,
    /// The line's number in it.
    pub seq: u64,
    /// The time of the line.
    pub time: Timestamp,
}

impl<'l> LinePlace<'l> {
    /// Returns the place of a line.
    #[must_use]
    pub fn of(line: &'l Line) -> Self {
        LinePlace {
            log: &line.entry.log,
            seq: line.entry.seq,
            time: line.entry.time,
        }
    }
}

/// A line of the log: its text and its content.
#[derive(Debug, Clone)]
pub struct Line {
    pub(super) text: String,
    pub(super) entry: Entry,
    pub(super) slot: u32,
    /// False if the line names something that its log is not believed about.
    pub(super) is_believed: bool,
}

impl Line {
    /// A line from elsewhere, such as an export, without its newline.
    ///
    /// # Errors
    /// [`Error::BadLine`] if it is not an audit line.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        let bad = |why: String| Error::BadLine {
            path: PathBuf::from("the export"),
            line: 0,
            why,
        };
        if text.len() > LINE_LIMIT {
            return Err(bad("it is too long".to_owned()));
        }
        let entry = serde_json::from_str(&text).map_err(|error| bad(shown(&error.to_string())))?;
        Ok(Self {
            text,
            entry,
            slot: 0,
            is_believed: true,
        })
    }

    /// The line without its newline: printable ASCII.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the content of the line. Its texts are as the clients sent them: not safe for a terminal.
    #[must_use]
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Returns true unless the line names something beyond the one environment that its log is believed about. Only a reader that
    /// [keeps places](crate::Reader::keeping_places) gives other lines.
    #[must_use]
    pub fn is_believed(&self) -> bool {
        self.is_believed
    }

    /// Returns the slot of the log that holds the line.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slot
    }
}

/// The content of a line. Actions are words here, so that lines of a newer version can be read.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, documented with `Event` and in docs/audit.md"
)]
pub struct Entry {
    pub seq: u64,
    pub time: Timestamp,
    pub log: String,
    pub prev: String,
    pub action: String,
    pub phase: Option<Phase>,
    pub outcome: Outcome,
    pub reason: Option<String>,
    pub principal: EntryPrincipal,
    pub namespace: Option<String>,
    pub environment: Option<String>,
    pub key: Option<String>,
    pub key_id: Option<String>,
    pub version: Option<u64>,
    pub mode: Option<String>,
    pub mode_source: Option<String>,
    pub target: Option<EntryTarget>,
    pub record: Option<String>,
    pub rev: Option<u64>,
    pub count: u64,
    pub client: EntryClient,
    pub request_id: Option<String>,
    pub trace_id: Option<String>,
    pub states: Option<Statement>,
    pub mac: Option<String>,
}

/// The caller that made a request.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, documented with `Principal`"
)]
pub struct EntryPrincipal {
    pub kind: String,
    pub id: Option<String>,
    pub name: Option<String>,
    pub chain: Option<String>,
}

/// The object of an action that is not a key.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, documented with `Event::target`"
)]
pub struct EntryTarget {
    pub kind: String,
    pub id: String,
}

/// The client that sent a request.
#[derive(Debug, Clone, Deserialize)]
#[non_exhaustive]
#[expect(
    missing_docs,
    reason = "the fields are those of the line, documented with `Event::client`"
)]
pub struct EntryClient {
    pub ip: Option<IpAddr>,
    pub user_agent: Option<String>,
}

// The judgement of a line stands here and not beside the key, which knows nothing of lines.
impl VerifyingKey {
    /// Returns true if a line carries its MAC under the key of the log's lines. Such a line is the log's, wherever it
    /// is. Returns false also if that key is not known.
    #[must_use]
    pub fn wrote(&self, line: &Line) -> bool {
        let is_its_log = self.log().is_some_and(|log| line.entry().log == log);
        is_its_log && self.lines().is_some_and(|lines| lines.fits(line.text().as_bytes()))
    }
}
