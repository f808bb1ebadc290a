//! Time, as a trait, so that expiry and leases can be tested without waiting.

use std::fmt::Debug;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;

use crate::base::error::{Error, Part, Result};

/// The source of the vault's time.
pub trait Clock: Debug + Send + Sync {
    /// The wall clock, for expiry and for the audit log.
    fn now(&self) -> Timestamp;

    /// Time since some fixed point, never going back, running on while the machine is suspended; for leases and caches.
    fn elapsed(&self) -> Duration;
}

/// The machine's clocks: `CLOCK_REALTIME` and, on Linux, `CLOCK_BOOTTIME`.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock;

impl SystemClock {
    /// Checks that the machine's clock can be believed, as [`VaultBuilder::create`](crate::VaultBuilder::create) does.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the clock is past the year 9000.
    pub fn check() -> Result<()> {
        check_clock(wall_clock())
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn elapsed(&self) -> Duration {
        #[cfg(target_os = "linux")]
        let id = rustix::time::ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        let id = rustix::time::ClockId::Monotonic;
        let time = rustix::time::clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(seconds, nanos)
    }
}

/// Reads the machine's wall clock. A time past the end of the calendar becomes its last instant.
pub(crate) fn wall_clock() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// The beginning of the year 9000 in seconds since 1970. A clock beyond it is ignored, since calendars here end with the year
/// 9999 and expiries lie ahead of the clock.
const LAST_SECOND: i64 = 221_845_392_000;

/// Refuses a clock that is so far ahead that times to come could not be written.
pub(crate) fn check_clock(now: Timestamp) -> Result<()> {
    if now.as_second() < LAST_SECOND {
        return Ok(());
    }
    Err(Error::unavailable(Part::Clock, format!("it says {now:.0}")))
}

/// The longest time by which the audit log may be ahead of the machine's clock at open and still be believed.
const BELIEVED: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// A clock that never lets the wall time fall behind what has already passed, in this process or on the audit log.
///
/// A clock that is set back would revive expired tokens; one that jumps forward and returns is followed back. A log that is more
/// than 31 days ahead of the clock at open was written by a clock that was wrong, and does not count.
#[derive(Debug)]
pub(crate) struct SteadyClock {
    inner: std::sync::Arc<dyn Clock>,
    opened_at: Timestamp,
    opened: Duration,
}

impl SteadyClock {
    pub(crate) fn new(inner: std::sync::Arc<dyn Clock>, last_on_log: Option<Timestamp>) -> Self {
        let now = inner.now();
        let believed = now.saturating_add(BELIEVED).unwrap_or(Timestamp::MAX);
        let opened_at = last_on_log
            .filter(|last| *last <= believed)
            .map_or(now, |last| last.max(now));
        let opened = inner.elapsed();
        SteadyClock {
            inner,
            opened_at,
            opened,
        }
    }

    /// The time by which the wall clock is behind the time that has passed, if that is more than two seconds.
    pub(crate) fn set_back(&self) -> Option<Duration> {
        let behind = self.least().duration_since(self.inner.now());
        Duration::try_from(behind).ok().filter(|d| *d > Duration::from_secs(2))
    }

    fn least(&self) -> Timestamp {
        let passed = self.elapsed().saturating_sub(self.opened);
        self.opened_at.saturating_add(passed).unwrap_or(Timestamp::MAX)
    }
}

impl Clock for SteadyClock {
    fn now(&self) -> Timestamp {
        let (wall, passed) = (self.inner.now(), self.elapsed().saturating_sub(self.opened));
        // In nanoseconds first: the arithmetic of the calendar is only needed after the clock was set back.
        let passed = i128::try_from(passed.as_nanos()).unwrap_or(i128::MAX);
        if wall.as_nanosecond() >= self.opened_at.as_nanosecond().saturating_add(passed) {
            return wall;
        }
        wall.max(self.least())
    }

    fn elapsed(&self) -> Duration {
        self.inner.elapsed()
    }
}

#[cfg(test)]
pub(crate) mod manual {
    use std::sync::Mutex;

    use super::*;

    /// A clock that stands still until it is moved.
    #[derive(Debug)]
    pub(crate) struct ManualClock(Mutex<(Timestamp, Duration)>);

    impl ManualClock {
        pub(crate) fn at(now: Timestamp) -> Self {
            ManualClock(Mutex::new((now, Duration::from_secs(1000))))
        }

        pub(crate) fn pass(&self, time: Duration) {
            let mut state = self.0.lock().unwrap();
            state.0 += time;
            state.1 += time;
        }

        pub(crate) fn set_wall(&self, now: Timestamp) {
            self.0.lock().unwrap().0 = now;
        }
    }

    impl Clock for ManualClock {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn elapsed(&self) -> Duration {
            self.0.lock().unwrap().1
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::manual::ManualClock;
    use super::*;

    #[test]
    fn a_clock_set_back_does_not_bring_the_past_back() {
        let start: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let wall = Arc::new(ManualClock::at(start));
        let steady = SteadyClock::new(wall.clone(), None);
        wall.pass(Duration::from_secs(60));
        wall.set_wall("2026-11-22T10:00:00Z".parse().unwrap());
        assert_eq!(steady.now(), start + Duration::from_secs(60));
        assert!(steady.set_back().is_some());
    }

    #[test]
    fn a_clock_that_jumps_forward_and_returns_is_followed() {
        let start: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let wall = Arc::new(ManualClock::at(start));
        let steady = SteadyClock::new(wall.clone(), None);
        wall.set_wall("2036-11-24T10:00:00Z".parse().unwrap());
        assert_eq!(steady.now().to_string(), "2036-11-24T10:00:00Z");
        wall.set_wall(start);
        assert_eq!(steady.now(), start);
    }

    #[test]
    fn a_clock_set_back_before_the_start_is_known_by_the_log() {
        let now: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let wall: Arc<dyn Clock> = Arc::new(ManualClock::at(now));
        let on_log = "2026-11-26T10:00:00Z".parse().unwrap();
        let steady = SteadyClock::new(Arc::clone(&wall), Some(on_log));
        assert_eq!((steady.now(), steady.set_back().is_some()), (on_log, true));
        let nonsense = "2036-11-26T10:00:00Z".parse().unwrap();
        assert_eq!(SteadyClock::new(wall, Some(nonsense)).now(), now);
    }

    #[test]
    fn the_machines_monotonic_clock_moves() {
        let first = SystemClock.elapsed();
        std::thread::sleep(Duration::from_millis(2));
        assert!(SystemClock.elapsed() > first);
    }
}
