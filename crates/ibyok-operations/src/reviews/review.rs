//! A review as an examination of the log, and its verbs.

use std::sync::atomic::Ordering;

use ibyok_core::audit::review::{Finding, LogReview, Reviewer};
use ibyok_core::audit::{
    ArchivedLines, AuditVerbs, Error as AuditError, Examined, Examiner, FollowUps, LeftOut, Line, LinePlace,
    ReviewDone, WholeLog,
};
use ibyok_core::jiff::{SignedDuration, Timestamp};
use ibyok_core::{Error, Result, Session};
use serde::Serialize;

use super::ReviewRequest;
use super::geoip::{Database, GeoIp};

/// The time before now that is reviewed unless the request says otherwise.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The result of a review, with the record of earlier ones.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Review {
    /// The findings and figures.
    #[serde(flatten)]
    pub found: LogReview,
    /// The number of findings that nobody has acknowledged.
    pub open: u64,
    /// The last recorded review of the log.
    pub last_done: Option<ReviewDone>,
}

impl From<Examined<LogReview>> for Review {
    fn from(examined: Examined<LogReview>) -> Self {
        let follow_ups = examined.follow_ups;
        let found = acknowledged(examined.found, &follow_ups);
        let open = found.findings.iter().filter(|finding| finding.acknowledged.is_none());
        Review {
            open: u64::try_from(open.count()).unwrap_or(u64::MAX),
            found,
            last_done: follow_ups.last_done().cloned(),
        }
    }
}

/// Returns the same review, with the acknowledgement of each finding.
pub(crate) fn acknowledged(mut found: LogReview, follow_ups: &FollowUps) -> LogReview {
    for finding in &mut found.findings {
        finding.acknowledged = follow_ups.of(&finding.id);
    }
    found
}

/// Gives the verbs on reviews of the audit log.
pub trait ReviewExt {
    /// Reviews the audit log, and records the follow-up. A [`Session`] reviews the lines that it may see, and a [`WholeLog`] the
    /// lines of all namespaces; its follow-ups are kept in the vault's home.
    fn reviews(&self) -> ReviewVerbs<'_>;
}

impl ReviewExt for Session {
    fn reviews(&self) -> ReviewVerbs<'_> {
        ReviewVerbs { audit: self.audit() }
    }
}

impl ReviewExt for WholeLog {
    fn reviews(&self) -> ReviewVerbs<'_> {
        ReviewVerbs { audit: self.audit() }
    }
}

/// The verbs on reviews of the audit log: see [`ReviewExt::reviews`].
#[derive(Clone, Copy, Debug)]
pub struct ReviewVerbs<'s> {
    audit: AuditVerbs<'s>,
}

impl<'s> ReviewVerbs<'s> {
    /// The verbs on the log, with the archives of a request.
    fn over<'r>(self, request: &'r ReviewRequest) -> AuditVerbs<'r>
    where
        's: 'r,
    {
        self.audit.with_archives(&request.archives)
    }

    /// Reviews the audit log: findings, each with the lines that show it, and figures.
    ///
    /// A token sees the lines that its grant covers with the scope `audit:read`: lines of its environments and keys,
    /// and those of no environment only if it may read all of the namespace.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] without the scope anywhere, [`Error::Invalid`] for a time that is to come,
    /// [`Error::Unavailable`] if the log or the database of countries cannot be read, or while another review is going on.
    pub async fn run(self, request: &ReviewRequest) -> Result<Review> {
        let examination = Examination::of(request.clone());
        Ok(self.over(request).examine(examination).await?.into())
    }

    /// Returns the last recorded review of the log.
    ///
    /// # Errors
    /// As [`ReviewVerbs::run`].
    pub async fn last(self) -> Result<Option<ReviewDone>> {
        self.audit.last_review().await
    }

    /// Acknowledges a finding of a review, with a reason: reviews show it as acknowledged from then on. A second time
    /// replaces the reason.
    ///
    /// For callers who may write incidents in the whole namespace, because a finding is silenced for all readers.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the review has no such finding, [`Error::Invalid`] for an id or reason that is none; else as
    /// [`ReviewVerbs::run`].
    pub async fn acknowledge(self, request: &ReviewRequest, finding: &str, reason: &str) -> Result<Finding> {
        let examination = Examination::of(request.clone());
        let examined = self.over(request).acknowledge(examination, finding, reason).await?;
        let found = acknowledged(examined.found, &examined.follow_ups).findings;
        // The vault acknowledged it because this review has it.
        let silenced = found.into_iter().find(|found| found.id.as_str() == finding);
        silenced.ok_or_else(|| Error::NotFound {
            what: "finding in this review".to_owned(),
            hint: None,
        })
    }

    /// Reviews the log, and records the review: its time, its principal, its last lines, and the number of findings.
    ///
    /// # Errors
    /// As [`ReviewVerbs::acknowledge`].
    pub async fn record(self, request: &ReviewRequest, reason: Option<&str>) -> Result<Review> {
        let examination = Examination::of(request.clone());
        Ok(self.over(request).record_review(examination, reason).await?.into())
    }
}

