//! What the process does so that its memory stays its own, and its files can always be opened.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Turns core dumps off, and on Linux also other processes' of the same user looking into this one's memory.
///
/// # Errors
/// What the system says; on systems without the second, nothing about it.
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

/// How many connections may be open so that at least half of the process's descriptors are left for the store and the audit log.
pub(crate) fn connections_within(wanted: usize) -> usize {
    let descriptors = getrlimit(Resource::Nofile)
        .current
        .and_then(|limit| usize::try_from(limit).ok());
    descriptors.map_or(wanted, |descriptors| wanted.min((descriptors / 2).max(1)))
}
