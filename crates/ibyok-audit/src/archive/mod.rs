//! Archiving: moving the old segments of a log out of its place, with a signed statement in both places.
//!
//! The statement ([`Archived`]) stands beside the log that goes on (`archived`) and in the archive (`manifest`). It holds the state of
//! the log where the archived lines begin and where they end. So a verifier accepts a log that begins later than line 1, and only there.

mod carry;
mod copy;
mod place;
mod plan;
mod point;
mod segment;
mod statement;

pub use plan::Plan;
pub use segment::ArchivedSegment;
pub use statement::Archived;

pub(crate) use place::base;
