//! Sinks: where lines go.

mod batch;
mod contract;
pub(crate) mod describe;
mod file;
mod gap;
mod place;
mod stdout;

pub use self::batch::Batch;
pub use self::contract::{LaterSync, LogSink, Sink};
pub use self::describe::{SinkDescription, SinkDurability};
pub(crate) use self::file::segment_numbers;
pub use self::file::{AuditHome, FileSink, FileSinkBuilder, TemporaryPlace, begun_logs_in, copy_logs, is_written};
pub use self::gap::{Gap, GapKind};
pub use self::place::LogPlace;
pub use self::stdout::StdoutSink;
