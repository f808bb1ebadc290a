//! Leading an examiner through the logs of the vault's place, off the runtime, within a bound of time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ibyok_audit::{Filter, LinePlace, Reader};
use jiff::Timestamp;

use super::view::View;
use super::{Examinations, Examiner};
use crate::base::clock::{Clock as _, SteadyClock};
use crate::base::error::{Error, Part, Result};

/// An examination that takes longer is given up.
const LONGEST: Duration = Duration::from_secs(900);

/// The number of lines after which an examination checks whether its caller still waits.
const LOOK: u64 = 4096;

/// Marks the caller as gone when it is dropped.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

struct Walk<E> {
    reader: Reader,
    examiner: E,
    now: Timestamp,
    view: View,
    over: Arc<AtomicBool>,
    clock: Arc<SteadyClock>,
}

impl Examinations {
    /// Shows an examiner the lines that a view shows, of every log in the place of this process's own.
    pub(crate) async fn walk<E: Examiner>(
        &self,
        view: View,
        now: Timestamp,
        examiner: E,
        archives: &[PathBuf],
    ) -> Result<E::Found> {
        // Lines that are still queued are not in the files, and the examination would end before them.
        self.recorder.log.flush().await?;
        let over = Arc::new(AtomicBool::new(false));
        let waiting = Waiting(Arc::clone(&over));
        let reader = self.logs.log_reader_with(&Filter::default(), archives).await?;
        let walk = Walk {
            reader: reader.keeping_places(),
            examiner,
            now,
            view,
            over,
            clock: Arc::clone(&self.records.clock),
        };
        // The walk reads files for minutes, which would block a thread of the runtime.
        let found = tokio::task::spawn_blocking(move || walk.run()).await;
        drop(waiting);
        found.map_err(|_| Error::unavailable(Part::AuditLog, "the review was interrupted"))?
    }
}

impl<E: Examiner> Walk<E> {
    fn run(mut self) -> Result<E::Found> {
        let mut filter = Filter::default();
        // Every line from there on, of any time: a line that was left out would look like one that is missing.
        filter.read_from = Some(self.examiner.begin(self.now)?);
        let begun = self.clock.elapsed();
        let mut lines = self.reader.lines(&filter)?;
        for (count, line) in (0_u64..).zip(lines.by_ref()) {
            if count.is_multiple_of(LOOK) {
                self.still_wanted(begun)?;
            }
            match line {
                Ok(line) if line.is_believed() && self.view.shows(line.entry()) => self.examiner.take(&line),
                // The examiner still needs the number of a hidden line, or it would report a gap in the log.
                Ok(line) => self.examiner.pass_over(&LinePlace::of(&line)),
                Err(error) => self.examiner.unreadable(&error),
            }
        }
        for left_out in lines.left_out() {
            self.examiner.left_out(&left_out);
        }
        for archived in lines.archived() {
            self.examiner.archived(archived);
        }
        self.examiner.finish()
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
