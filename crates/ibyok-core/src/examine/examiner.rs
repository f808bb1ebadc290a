//! The examiner of the log, which an embedder may write.

use ibyok_audit::review::{FindingId, LogReview, Reviewer};
use ibyok_audit::{ArchivedLines, Error as AuditError, LeftOut, Line, LinePlace};
use jiff::Timestamp;

use crate::base::error::Result;
use crate::model::review::{FollowUps, ReviewedLog};

/// Takes in lines of the audit log, oldest first, and finds something in them: see
/// [`AuditVerbs::examine`](crate::audit::AuditVerbs::examine).
///
/// The vault decides the lines that an examiner sees. An examiner learns only the place of each other line, so that it does not take
/// the line for a missing one. [`Reviewer`] implements this trait.
pub trait Examiner: Send + 'static {
    /// The result of the examination.
    type Found: Send + 'static;

    /// Prepares the examination at the time of the request, on a thread that may block. Returns the time from which on the vault reads
    /// lines.
    ///
    /// # Errors
    /// Any error ends the examination; the caller gets it.
    fn begin(&mut self, now: Timestamp) -> Result<Timestamp>;

    /// Takes in the next line that the caller may see.
    fn take(&mut self, line: &Line);

    /// Takes in the place of a line that the caller may not see, or that the log is not believed about.
    fn pass_over(&mut self, place: &LinePlace<'_>);

    /// Takes in that a line could not be read.
    fn unreadable(&mut self, error: &AuditError);

    /// Takes in that lines of a log were left out.
    fn left_out(&mut self, left_out: &LeftOut);

    /// Takes in that lines of a log are archived and were not shown.
    fn archived(&mut self, archived: &ArchivedLines);

    /// Ends the examination and returns its result.
    ///
    /// # Errors
    /// Any error is the outcome of the examination; the caller gets it.
    fn finish(self) -> Result<Self::Found>;
}

impl Examiner for Reviewer {
    type Found = LogReview;

    fn begin(&mut self, _: Timestamp) -> Result<Timestamp> {
        Ok(self.history_since())
    }

    fn take(&mut self, line: &Line) {
        Reviewer::take(self, line);
    }

    fn pass_over(&mut self, place: &LinePlace<'_>) {
        Reviewer::pass_over(self, place);
    }

    fn unreadable(&mut self, error: &AuditError) {
        Reviewer::unreadable(self, error);
    }

    fn left_out(&mut self, left_out: &LeftOut) {
        Reviewer::left_out(self, left_out);
    }

    fn archived(&mut self, archived: &ArchivedLines) {
        Reviewer::archived(self, archived);
    }

    fn finish(self) -> Result<LogReview> {
        Ok(Reviewer::finish(self))
    }
}

/// The result of an examination, with the follow-ups of earlier reviews.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Examined<F> {
    /// The result.
    pub found: F,
    /// The follow-ups.
    pub follow_ups: FollowUps,
}

/// A result that people can follow up: they acknowledge its findings, and record the review.
pub trait FollowedUp {
    /// Returns true if the result has this finding.
    fn has(&self, finding: &FindingId) -> bool;

    /// Returns the figures for the record of the review.
    fn account(&self, follow_ups: &FollowUps) -> ReviewAccount;
}

impl FollowedUp for LogReview {
    fn has(&self, finding: &FindingId) -> bool {
        self.findings.iter().any(|found| found.id == *finding)
    }

    fn account(&self, follow_ups: &FollowUps) -> ReviewAccount {
        let until = self.logs.iter().map(|read| ReviewedLog {
            log: read.log.to_string(),
            seq: read.until,
        });
        // Nobody can acknowledge a finding that a review only counts.
        let more: u64 = self.more.values().sum();
        let open = self.findings.iter().filter(|found| follow_ups.of(&found.id).is_none());
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX).saturating_add(more);
        ReviewAccount {
            since: self.since,
            until: until.collect(),
            lines: self.lines,
            findings: count(self.findings.len()),
            open: count(open.count()),
        }
    }
}

/// The figures of a review, for its record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "an examiner names every figure")]
pub struct ReviewAccount {
    /// The time from which lines were under review.
    pub since: Timestamp,
    /// The last line of each log that was read.
    pub until: Vec<ReviewedLog>,
    /// The number of lines under review.
    pub lines: u64,
    /// The number of findings.
    pub findings: u64,
    /// The number of findings that nobody had acknowledged.
    pub open: u64,
}
