//! The state of a log at its last checkpoint.

use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::files::Beside;
use crate::chain::Head;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;
use crate::statement::StoreMark;
use crate::tree::Frontier;

/// The state of a log at a checkpoint, so that opening it need not read the whole.
///
/// The tree is bound by the checkpoint's signature. The position is not; it must lead to the line whose hash is `prev`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct State {
    v: u32,
    prev: String,
    frontier: Vec<String>,
    segment: u32,
    offset: u64,
    checkpoint: String,
    #[serde(default)]
    store: StoreMark,
    /// The MAC over `store`, the place and the checkpoint, under the key of the log's lines. Without it, no reader
    /// believes `store`.
    #[serde(default)]
    mac: String,
}

/// Separates the MAC of a state from those of lines.
const MAC: &[u8] = b"ibyok audit state v1";

/// A state that a key signed.
#[derive(Debug)]
pub(crate) struct SignedState {
    pub(crate) head: Head,
    pub(crate) segment: u32,
    pub(crate) offset: u64,
    /// The mark of the store in the lines before, if that is known for certain.
    pub(crate) mark: Option<StoreMark>,
}

impl State {
    pub(crate) fn new(head: &Head, segment: u32, offset: u64, checkpoint: &Checkpoint, store: StoreMark) -> Self {
        let frontier = head.tree().nodes().iter().map(|node| HEXLOWER.encode(node)).collect();
        let checkpoint = checkpoint.text().to_owned();
        Self {
            v: 1,
            prev: HEXLOWER.encode(head.prev()),
            frontier,
            segment,
            offset,
            checkpoint,
            store,
            mac: String::new(),
        }
    }

    /// The same with its MAC.
    pub(crate) fn sealed(mut self, lines: &LineKey) -> Self {
        self.mac = HEXLOWER.encode(&lines.tag(MAC, &self.bound()));
        self
    }

    /// The bytes that the MAC covers.
    fn bound(&self) -> Vec<u8> {
        let StoreMark { epoch, change } = self.store;
        let place = format!("{} {} {}", self.prev, self.segment, self.offset);
        format!("{epoch} {change} {place}\n{}", self.checkpoint).into_bytes()
    }

    pub(crate) fn write(&self, beside: &Beside) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::unavailable(error.to_string()))?;
        beside.replace("state", &text)
    }

    /// Keeps how the log stood where a segment begins.
    pub(crate) fn write_start(&self, beside: &Beside) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::unavailable(error.to_string()))?;
        beside.replace(&start_name(self.segment), &text)
    }

    /// Returns the head of the log at the beginning of this segment, if that is kept and that key signed it.
    pub(crate) fn read_start(directory: &Path, segment: u32, key: &VerifyingKey) -> Option<Head> {
        let start = Self::read_file(directory, &start_name(segment), key)?;
        (start.segment == segment && start.offset == 0).then_some(start.head)
    }

    /// The state next to a log, if it is whole and that key signed it.
    pub(crate) fn read(directory: &Path, key: &VerifyingKey) -> Option<SignedState> {
        Self::read_file(directory, "state", key)
    }

    fn read_file(directory: &Path, name: &str, key: &VerifyingKey) -> Option<SignedState> {
        let state: Self = serde_json::from_slice(&std::fs::read(directory.join(name)).ok()?).ok()?;
        let checkpoint = Checkpoint::open(&state.checkpoint, key)?;
        let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
        let nodes = state.frontier.iter().map(hash).collect::<Option<Vec<[u8; 32]>>>()?;
        let tree = Frontier::from_parts(checkpoint.size(), nodes)?;
        // The signature covers the root alone. This comparison binds the frontier to it.
        let whole = state.v == 1 && tree.root() == *checkpoint.root();
        let mark = key
            .lines()
            .is_some_and(|lines| lines.is_tag(MAC, &state.bound(), &state.mac));
        whole.then_some(SignedState {
            head: Head::from_parts(hash(&state.prev)?, tree),
            segment: state.segment,
            offset: state.offset,
            mark: mark.then_some(state.store),
        })
    }
}

fn start_name(segment: u32) -> String {
    format!("audit-{segment:08}.start")
}
