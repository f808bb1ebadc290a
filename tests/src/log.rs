//! The audit log, read as `docs/audit.md` describes it and not with the vault's code.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A line of a log.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// The file that holds the line.
    pub file: PathBuf,
    /// Its number in the file, from 1.
    pub line: usize,
    /// The content of the line.
    pub event: Value,
}

impl AuditLine {
    /// A text of it, empty if there is none.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.event[field].as_str().unwrap_or("")
    }
}

/// The segments of a slot, oldest first.
///
/// # Panics
/// If the directory cannot be read.
#[must_use]
pub fn segments(slot: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(slot).unwrap_or_else(|error| panic!("{}: {error}", slot.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| {
        path.extension().is_some_and(|e| e == "log")
            && path
                .file_name()
                .is_some_and(|n| n.as_encoded_bytes().starts_with(b"audit-"))
    });
    paths.sort();
    paths
}

/// Returns every whole line of every slot below a place. A line that a crash has cut (no newline, or NULs) does not
/// count.
///
/// # Panics
/// If a file cannot be read or a line is no JSON.
#[must_use]
pub fn audit_lines(place: &Path) -> Vec<AuditLine> {
    let entries = fs::read_dir(place).unwrap_or_else(|error| panic!("{}: {error}", place.display()));
    let mut slots: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    slots.sort();
    let mut lines = Vec::new();
    for file in slots.iter().flat_map(|slot| segments(slot)) {
        let bytes = fs::read(&file).expect("a segment can be read");
        let used = bytes.split(|&b| b == 0).next().unwrap_or_default();
        let whole = used.iter().rposition(|&b| b == b'\n').map_or(0, |end| end + 1);
        for (index, line) in used[..whole]
            .split(|&b| b == b'\n')
            .filter(|line| !line.is_empty())
            .enumerate()
        {
            let event = serde_json::from_slice(line);
            let event = event.unwrap_or_else(|error| panic!("{}:{}: {error}", file.display(), index + 1));
            lines.push(AuditLine {
                file: file.clone(),
                line: index + 1,
                event,
            });
        }
    }
    lines
}
