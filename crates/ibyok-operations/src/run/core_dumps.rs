//! Core dumps: a program that holds secrets makes none, and the program that it starts may.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit before this process lowered it.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Turns core dumps off, and on Linux keeps other processes of the same user from attaching.
pub fn forbid_core_dumps() {
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

/// Restores the limit from before [`forbid_core_dumps`], for a program that takes the place of this process.
pub fn allow_core_dumps_again() {
    if let Some(before) = BEFORE.get() {
        setrlimit(Resource::Core, *before).unwrap_or_default();
    }
}
