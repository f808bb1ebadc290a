//! The machine's account of the time that a process takes.

use std::fs::{read_dir, read_to_string};
use std::time::Duration;

/// CPU time that this process's threads have taken until one moment, by what they do.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Cpu {
    /// The one thread that writes the audit log.
    pub writer: Duration,
    /// Every other: the callers.
    pub callers: Duration,
}

impl Cpu {
    /// Returns the time taken until now, from Linux's `/proc`. Zero on other systems.
    #[must_use]
    pub fn now() -> Self {
        let mut all = Cpu::default();
        for thread in read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |file| read_to_string(thread.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse().ok());
            let time = Duration::from_nanos(nanos.unwrap_or_default());
            if read("comm").starts_with("audit-writer") {
                all.writer += time;
            } else {
                all.callers += time;
            }
        }
        all
    }

    /// Returns the time taken since an earlier moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Cpu {
            writer: self.writer.saturating_sub(earlier.writer),
            callers: self.callers.saturating_sub(earlier.callers),
        }
    }
}

/// The memory that a process holds resident, in KiB, as `/proc` says it; `None` where there is no `/proc` or no such process.
#[must_use]
pub fn resident_kib(process: u32) -> Option<u64> {
    let status = read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
