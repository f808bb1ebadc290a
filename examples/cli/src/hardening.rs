//! Protects the memory of the process: no core dump, which would hold the secrets in it.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit before this program lowered it.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Turns core dumps off, and on Linux keeps other processes of the same user from attaching.
pub(crate) fn forbid_core_dumps() {
    let before = *BEFORE.get_or_init(|| getrlimit(Resource::Core));
    // A kernel that refuses leaves us as safe as any other program.
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: before.maximum,
        },
    )
    .unwrap_or_default();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).unwrap_or_default();
    }
}

/// Gives back the limit that we were started with, for a program that takes our place.
pub(crate) fn allow_core_dumps_again() {
    if let Some(before) = BEFORE.get() {
        setrlimit(Resource::Core, *before).unwrap_or_default();
    }
}
