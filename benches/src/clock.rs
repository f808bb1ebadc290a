//! What the machine says a process took.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// CPU time at one moment: of this thread, and of the whole process.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Cpu {
    /// Of the thread that asked.
    pub thread: Duration,
    /// Of all threads of the process.
    pub process: Duration,
}

impl Cpu {
    /// What was taken until now.
    #[must_use]
    pub fn now() -> Self {
        Cpu {
            thread: read(ClockId::ThreadCPUTime),
            process: read(ClockId::ProcessCPUTime),
        }
    }

    /// What was taken since an earlier moment, on the same thread.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Cpu {
            thread: self.thread.saturating_sub(earlier.thread),
            process: self.process.saturating_sub(earlier.process),
        }
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    let nanos = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(seconds, nanos)
}

/// The memory that a process holds resident, in KiB, as `/proc` says it; `None` where there is no `/proc` or no such process.
#[must_use]
pub fn resident_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}