/// A review under way: the reviewer exists once the vault has admitted the request.
#[derive(Debug)]
pub(crate) struct Examination {
    request: ReviewRequest,
    begun: Option<(Reviewer, Option<Database>)>,
}

impl Examination {
    pub(crate) fn of(request: ReviewRequest) -> Self {
        Examination { request, begun: None }
    }

    /// Counts a line, and returns the reviewer for it.
    fn reviewer(&mut self) -> Option<&mut Reviewer> {
        self.request.progress.fetch_add(1, Ordering::Relaxed);
        self.begun.as_mut().map(|(reviewer, _)| reviewer)
    }
}

impl Examiner for Examination {
    type Found = LogReview;

    fn begin(&mut self, now: Timestamp) -> Result<Timestamp> {
        let since = match self.request.since {
            Some(since) if since >= now => {
                return Err(Error::invalid(
                    "the time to review is in the future",
                    "give a time in the past",
                ));
            }
            Some(since) => since,
            None => now.checked_sub(USUAL).unwrap_or(Timestamp::MIN),
        };
        let habits = &self.request.habits;
        let mut reviewer = Reviewer::new(since, now, &habits.thresholds)?;
        let database = habits.geoip.as_ref().map(GeoIp::load).transpose()?;
        if let Some(database) = &database {
            reviewer = reviewer.countries(database.clone());
        }
        let history = reviewer.history_since();
        self.begun = Some((reviewer, database));
        Ok(history)
    }

    fn take(&mut self, line: &Line) {
        if let Some(reviewer) = self.reviewer() {
            reviewer.take(line);
        }
    }

    fn pass_over(&mut self, place: &LinePlace<'_>) {
        if let Some(reviewer) = self.reviewer() {
            reviewer.pass_over(place);
        }
    }

    fn unreadable(&mut self, error: &AuditError) {
        if let Some(reviewer) = self.reviewer() {
            reviewer.unreadable(error);
        }
    }

    fn left_out(&mut self, left_out: &LeftOut) {
        if let Some((reviewer, _)) = &mut self.begun {
            reviewer.left_out(left_out);
        }
    }

    fn archived(&mut self, archived: &ArchivedLines) {
        if let Some((reviewer, _)) = &mut self.begun {
            reviewer.archived(archived);
        }
    }

    fn finish(self) -> Result<LogReview> {
        let (reviewer, database) = self
            .begun
            .ok_or_else(|| Error::invalid("the review did not begin", "review the log again"))?;
        let found = reviewer.finish();
        // A lookup in a damaged database finds nothing. Without this check, the review would silently miss countries.
        database.as_ref().map_or(Ok(()), Database::was_sound)?;
        Ok(found)
    }
}
