//! The traits that sinks implement.

use super::batch::Batch;
use super::describe::SinkDescription;
use super::place::LogPlace;
use crate::chain::Head;
use crate::error::Error;
use crate::line_key::LineKey;

/// Takes the lines of a log: a file, a database, a collector.
///
/// # Threads
/// One thread calls a sink at a time, and its methods may block. Batches come in the order of the log. After [`Sink::sync`] has returned
/// `Ok`, every batch whose `write` returned `Ok` survives the failures that [`Sink::describe`] names.
///
/// # Errors
/// An implementation returns [`Error::other`] for its own errors, and [`Error::rejected`] for lines that it will not take later either.
/// The log refuses the requests of a batch that a required sink refused, and gives the sink the same batch again before any other one. A
/// sink that took a part of a batch gets that part again: a sink that can, leaves out lines that it has. A best-effort sink gets a batch
/// several times, and then the next one.
///
/// A required sink holds up the log while it works. So a call of it ends within three seconds; the log's own deadline is five.
///
/// # Writing your own
/// `ibyok_audit::conformance` (feature `conformance`) has a test for each promise. A sink that cannot know that a line is durable returns
/// `false` from [`Sink::durable`], and can only be best effort.
pub trait Sink: Send {
    /// Describes the sink for people, and the failures that its lines survive.
    fn describe(&self) -> SinkDescription;

    /// Returns true if an `Ok` of `sync` means that the lines are durable.
    fn durable(&self) -> bool;

    /// Takes a batch. It need not be durable yet.
    ///
    /// # Errors
    /// Fails if the sink did not take all of it. A part of it may be there.
    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error>;

    /// Returns true if a batch of so many bytes can be written now without waiting for a disk or a network. A caller of the log then
    /// writes it on a thread of its runtime. A sink that does not say so is written to by the log's thread alone.
    fn is_quick(&self, bytes: u64) -> bool {
        let _ = bytes;
        false
    }

    /// Returns a sync of everything that was written until now, which another thread may make while more is written. The log then makes
    /// its checkpoints without holding up lines. `None` if the sink cannot do that.
    fn later_sync(&self) -> Option<LaterSync> {
        None
    }

    /// Makes everything durable that was written.
    ///
    /// # Errors
    /// Fails if the lines are not known to be durable. A later `Ok` must not include lines of an earlier error.
    fn sync(&mut self) -> Result<(), Error>;

    /// Ends in good order. The log calls nothing after it.
    ///
    /// # Errors
    /// Fails if the end could not be put in order; acknowledged lines stay durable.
    fn close(&mut self) -> Result<(), Error>;
}

/// A sync that needs its sink no more, with the errors of [`Sink::sync`].
pub type LaterSync = Box<dyn FnOnce() -> Result<(), Error> + Send>;

/// A sink from which a log is continued: [`FileSink`](crate::FileSink), or a sink that wraps one.
///
/// To keep a log elsewhere than in a directory, implement [`Home`](crate::Home), and give it to
/// [`FileSinkBuilder::home`](crate::FileSinkBuilder::home).
pub trait LogSink: Sink {
    /// Returns the state of the log that the sink keeps.
    fn place(&self) -> LogPlace;

    /// Returns the number of the segment that is written to.
    fn segment(&self) -> u32 {
        self.place().segment
    }

    /// Takes the key of the MACs that the log's lines carry. The sink then lets the log end before the first line
    /// that is neither signed nor carries its MAC: the log's writer did not put that line there.
    ///
    /// # Errors
    /// Fails if the end of the log cannot be read.
    fn believe(&mut self, key: &LineKey) -> Result<(), Error>;

    /// Begins again after a failure. `head` is how far lines were acknowledged. The log writes nothing between a failure and this.
    ///
    /// # Errors
    /// Fails if the sink still does not work; the log may call it again.
    fn reopen(&mut self, head: &Head) -> Result<(), Error>;
}

impl<S: Sink + ?Sized> Sink for Box<S> {
    fn describe(&self) -> SinkDescription {
        S::describe(self)
    }

    fn durable(&self) -> bool {
        S::durable(self)
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), Error> {
        S::write(self, batch)
    }

    fn is_quick(&self, bytes: u64) -> bool {
        S::is_quick(self, bytes)
    }

    fn later_sync(&self) -> Option<LaterSync> {
        S::later_sync(self)
    }

    fn sync(&mut self) -> Result<(), Error> {
        S::sync(self)
    }

    fn close(&mut self) -> Result<(), Error> {
        S::close(self)
    }
}
