//! Hardens the process: its memory stays its own, and its files can always be opened.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Turns core dumps off. On Linux, also keeps other processes of the same user from reading this process's memory.
///
/// # Errors
/// The error of the operating system. On systems other than Linux, only core dumps can fail.
pub fn no_core_dumps() -> io::Result<()> {
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Returns the largest number of connections, at most `wanted`, that leaves at least half of the process's
/// descriptors for the store and the audit log.
pub(crate) fn connections_within(wanted: usize) -> usize {
    let descriptors = getrlimit(Resource::Nofile)
        .current
        .and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(wanted, |descriptors| wanted.min((descriptors / 2).max(1)))
}
