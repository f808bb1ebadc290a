//! The state of a log between two lines, as a statement holds it.

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use crate::chain::Head;
use crate::tree::Frontier;

/// The state of a log between two lines: before its first line by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Point {
    /// The number of lines before the point.
    pub(super) lines: u64,
    /// The hash of the last of them; 64 zeros before the first line.
    last: String,
    /// The roots of the full subtrees over them, the largest first.
    tree: Vec<String>,
    /// True if the last of them ended a session.
    #[serde(default)]
    ended: bool,
}

impl Point {
    pub(super) fn new(head: &Head, ended: bool) -> Self {
        Self {
            lines: head.size(),
            last: HEXLOWER.encode(head.prev()),
            tree: head.tree().nodes().iter().map(|node| HEXLOWER.encode(node)).collect(),
            ended,
        }
    }

    /// The head of the log at this point; `None` if the parts do not fit together.
    pub(super) fn head(&self) -> Option<Head> {
        let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
        let nodes = self.tree.iter().map(hash).collect::<Option<Vec<_>>>()?;
        Some(Head::from_parts(
            hash(&self.last)?,
            Frontier::from_parts(self.lines, nodes)?,
        ))
    }
}
