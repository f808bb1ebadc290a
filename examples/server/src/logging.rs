//! The server's own log: JSON lines on standard error, which hold no secret.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::OnceLock;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// The level of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogLevel {
    /// Failures.
    Error,
    /// And near failures.
    Warn,
    /// And each request that is refused.
    #[default]
    Info,
    /// And each request, and each connection that ended early.
    Debug,
    /// All further details.
    Trace,
}

impl LogLevel {
    fn filter(self) -> LevelFilter {
        match self {
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
            LogLevel::Trace => LevelFilter::TRACE,
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LogLevel::Error => "error",
            LogLevel::Warn => "warn",
            LogLevel::Info => "info",
            LogLevel::Debug => "debug",
            LogLevel::Trace => "trace",
        })
    }
}

impl FromStr for LogLevel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            LogLevel::Error,
            LogLevel::Warn,
            LogLevel::Info,
            LogLevel::Debug,
            LogLevel::Trace,
        ];
        let found = all.into_iter().find(|level| level.to_string() == text);
        found.ok_or_else(|| "the level must be error, warn, info, debug or trace".to_owned())
    }
}

/// The file that standard error was when logging began, and its mode.
static FILE: OnceLock<Option<(PathBuf, u32)>> = OnceLock::new();

/// The file that standard error is, if it is one that has a name.
fn file() -> Option<(PathBuf, u32)> {
    let there = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?)
        .metadata()
        .ok()?;
    let path = std::fs::read_link("/proc/self/fd/2").ok()?;
    let named = std::fs::metadata(&path).ok()?;
    let same = (there.dev(), there.ino()) == (named.dev(), named.ino());
    (there.is_file() && same).then(|| (path, there.mode() & 0o777))
}

/// Opens the file again that standard error was when logging began, so that a tool which moved it away gets a new
/// one. Returns `false` if it was no file.
pub(crate) fn reopen_log() -> io::Result<bool> {
    let Some((path, mode)) = FILE.get().and_then(Option::as_ref) else {
        return Ok(false);
    };
    let new = OpenOptions::new().append(true).create(true).mode(*mode).open(path)?;
    rustix::stdio::dup2_stderr(new)?;
    Ok(true)
}

/// Logs to standard error from now on. A program that logs by itself leaves this out.
///
/// The level is that of this project's own code. Libraries log warnings at most, at any level, since at lower ones
/// they may show the data that they carry. If another logger is installed already, nothing changes.
pub fn log_to_stderr(level: LogLevel) {
    FILE.get_or_init(file);
    let own = [
        "ibyok_server",
        "ibyok_core",
        "ibyok_storage",
        "ibyok_audit",
        "ibyok_crypto",
    ];
    let targets = Targets::new()
        .with_default(level.filter().min(LevelFilter::WARN))
        .with_targets(own.map(|target| (target, level.filter())));
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_writer(std::io::stderr);
    // It fails where something logs already, which is how that is known.
    tracing_subscriber::registry().with(targets).with(lines).try_init().ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_reads_back_as_it_is_written() {
        for text in ["error", "warn", "info", "debug", "trace"] {
            assert_eq!(text.parse::<LogLevel>().unwrap().to_string(), text);
        }
        assert!("hyper=trace".parse::<LogLevel>().is_err());
    }
}
