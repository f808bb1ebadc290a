//! Review of the audit log: the lines that deserve attention, for callers who may read the log, and the follow-up.

mod acknowledge;
mod prove;

pub use self::prove::check_proof;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ibyok_audit::Action;
use ibyok_audit::review::{Acknowledged, Finding, LogReview as Found};
use ibyok_policy::Scope;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::base::error::{Error, Part, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::review::{ReviewDone, ReviewRecord};
use crate::review::view::View;
use crate::vault::handles::ReviewVerbs;
use crate::vault::session::Session;

/// The time before now that is reviewed unless the request says otherwise.
const USUAL: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The request for a review.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReviewRequest {
    /// The beginning of the review; seven days ago unless given.
    pub since: Option<Timestamp>,
    /// Counts the lines that were read, for a progress bar.
    pub progress: Arc<AtomicU64>,
}

impl ReviewRequest {
    /// The time since then.
    #[must_use]
    pub fn since(since: impl Into<Option<Timestamp>>) -> Self {
        ReviewRequest {
            since: since.into(),
            progress: Arc::default(),
        }
    }
}

/// The result of a review, with the record of earlier ones.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Review {
    /// The findings and figures.
    #[serde(flatten)]
    pub found: Found,
    /// The number of findings that nobody has acknowledged.
    pub open: u64,
    /// The last recorded review of the log.
    pub last_done: Option<ReviewDone>,
}

impl ReviewVerbs<'_> {
    /// Reviews the audit log: findings, each with the lines that show it, and figures.
    ///
    /// A token sees the lines that its grant covers with the scope `audit:read`: lines of its environments and keys,
    /// and those of no environment only if it may read all of the namespace.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] without the scope anywhere, [`Error::Invalid`] for a time that is to come,
    /// [`Error::Unavailable`] if the log cannot be read, or while another review is going on.
    pub async fn run(self, request: &ReviewRequest) -> Result<Review> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self
                .session
                .inner
                .limits
                .authenticate(&mut attempt, &self.session.asking)
                .await?;
            self.session.reviewed(&attempt, &principal, request).await
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Returns the last recorded review of the log.
    ///
    /// # Errors
    /// As [`ReviewVerbs::run`](crate::reviews::ReviewVerbs::run).
    pub async fn last(self) -> Result<Option<ReviewDone>> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self
                .session
                .inner
                .limits
                .authenticate(&mut attempt, &self.session.asking)
                .await?;
            let inner = &self.session.inner;
            inner
                .gate
                .may_use_somewhere(&attempt, &principal, Scope::AuditRead)
                .await?;
            Ok(inner.reviews.reviews_of(&principal).await?.done.pop())
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }
}

impl Session {
    pub(crate) async fn reviewed(
        &self,
        attempt: &Attempt<'_>,
        who: &Principal,
        request: &ReviewRequest,
    ) -> Result<Review> {
        let inner = &self.inner;
        inner.gate.may_use_somewhere(attempt, who, Scope::AuditRead).await?;
        let since = match request.since {
            Some(since) if since >= attempt.at => {
                return Err(Error::invalid(
                    "the time to review is in the future",
                    "give a time in the past",
                ));
            }
            Some(since) => since,
            None => attempt.at.checked_sub(USUAL).unwrap_or(Timestamp::MIN),
        };
        let Ok(_turn) = inner.reviews.turn.try_lock() else {
            let why = "another review is running: try again when it has ended";
            return Err(Error::unavailable(Part::AuditLog, why));
        };
        let view = View::of(attempt, who, inner.logs.namespace_since(who).await?);
        let mut found = inner
            .reviews
            .walk(view, since, attempt.at, Arc::clone(&request.progress))
            .await?;
        let record = inner.reviews.reviews_of(who).await?;
        for finding in &mut found.findings {
            acknowledged(finding, &record);
        }
        let open = found
            .findings
            .iter()
            .filter(|finding| finding.acknowledged.is_none())
            .count();
        Ok(Review {
            found,
            open: u64::try_from(open).unwrap_or(u64::MAX),
            last_done: record.done.last().cloned(),
        })
    }
}

fn acknowledged(finding: &mut Finding, record: &ReviewRecord) {
    finding.acknowledged = record.ack(&finding.id).map(|ack| Acknowledged {
        at: ack.at,
        by: ack.by.clone(),
        reason: ack.reason.clone(),
    });
}
