//! What every [`Sink`] must do, for those who write their own. Feature `conformance`.
//!
//! One function for each promise; [`sink_conformance!`](crate::sink_conformance) makes a test of each. The suite may grow
//! in any release.

use std::error::Error as StdError;

use jiff::Timestamp;

use crate::action::{Action, Outcome};
use crate::chain::Head;
use crate::event::Event;
use crate::line::Prepared;
use crate::sink::{Batch, Durability, Sink};

/// What the suite needs of a sink.
pub trait Harness {
    /// The sink.
    type Sink: Sink;

    /// An empty sink that no other test sees.
    fn fresh(&self) -> Self::Sink;

    /// A sink on what this one wrote, as after a restart without a close.
    fn restart(&self, sink: Self::Sink) -> Self::Sink;

    /// The lines that somebody else reads from where this sink writes, in order, without newlines.
    fn lines(&self, sink: &Self::Sink) -> Vec<Vec<u8>>;
}

/// Why a sink does not pass.
pub type Verdict = Result<(), Box<dyn StdError>>;

/// Lines that form a chain, in batches.
struct Feed {
    log: String,
    head: Head,
    sent: Vec<Vec<u8>>,
}

impl Feed {
    fn of(sink: &impl Sink) -> Self {
        let log = sink.place().map_or_else(|| "conformance".to_owned(), |place| place.log);
        Self {
            log,
            head: Head::default(),
            sent: Vec::new(),
        }
    }

    fn send(&mut self, sink: &mut impl Sink, count: u64, text: &str) -> Verdict {
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
        Ok(sink.write(&Batch::new(&bytes, first, count))?)
    }

    fn is(&self, lines: &[Vec<u8>]) -> Verdict {
        if self.sent == lines {
            return Ok(());
        }
        let same = self.sent.iter().zip(lines).take_while(|(a, b)| a == b).count();
        Err(format!(
            "{} lines were synced and {} are there; the first {same} agree",
            self.sent.len(),
            lines.len()
        )
        .into())
    }
}

/// A line that was synced is there, byte for byte, at once.
///
/// # Errors
/// When it is not.
pub fn what_was_synced_is_there<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    let mut feed = Feed::of(&sink);
    feed.send(&mut sink, 1, "\u{1b}[31m \"quoted\" \\ \u{2028}")?;
    sink.sync()?;
    feed.is(&harness.lines(&sink))
}

/// Batches stand in the order of their writes, also when one sync covers many.
///
/// # Errors
/// When they do not.
pub fn batches_keep_their_order<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    let mut feed = Feed::of(&sink);
    for count in [1, 100, 1, 7] {
        feed.send(&mut sink, count, "x")?;
    }
    sink.sync()?;
    feed.is(&harness.lines(&sink))
}

/// A batch of 1,000 of the longest lines is taken whole.
///
/// # Errors
/// When it is not.
pub fn a_large_batch_is_taken_whole<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    let mut feed = Feed::of(&sink);
    feed.send(&mut sink, 1000, &"\u{1f600}".repeat(256))?;
    sink.sync()?;
    feed.is(&harness.lines(&sink))
}

/// What was synced is there after a restart, and what is written then stands behind it.
///
/// # Errors
/// When it does not.
pub fn a_restart_loses_nothing_that_was_synced<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    let mut feed = Feed::of(&sink);
    feed.send(&mut sink, 10, "before")?;
    sink.sync()?;
    let mut sink = harness.restart(sink);
    feed.is(&harness.lines(&sink))?;
    feed.send(&mut sink, 10, "after")?;
    sink.sync()?;
    feed.is(&harness.lines(&sink))
}

/// A sink that was closed holds exactly what was synced.
///
/// # Errors
/// When it does not.
pub fn a_close_keeps_every_line<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    let mut feed = Feed::of(&sink);
    feed.send(&mut sink, 3, "x")?;
    sink.sync()?;
    sink.close()?;
    feed.is(&harness.lines(&sink))
}

/// A sink from which a log can be continued says after a restart where it ends.
///
/// # Errors
/// When it says something else.
pub fn a_place_knows_where_its_log_ends<H: Harness>(harness: &H) -> Verdict {
    let mut sink = harness.fresh();
    if sink.place().is_none() {
        return Ok(());
    }
    let mut feed = Feed::of(&sink);
    feed.send(&mut sink, 5, "x")?;
    sink.sync()?;
    let sink = harness.restart(sink);
    match sink.place() {
        Some(place) if place.head == feed.head && place.log == feed.log => Ok(()),
        _ => Err("the place does not say that five lines are there".into()),
    }
}

/// Only a sink that acknowledges durability promises it.
///
/// # Errors
/// When it promises what it says it cannot acknowledge.
pub fn a_sink_promises_what_it_can_acknowledge<H: Harness>(harness: &H) -> Verdict {
    let sink = harness.fresh();
    let promised = sink.describe().durability != Durability::BestEffort;
    if promised == sink.durable() {
        Ok(())
    } else {
        Err("`describe` and `durable` do not agree".into())
    }
}

/// One test for each promise, over a harness.
#[macro_export]
macro_rules! sink_conformance {
    ($harness:expr) => {
        $crate::sink_conformance!(@ $harness;
            what_was_synced_is_there batches_keep_their_order a_large_batch_is_taken_whole
            a_restart_loses_nothing_that_was_synced a_close_keeps_every_line a_place_knows_where_its_log_ends
            a_sink_promises_what_it_can_acknowledge
        );
    };
    (@ $harness:expr; $($promise:ident)+) => {
        $(
            #[test]
            fn $promise() {
                if let Err(why) = $crate::conformance::$promise(&$harness) {
                    panic!("{why}");
                }
            }
        )+
    };
}
