//! What the process does so that its memory stays its own.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

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
