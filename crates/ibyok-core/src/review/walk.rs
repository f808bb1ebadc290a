//! Going through the logs of the vault's place, off the runtime, within a bound of time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use ibyok_audit::review::{LogReview as Found, Reviewer, Thresholds};
use ibyok_audit::{Filter, Reader};
use jiff::Timestamp;

use super::Reviews;
use super::view::View;
use crate::base::clock::{Clock as _, SteadyClock};
use crate::base::error::{Error, Part, Result};
use crate::geoip::{Database, GeoIp};

/// A review that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(900);

/// The number of lines after which a review checks whether its caller still waits.
const LOOK: u64 = 4096;

/// Marks the caller as gone when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Walk {
    reader: Reader,
    thresholds: Thresholds,
    geoip: Option<GeoIp>,
    since: Timestamp,
    until: Timestamp,
    view: View,
    read: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    clock: Arc<SteadyClock>,
}

impl Reviews {
    /// Reviews the lines that a view shows, of every log in the place of this process's own.
    pub(crate) async fn walk(
        &self,
        view: View,
        since: Timestamp,
        until: Timestamp,
        read: Arc<AtomicU64>,
    ) -> Result<Found> {
        // Lines that are still queued are not in the files, and the review would end before them.
        self.recorder.log.flush().await?;
        let over = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(Arc::clone(&over));
        let walk = Walk {
            reader: self.logs.log_reader(&Filter::default()).await?.keeping_places(),
            thresholds: self.habits.thresholds.clone(),
            geoip: self.habits.geoip.clone(),
            since,
            until,
            view,
            read,
            over,
            clock: Arc::clone(&self.records.clock),
        };
        // The walk reads files for minutes, which would block a thread of the runtime.
        let found = tokio::task::spawn_blocking(move || walk.run()).await;
        drop(waiting);
        found.map_err(|_| Error::unavailable(Part::AuditLog, "the review was interrupted"))?
    }
}

impl Walk {
    fn run(mut self) -> Result<Found> {
        let mut reviewer = Reviewer::new(self.since, self.until, &self.thresholds)?;
        let database = self.geoip.as_ref().map(GeoIp::load).transpose()?;
        if let Some(database) = &database {
            reviewer = reviewer.countries(database.clone());
        }
        let mut filter = Filter::default();
        // Every line from there on, of any time: a line that was left out would look like one that is missing.
        filter.read_from = Some(reviewer.history_since());
        let begun = self.clock.elapsed();
        let mut lines = self.reader.lines(&filter)?;
        for line in lines.by_ref() {
            let count = self.read.fetch_add(1, Ordering::Relaxed);
            if count.is_multiple_of(LOOK) {
                self.still_wanted(begun)?;
            }
            match line {
                Ok(line) if line.is_believed() && self.view.shows(line.entry()) => reviewer.take(&line),
                // The reviewer still needs the number of a hidden line, or it would report a gap in the log.
                Ok(line) => reviewer.pass_over(&line),
                Err(error) => reviewer.unreadable(&error),
            }
        }
        for left_out in lines.left_out() {
            reviewer.left_out(&left_out);
        }
        let found = reviewer.finish();
        // A lookup in a damaged database finds nothing. Without this check, the review would silently miss countries.
        database.as_ref().map_or(Ok(()), Database::was_sound)?;
        Ok(found)
    }

    fn still_wanted(&self, begun: Duration) -> Result<()> {
        if self.over.load(Ordering::Relaxed) {
            return Err(Error::unavailable(Part::AuditLog, "the caller of the review has gone"));
        }
        if self.clock.elapsed().saturating_sub(begun) > LONGEST {
            let why = format!(
                "the review took longer than {} s: review a shorter time",
                LONGEST.as_secs()
            );
            return Err(Error::unavailable(Part::AuditLog, why));
        }
        Ok(())
    }
}
