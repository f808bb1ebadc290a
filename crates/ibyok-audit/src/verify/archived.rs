//! Reading statements that lines of a log are archived.

use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::Deserialize;

use super::files;
use super::log::Hash;
use super::note::{self, Note};
use super::tree::Tree;
use crate::error::Error;
use crate::key::VerifyingKey;

/// The statement beside a log that goes on, and the one in an archive.
pub(super) const BESIDE: &str = "archived";
pub(super) const IN_ARCHIVE: &str = "manifest";

/// The state of a log between two lines.
#[derive(Clone)]
pub(super) struct Point {
    pub(super) size: u64,
    pub(super) last: Hash,
    pub(super) tree: Tree,
    pub(super) ended: bool,
}

/// A statement under the log's key.
pub(super) struct Statement {
    pub(super) from: Point,
    pub(super) until: Point,
    /// The numbers of the segments with these lines, and the directory that holds each.
    pub(super) segments: Vec<(u32, PathBuf)>,
}

/// The result of looking for a statement.
pub(super) enum Said {
    Nothing,
    /// There is a file, and the key did not sign it.
    Unsigned,
    This(Box<Statement>),
}

#[derive(Deserialize)]
struct Text {
    v: u32,
    log: String,
    from: PointText,
    until: PointText,
    segments: Vec<SegmentText>,
}

#[derive(Deserialize)]
struct PointText {
    lines: u64,
    last: String,
    tree: Vec<String>,
    ended: bool,
}

#[derive(Deserialize)]
struct SegmentText {
    number: u32,
    directory: PathBuf,
}

impl Statement {
    /// The checkpoint that the end of the archived lines amounts to.
    pub(super) fn end(&self) -> Note {
        Note {
            size: self.until.size,
            root: self.until.tree.hash(),
            signed: true,
        }
    }

    pub(super) fn last_segment(&self) -> u32 {
        self.segments.last().map_or(0, |(number, _)| *number)
    }
}

/// Reads the statement with this name in a slot.
pub(super) fn read(slot: &Path, name: &str, key: &VerifyingKey) -> Result<Said, Error> {
    Ok(match files::text(&slot.join(name))? {
        None => Said::Nothing,
        Some(text) => open(&text, key).map_or(Said::Unsigned, |said| Said::This(Box::new(said))),
    })
}

fn open(text: &str, key: &VerifyingKey) -> Option<Statement> {
    let (body, signature) = text.split_once("\n\n")?;
    let body = format!("{body}\n");
    note::is_signed(&body, signature.trim_end(), key)?;
    let mut lines = body.lines();
    let is_statement = lines.next() == Some(&format!("{} archive", key.name()));
    let said: Text = serde_json::from_str(lines.next()?).ok()?;
    if !is_statement || said.v != 1 || Some(said.log.as_str()) != key.log() {
        return None;
    }
    let segments = said.segments.into_iter().map(|one| (one.number, one.directory));
    Some(Statement {
        from: point(&said.from)?,
        until: point(&said.until)?,
        segments: segments.collect(),
    })
}

fn point(text: &PointText) -> Option<Point> {
    let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
    let full: Option<Vec<Hash>> = text.tree.iter().map(hash).collect();
    Some(Point {
        size: text.lines,
        last: hash(&text.last)?,
        tree: Tree::of_full(text.lines, full?)?,
        ended: text.ended,
    })
}
