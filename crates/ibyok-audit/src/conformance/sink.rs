//! The promises of a sink.

use jiff::Timestamp;

use super::broken::{Broken, Promise};
use crate::action::{Action, Outcome};
use crate::chain::Head;
use crate::event::Event;
use crate::line::Prepared;
use crate::sink::{Batch, Sink, SinkDurability};

/// Gives the suite sinks of your kind.
pub trait SinkHarness {
    /// The sink.
    type Sink: Sink;

    /// Makes an empty sink that no other test sees.
    fn fresh(&self) -> Self::Sink;

    /// Makes a sink on the data of this one, as after a restart without a close.
    fn restart(&self, sink: Self::Sink) -> Self::Sink;

    /// Returns the lines that another reader finds where this sink writes, in order, without newlines.
    fn lines(&self, sink: &Self::Sink) -> Vec<Vec<u8>>;

    /// Returns the id of the log whose lines the sink takes, for a sink that checks it; any unless it does.
    fn log(&self, sink: &Self::Sink) -> String {
        let _ = sink;
        "conformance".to_owned()
    }
}

/// Lines that form a chain, in batches.
struct Feed {
    promise: Promise,
    log: String,
    head: Head,
    sent: Vec<Vec<u8>>,
}

impl Feed {
    fn new<H: SinkHarness>(promise: Promise, harness: &H, sink: &H::Sink) -> Self {
        Self {
            promise,
            log: harness.log(sink),
            head: Head::default(),
            sent: Vec::new(),
        }
    }

    fn send(&mut self, sink: &mut impl Sink, count: u64, text: &str) -> Result<(), Broken> {
        let (mut bytes, first) = (Vec::new(), self.head.size() + 1);
        for _ in 0..count {
            let event = Event::new(Action::KeyRetrieve, Outcome::Allowed, Timestamp::UNIX_EPOCH).reason(text);
            let mut line = Vec::new();
            Prepared::new(&event).finish(&self.log, &self.head, None, &mut line);
            self.head.push(&line);
            bytes.extend_from_slice(&line);
            bytes.push(b'\n');
            self.sent.push(line);
        }
        let call = format!("`write` of lines {first} to {}", self.head.size());
        self.promise.ok(&call, sink.write(&Batch::new(&bytes, first, count)))
    }

    fn sync(&self, sink: &mut impl Sink) -> Result<(), Broken> {
        let call = format!("`sync` after line {}", self.head.size());
        self.promise.ok(&call, sink.sync())
    }

    /// Checks that a reader finds exactly the lines that were sent.
    fn arrived(&self, lines: &[Vec<u8>]) -> Result<(), Broken> {
        for (number, (sent, found)) in (1..).zip(self.sent.iter().zip(lines)) {
            self.promise.same(&format!("line {number}"), sent, found)?;
        }
        let (sent, found) = (self.sent.len(), lines.len());
        self.promise.that(sent == found, || {
            format!(
                "{sent} lines were synced and {found} are there; the first {} agree",
                sent.min(found)
            )
        })
    }
}

/// A line that was synced is there at once, byte for byte.
///
/// # Errors
/// Returns [`Broken`] if it is not.
pub fn synced_lines_are_there<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "synced_lines_are_there",
        why: "a key's value is released as soon as its line is synced, and a changed byte breaks the chain of hashes",
    };
    let mut sink = harness.fresh();
    let mut feed = Feed::new(promise, harness, &sink);
    feed.send(&mut sink, 1, "\u{1b}[31m \"quoted\" \\ \u{2028}")?;
    feed.sync(&mut sink)?;
    feed.arrived(&harness.lines(&sink))
}

/// Batches keep the order of their writes, also when one sync covers many.
///
/// # Errors
/// Returns [`Broken`] if they do not.
pub fn batches_keep_their_order<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "batches_keep_their_order",
        why: "each line holds the hash of the line before it, so another order looks like tampering to readers",
    };
    let mut sink = harness.fresh();
    let mut feed = Feed::new(promise, harness, &sink);
    for count in [1, 100, 1, 7] {
        feed.send(&mut sink, count, "x")?;
    }
    feed.sync(&mut sink)?;
    feed.arrived(&harness.lines(&sink))
}

/// A batch of 1,000 of the longest lines is taken whole.
///
/// # Errors
/// Returns [`Broken`] if it is not.
pub fn a_large_batch_is_taken_whole<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "a_large_batch_is_taken_whole",
        why: "the log writes all waiting lines in one batch, and acknowledges all of them",
    };
    let mut sink = harness.fresh();
    let mut feed = Feed::new(promise, harness, &sink);
    feed.send(&mut sink, 1000, &"\u{1f600}".repeat(256))?;
    feed.sync(&mut sink)?;
    feed.arrived(&harness.lines(&sink))
}

/// Synced lines are there after a restart, and later lines follow them.
///
/// # Errors
/// Returns [`Broken`] if they do not.
pub fn a_restart_loses_no_synced_line<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "a_restart_loses_no_synced_line",
        why: "the value of the line was released before the restart",
    };
    let mut sink = harness.fresh();
    let mut feed = Feed::new(promise, harness, &sink);
    feed.send(&mut sink, 10, "before")?;
    feed.sync(&mut sink)?;
    let mut sink = harness.restart(sink);
    feed.arrived(&harness.lines(&sink))?;
    feed.send(&mut sink, 10, "after")?;
    feed.sync(&mut sink)?;
    feed.arrived(&harness.lines(&sink))
}

/// A sink that was closed holds exactly the synced lines.
///
/// # Errors
/// Returns [`Broken`] if it does not.
pub fn a_close_keeps_every_line<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "a_close_keeps_every_line",
        why: "the last line of a session states that the session ended normally",
    };
    let mut sink = harness.fresh();
    let mut feed = Feed::new(promise, harness, &sink);
    feed.send(&mut sink, 3, "x")?;
    feed.sync(&mut sink)?;
    promise.ok("`close`", sink.close())?;
    feed.arrived(&harness.lines(&sink))
}

/// The sink's description promises durability if and only if the sink acknowledges it.
///
/// # Errors
/// Returns [`Broken`] if the two differ.
pub fn the_description_is_what_the_sink_can_acknowledge<H: SinkHarness>(harness: &H) -> Result<(), Broken> {
    let promise = Promise {
        name: "the_description_is_what_the_sink_can_acknowledge",
        why: "the log accepts a required sink by `durable`, and people read the description",
    };
    let sink = harness.fresh();
    let described = sink.describe();
    promise.that(!described.name.is_empty(), || "`describe` gives no name".to_owned())?;
    let promised = described.durability != SinkDurability::BestEffort;
    promise.that(promised == sink.durable(), || {
        format!(
            "`describe` says {:?} and `durable` says {}",
            described.durability,
            sink.durable()
        )
    })
}

/// Tests every promise, and returns those that were not kept.
pub fn sink_promises<H: SinkHarness>(harness: &H) -> Vec<Broken> {
    let mut broken = Vec::new();
    macro_rules! keep {
        ($promise:ident) => {
            broken.extend($promise(harness).err());
        };
    }
    crate::for_each_sink_promise!(keep);
    broken
}
