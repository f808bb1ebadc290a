//! Signs checkpoints and keeps them next to the log, on a separate thread, so that lines do not wait for it.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::JoinHandle;

use super::Shared;
use crate::beside::{Beside, State, append_notes, take_up_notes};
use crate::chain::Head;
use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::SigningKey;
use crate::line_key::LineKey;
use crate::statement::StoreMark;

/// The largest number of snapshots that can wait to be signed. The writer leaves out a snapshot that finds no room;
/// the next one covers its lines too.
const ROOM: usize = 64;

/// The state of the log at one moment. Every line that it covers is durable.
pub(super) struct Snapshot {
    pub(super) head: Head,
    pub(super) beside: Beside,
    pub(super) segment: u32,
    pub(super) offset: u64,
    /// True if the segment begins at this place.
    pub(super) begins: bool,
    pub(super) mark: StoreMark,
    pub(super) _keeping: Keeping,
}

/// Belongs to a snapshot, and ends when the snapshot is stored next to the log or was skipped.
pub(super) struct Keeping {
    _gone: Sender<()>,
}

/// Waits for the end of its other half.
pub(super) struct Kept(Receiver<()>);

impl Kept {
    pub(super) fn new() -> (Keeping, Self) {
        let (sender, receiver) = channel();
        (Keeping { _gone: sender }, Self(receiver))
    }

    pub(super) fn wait(self) {
        // Nothing is ever sent: an error is the end that is waited for.
        while self.0.recv().is_ok() {}
    }
}

pub(super) struct Keeper {
    pub(super) snapshots: SyncSender<Snapshot>,
    pub(super) thread: JoinHandle<()>,
}

/// Starts the thread. It ends when the sender is dropped.
pub(super) fn start(key: SigningKey, lines: LineKey, shared: Arc<Shared>) -> Result<Keeper, Error> {
    let (snapshots, waiting) = sync_channel(ROOM);
    let root = shared.root.clone();
    let thread = std::thread::Builder::new()
        .name("audit-checkpoints".to_owned())
        .spawn(move || keep(&key, &lines, &shared, &waiting))
        .map_err(Error::io("start a thread for", &root))?;
    Ok(Keeper { snapshots, thread })
}

fn keep(key: &SigningKey, lines: &LineKey, shared: &Shared, waiting: &Receiver<Snapshot>) {
    let mut kept = None;
    while let Ok(first) = waiting.recv() {
        let mut snapshots = vec![first];
        // All waiting snapshots share one append of notes and one write of the state.
        snapshots.extend(waiting.try_iter());
        let signed: Vec<Checkpoint> = snapshots
            .iter()
            .map(|snapshot| Checkpoint::sign(key, &shared.log, snapshot.head.size(), snapshot.head.tree().root()))
            .collect();
        let result = write(&snapshots, &signed, lines, &mut kept);
        shared.set_checkpoint_failure(result.err().map(|error| error.chain()));
        // This ends each `Keeping`, and so `Kept::wait` returns only after the write.
        drop(snapshots);
        for checkpoint in &signed {
            shared.tell(checkpoint);
        }
    }
}

fn write(
    snapshots: &[Snapshot],
    signed: &[Checkpoint],
    lines: &LineKey,
    kept: &mut Option<usize>,
) -> Result<(), Error> {
    let (Some(last), Some(checkpoint)) = (snapshots.last(), signed.last()) else {
        return Ok(());
    };
    let mut count = match kept {
        Some(count) => *count,
        // The first time, a note that a crash cut short is removed. Otherwise the next note would be glued to it.
        None => take_up_notes(&last.beside)?,
    };
    append_notes(&last.beside, signed, &mut count)?;
    *kept = Some(count);
    // Notes before states: a state refers to its checkpoint, and a crash between the two leaves a checkpoint too many, not one too few.
    for (snapshot, checkpoint) in snapshots.iter().zip(signed).filter(|(snapshot, _)| snapshot.begins) {
        let start = State::new(&snapshot.head, snapshot.segment, 0, checkpoint, snapshot.mark);
        start.sealed(lines).write_start(&snapshot.beside)?;
    }
    let state = State::new(&last.head, last.segment, last.offset, checkpoint, last.mark);
    state.sealed(lines).write(&last.beside)
}
