//! The follow-up of a review: findings that were acknowledged, and that the log was reviewed.

use ibyok_audit::Action;
use ibyok_audit::review::{Acknowledged, Finding, FindingId};
use ibyok_policy::Scope;

use super::{Review, ReviewRequest};
use crate::base::error::{Error, Result, quoted};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::account::check_no_secret;
use crate::model::review::{Ack, REVIEW_ID, ReviewDone, ReviewRecord, ReviewedLog};
use crate::vault::handles::ReviewVerbs;
use ibyok_audit::words::counted;

/// The longest reason, in bytes.
const REASON_MAX: usize = 512;

impl ReviewVerbs<'_> {
    /// Acknowledges a finding of a review, with a reason: reviews show it as acknowledged from then on. A second time
    /// replaces the reason.
    ///
    /// For callers who may write incidents in the whole namespace, because a finding is silenced for all readers.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the review has no such finding, [`Error::Invalid`] for an id or reason that is none; else as
    /// [`ReviewVerbs::run`](crate::reviews::ReviewVerbs::run).
    pub async fn acknowledge(self, request: &ReviewRequest, finding: &str, reason: &str) -> Result<Finding> {
        let mut attempt = self.session.attempt(Action::ReviewAck);
        let outcome = async {
            let principal = self
                .session
                .inner
                .limits
                .authenticate(&mut attempt, &self.session.asking)
                .await?;
            self.may_settle(&attempt, &principal)?;
            let id = FindingId::parse(finding).ok_or_else(|| {
                Error::invalid_name("finding", finding, "16 hex digits, as `audit review` shows them")
            })?;
            check_reason(reason)?;
            attempt.facts.target = Some(("finding", id.to_string()));
            attempt.facts.because = Some(reason.to_owned());
            let review = self.session.reviewed(&attempt, &principal, request).await?;
            let found = review.found.findings.into_iter().find(|found| found.id == id);
            let mut found = found.ok_or_else(|| Error::NotFound {
                what: format!("finding {} in this review", quoted(finding)),
                hint: Some("review a longer time, such as the time that showed the finding".into()),
            })?;
            let (at, by) = (attempt.at, principal.by());
            let ack = Ack {
                finding: id.to_string(),
                at,
                by: by.clone(),
                reason: reason.to_owned(),
            };
            self.change_reviews(&mut attempt, &principal, |record| record.acknowledge(ack.clone()))
                .await?;
            found.acknowledged = Some(Acknowledged {
                at,
                by,
                reason: reason.to_owned(),
            });
            Ok(found)
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Reviews the log, and records the review: its time, its principal, its last lines, and the number of findings.
    ///
    /// # Errors
    /// As [`ReviewVerbs::acknowledge`](crate::reviews::ReviewVerbs::acknowledge).
    pub async fn record(self, request: &ReviewRequest, reason: Option<&str>) -> Result<Review> {
        let mut attempt = self.session.attempt(Action::ReviewDone);
        let outcome = async {
            let principal = self
                .session
                .inner
                .limits
                .authenticate(&mut attempt, &self.session.asking)
                .await?;
            self.may_settle(&attempt, &principal)?;
            reason.map(check_reason).transpose()?;
            let mut review = self.session.reviewed(&attempt, &principal, request).await?;
            let done = done(&review, &attempt, &principal, reason);
            attempt.facts.because = Some(in_words(&done));
            attempt.facts.target = Some(("log", self.session.inner.recorder.log.status().id));
            attempt.facts.count = review.found.lines;
            self.change_reviews(&mut attempt, &principal, |record| record.add(done.clone()))
                .await?;
            review.last_done = Some(done);
            Ok(review)
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Checks that a principal may settle something for everybody in the namespace.
    fn may_settle(self, attempt: &Attempt<'_>, who: &Principal) -> Result<()> {
        let (scope, namespace) = (Scope::IncidentsWrite, who.namespace());
        self.session
            .inner
            .gate
            .allowed(attempt, who, scope, namespace, None, None)
    }

    async fn change_reviews(
        self,
        attempt: &mut Attempt<'_>,
        who: &Principal,
        mut edit: impl FnMut(&mut ReviewRecord) + Send,
    ) -> Result<()> {
        let whole = self.session.inner.records.whole_realm(who.namespace()).await?;
        let change =
            self.session
                .inner
                .changes
                .change(attempt, who, &whole, REVIEW_ID, |_, record: Option<ReviewRecord>| {
                    let mut record = record.unwrap_or_default();
                    edit(&mut record);
                    Ok(Edit::Gives(record, ()))
                });
        change.await
    }
}

fn done(review: &Review, attempt: &Attempt<'_>, who: &Principal, reason: Option<&str>) -> ReviewDone {
    let until = review.found.logs.iter().map(|read| ReviewedLog {
        log: read.log.to_string(),
        seq: read.until,
    });
    let more: u64 = review.found.more.values().sum();
    let told = u64::try_from(review.found.findings.len()).unwrap_or(u64::MAX);
    ReviewDone {
        at: attempt.at,
        by: who.by(),
        since: review.found.since,
        until: until.collect(),
        findings: told.saturating_add(more),
        open: review.open.saturating_add(more),
        reason: reason.map(str::to_owned),
    }
}

fn in_words(done: &ReviewDone) -> String {
    let until: Vec<String> = done
        .until
        .iter()
        .map(|read| format!("{}:{}", read.log, read.seq))
        .collect();
    let reason = done
        .reason
        .as_deref()
        .map_or_else(String::new, |reason| format!("; {reason}"));
    format!(
        "{}, {} open, up to {}{reason}",
        counted(done.findings, "finding"),
        done.open,
        until.join(" ")
    )
}

fn check_reason(reason: &str) -> Result<()> {
    if reason.trim().is_empty() || reason.len() > REASON_MAX || reason.chars().any(char::is_control) {
        return Err(Error::invalid(
            format!("the reason is empty, longer than {REASON_MAX} bytes, or holds control characters"),
            "write one sentence: the reason to acknowledge the finding, or the action taken",
        ));
    }
    check_no_secret("reason", reason)
}
