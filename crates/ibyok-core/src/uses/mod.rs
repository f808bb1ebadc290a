//! The counts of uses: made in memory when a line is on the log, added to small sealed records in the store about
//! once a second.
//!
//! A retrieval is counted after its line is durable and before its value is released, under the line's number. A record of counts
//! says up to which line of its node's log it counts, so that after a crash the lines since are counted from the log, and none
//! twice. Each record is written by one node only.

mod books;
pub(crate) mod caller;
pub(crate) mod consumers;
mod count;
mod flush;
mod forget;
pub(crate) mod last;
mod mark;
mod meter;
pub(crate) mod read;
mod replay;
pub(crate) mod report;
pub(crate) mod rollup;
mod sheet;
mod sign;
mod tally;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ibyok_crypto::cut;
use sha2::{Digest, Sha256};

use self::books::Books;
pub(crate) use self::count::Counting;
use self::mark::Mark;
use self::replay::Replay;
use crate::logs::Logs;
use crate::recorder::Recorder;
use crate::records::Records;

pub(crate) use caller::Caller;
pub(crate) use consumers::Reader;
pub(crate) use flush::keep_counts;
pub use report::{UsageBy, UsageItem, UsageReport, UsageRequest};

/// The time for which a reader counts as one that still uses a key, in days.
pub(crate) const ACTIVE_DAYS: u16 = 90;

/// The counts of a node, and those of all nodes in the store.
#[derive(Debug)]
pub(crate) struct Usage {
    records: Arc<Records>,
    recorder: Arc<Recorder>,
    logs: Arc<Logs>,
    counting: Arc<Counting>,
    books: tokio::sync::Mutex<Books>,
    /// The node, as the ids of its records name it: its log's id, hashed.
    node: [u8; 5],
    /// The operator who opened the vault, for people who wonder which node it is.
    actor: String,
    /// True if a flush would do something even if nothing is counted.
    unfinished: AtomicBool,
}

/// Returns the number of the last line of a log in a directory whose uses the store has, as the mark beside the log says.
pub(crate) fn counted_up_to(directory: &Path) -> u64 {
    Mark::read(directory).seq
}

impl Usage {
    /// The counts of the node whose log the recorder writes. `lines` is the number of lines that the log had before this process.
    pub(crate) fn new(
        (records, recorder, logs): (&Arc<Records>, &Arc<Recorder>, &Arc<Logs>),
        counting: Arc<Counting>,
        (lines, actor): (u64, &str),
    ) -> Self {
        let log = &recorder.log;
        let digest = Sha256::digest(log.id().as_bytes());
        let mark = log.directory().map(Mark::read).unwrap_or_default();
        let replay = Replay {
            from: mark.seq,
            to: lines,
            closed: mark.closed,
        };
        let unfinished = lines > 0 && (replay.from < lines || !replay.closed);
        Usage {
            records: Arc::clone(records),
            recorder: Arc::clone(recorder),
            logs: Arc::clone(logs),
            counting,
            books: tokio::sync::Mutex::new(Books::new(replay)),
            node: cut::<5, 32>(digest.into()),
            actor: actor.to_owned(),
            unfinished: AtomicBool::new(unfinished),
        }
    }
}

/// The day of a time, counted from 1970, in UTC. A time outside of 1970 to 2149 is at the nearest end.
pub(crate) fn day_of(at: jiff::Timestamp) -> u16 {
    let days = at.as_second().div_euclid(24 * 60 * 60);
    u16::try_from(days.max(0)).unwrap_or(u16::MAX)
}
