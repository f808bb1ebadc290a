//! The follow-up of a review: findings that were acknowledged, and that the log was reviewed.

use ibyok_audit::Action;
use ibyok_audit::review::FindingId;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result, quoted};
use crate::changes::Edit;
use crate::examine::{Examined, Examiner, FollowedUp, ReviewAccount};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::account::check_no_secret;
use crate::model::review::{Ack, REVIEW_ID, ReviewDone, ReviewRecord};
use crate::vault::handles::AuditVerbs;
use ibyok_audit::words::counted;

/// The longest reason, in bytes.
const REASON_MAX: usize = 512;

impl AuditVerbs<'_> {
    /// Acknowledges a finding of an examination, with a reason: later results show it as acknowledged. A second time
    /// replaces the reason.
    ///
    /// For callers who may write incidents in the whole namespace, because a finding is silenced for all readers.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the result has no such finding, [`Error::Invalid`] for an id or reason that is none; else as
    /// [`AuditVerbs::examine`](crate::audit::AuditVerbs::examine).
    pub async fn acknowledge<E>(self, examiner: E, finding: &str, reason: &str) -> Result<Examined<E::Found>>
    where
        E: Examiner<Found: FollowedUp>,
    {
        let mut attempt = self.session.attempt(Action::ReviewAck);
        let outcome = self.try_acknowledge(&mut attempt, examiner, (finding, reason)).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_acknowledge<E>(
        self,
        attempt: &mut Attempt<'_>,
        examiner: E,
        (finding, reason): (&str, &str),
    ) -> Result<Examined<E::Found>>
    where
        E: Examiner<Found: FollowedUp>,
    {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        self.may_settle(attempt, &principal)?;
        let id = FindingId::parse(finding)
            .ok_or_else(|| Error::invalid_name("finding", finding, "16 hex digits, as a review shows them"))?;
        check_reason(reason)?;
        attempt.facts.target = Some(("finding", id.to_string()));
        attempt.facts.because = Some(reason.to_owned());
        let mut examined = self
            .session
            .examined(attempt, &principal, examiner, self.archives)
            .await?;
        if !examined.found.has(&id) {
            return Err(Error::NotFound {
                what: format!("finding {} in this review", quoted(finding)),
                hint: Some("review a longer time, such as the time that showed the finding".into()),
            });
        }
        let ack = Ack {
            finding: id.to_string(),
            at: attempt.at,
            by: principal.by(),
            reason: reason.to_owned(),
        };
        self.change_reviews(attempt, &principal, |record| record.acknowledge(ack.clone()))
            .await?;
        examined.follow_ups.0.acknowledge(ack);
        Ok(examined)
    }

    /// Examines the log, and records the review: its time, its principal, its last lines, and the number of findings.
    ///
    /// # Errors
    /// As [`AuditVerbs::acknowledge`](crate::audit::AuditVerbs::acknowledge).
    pub async fn record_review<E>(self, examiner: E, reason: Option<&str>) -> Result<Examined<E::Found>>
    where
        E: Examiner<Found: FollowedUp>,
    {
        let mut attempt = self.session.attempt(Action::ReviewDone);
        let outcome = self.try_record_review(&mut attempt, examiner, reason).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_record_review<E>(
        self,
        attempt: &mut Attempt<'_>,
        examiner: E,
        reason: Option<&str>,
    ) -> Result<Examined<E::Found>>
    where
        E: Examiner<Found: FollowedUp>,
    {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        self.may_settle(attempt, &principal)?;
        reason.map(check_reason).transpose()?;
        let mut examined = self
            .session
            .examined(attempt, &principal, examiner, self.archives)
            .await?;
        let account = examined.found.account(&examined.follow_ups);
        attempt.facts.count = account.lines;
        let done = done(account, attempt, &principal, reason);
        attempt.facts.because = Some(in_words(&done));
        attempt.facts.target = Some(("log", inner.recorder.log.status().id));
        self.change_reviews(attempt, &principal, |record| record.add(done.clone()))
            .await?;
        examined.follow_ups.0.add(done);
        Ok(examined)
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

fn done(account: ReviewAccount, attempt: &Attempt<'_>, who: &Principal, reason: Option<&str>) -> ReviewDone {
    ReviewDone {
        at: attempt.at,
        by: who.by(),
        since: account.since,
        until: account.until,
        findings: account.findings,
        open: account.open,
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
