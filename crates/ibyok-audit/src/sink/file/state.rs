//! What stands beside the lines: the public key, the checkpoints, and how the log stood at the last of them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::segment::sync_directory;
use crate::chain::Head;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::line_key::LineKey;
use crate::statement::StoreMark;
use crate::tree::Frontier;

/// How many checkpoints are kept before the older half is thinned out.
const NOTES: usize = 4096;

/// How the log stood at a checkpoint, so that opening it need not read the whole.
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
    /// Over `store`, the place and the checkpoint, under the key of the log's lines: without it `store` is believed by nobody.
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

    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::unavailable(error.to_string()))?;
        replace(directory, "state", &text)
    }

    /// Keeps how the log stood where a segment begins.
    pub(crate) fn write_start(&self, directory: &Path) -> Result<(), Error> {
        let text = serde_json::to_vec(self).map_err(|error| Error::unavailable(error.to_string()))?;
        replace(directory, &start_name(self.segment), &text)
    }

    /// How the log stood where this segment begins, if that is kept and that key signed it.
    pub(crate) fn read_start(directory: &Path, segment: u32, key: &VerifyingKey) -> Option<Head> {
        let start = Self::read_file(directory, &start_name(segment), key)?;
        (start.segment == segment && start.offset == 0).then_some(start.head)
    }

    /// The state beside a log, if it is whole and that key signed it.
    pub(crate) fn read(directory: &Path, key: &VerifyingKey) -> Option<SignedState> {
        Self::read_file(directory, "state", key)
    }

    fn read_file(directory: &Path, name: &str, key: &VerifyingKey) -> Option<SignedState> {
        let state: Self = serde_json::from_slice(&std::fs::read(directory.join(name)).ok()?).ok()?;
        let checkpoint = Checkpoint::open(&state.checkpoint, key)?;
        let hash = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
        let nodes = state.frontier.iter().map(hash).collect::<Option<Vec<[u8; 32]>>>()?;
        let tree = Frontier::from_parts(checkpoint.size(), nodes)?;
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

/// The public key beside a log; `None` when there is none yet.
pub(crate) fn public_key(directory: &Path) -> Result<Option<VerifyingKey>, Error> {
    let path = directory.join("log.pub");
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map(Some),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

pub(crate) fn write_public_key(directory: &Path, key: &VerifyingKey) -> Result<(), Error> {
    replace(directory, "log.pub", format!("{key}\n").as_bytes())
}

/// Adds checkpoints to those beside the log, each followed by an empty line, and syncs. Beyond 4,096 every second one of
/// the older half is left out, so that the file stays small and still tells early lines from late ones.
pub(crate) fn append_notes(directory: &Path, notes: &[Checkpoint], kept: &mut usize) -> Result<(), Error> {
    let path = directory.join("checkpoints");
    if *kept + notes.len() > NOTES {
        *kept = thin_out(directory)?;
    }
    let text: String = notes.iter().map(|note| format!("{}\n", note.text())).collect();
    let mut options = OpenOptions::new();
    let file = options.append(true).create(true).mode(0o600).open(&path);
    let write = |mut file: File| file.write_all(text.as_bytes()).and_then(|()| file.sync_data());
    file.and_then(write).map_err(Error::io("write to", &path))?;
    *kept += notes.len();
    Ok(())
}

/// Takes up the checkpoints beside a log: what a crash cut short is dropped. Gives how many there are.
pub(crate) fn take_up_notes(directory: &Path) -> Result<usize, Error> {
    let text = notes_text(directory)?;
    let notes = split_notes(&text);
    let whole: String = notes.iter().map(|note| format!("{note}\n")).collect();
    if whole != text {
        replace(directory, "checkpoints", whole.as_bytes())?;
    }
    Ok(notes.len())
}

fn thin_out(directory: &Path) -> Result<usize, Error> {
    let text = notes_text(directory)?;
    let notes = split_notes(&text);
    let half = notes.len() / 2;
    let kept: Vec<&str> = notes
        .iter()
        .enumerate()
        .filter(|(n, _)| *n >= half || n % 2 == 1)
        .map(|(_, n)| *n)
        .collect();
    let text: String = kept.iter().map(|note| format!("{note}\n")).collect();
    replace(directory, "checkpoints", text.as_bytes())?;
    Ok(kept.len())
}

/// The checkpoints beside a log, signed or not.
pub(crate) fn notes(directory: &Path) -> Result<Vec<String>, Error> {
    let text = notes_text(directory)?;
    Ok(split_notes(&text).into_iter().map(str::to_owned).collect())
}

/// The largest size that a checkpoint beside the log speaks of, signed or not.
pub(super) fn largest_size(directory: &Path) -> Result<u64, Error> {
    let text = notes_text(directory)?;
    let notes = split_notes(&text);
    let size = |note: &&str| note.lines().nth(1).and_then(|line| line.parse().ok());
    Ok(notes.iter().filter_map(size).max().unwrap_or(0))
}

fn notes_text(directory: &Path) -> Result<String, Error> {
    let path = directory.join("checkpoints");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// A note is a text, an empty line, and signature lines; after each note stands an empty line.
fn split_notes(text: &str) -> Vec<&str> {
    let mut notes = Vec::new();
    let mut rest = text;
    while let Some((body, after)) = rest.split_once("\n\n") {
        let Some((signatures, next)) = after.split_once("\n\n") else {
            break;
        };
        let length = body.len() + 2 + signatures.len() + 1;
        notes.extend(rest.get(..length));
        rest = next;
    }
    notes
}

/// Writes a small file so that either the old or the new one is there, whole.
pub(super) fn replace(directory: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let (path, new) = (directory.join(name), directory.join(format!("{name}.new")));
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(true).mode(0o600).open(&new);
    let write = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_data());
    file.and_then(write).map_err(Error::io("write to", &new))?;
    std::fs::rename(&new, &path).map_err(Error::io("replace", &path))?;
    sync_directory(directory)
}
