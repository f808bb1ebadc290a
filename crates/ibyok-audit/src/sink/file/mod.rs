//! A log in a directory.
//!
//! ```text
//! PLACE/slot-0/lock                  locked by the writer
//!              id                    the log's id
//!              log.pub               the public half of its key
//!              audit-00000001.log    lines; the tail of the last segment may be NULs
//!              checkpoints           signed notes, oldest first
//!              state                 how the log stood at the last checkpoint
//!              torn-1-4096           a last write that a crash had cut, moved aside
//! PLACE/slot-1/…                     the log of a second process beside the first
//! ```
//! With a [`Home`](crate::Home) the directory is a copy of the home's files. The home has every byte before the directory has it.

mod audit_home;
mod builder;
mod copy;
mod log_sink;
mod recover;
mod scratch;
mod segment;
mod signed;
mod slot;

pub use self::audit_home::AuditHome;
pub use self::builder::FileSinkBuilder;
pub use self::log_sink::FileSink;
pub use self::scratch::TemporaryPlace;
pub(crate) use self::segment::numbers as segment_numbers;
pub use self::slot::{begun_logs_in, copy_logs, is_written};
