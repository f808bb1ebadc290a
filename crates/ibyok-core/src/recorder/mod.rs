//! The recorder: puts each answer and each refusal on the log before the caller gets it.
//!
//! - `uses`: retrievals, which are counted with their lines
//! - `fold`: the lines of counts, once their time is over
//! - `refusals`, `token_refusals`, `limit_refusals`, `folded`: refusals that share a line, so that nobody fills the log

pub(crate) mod fold;
pub(crate) mod folded;
pub(crate) mod limit_refusals;
pub(crate) mod refusals;
pub(crate) mod token_refusals;
pub(crate) mod uses;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ibyok_audit::{Event, Log, Outcome};

use self::limit_refusals::LimitRefusals;
use self::refusals::Refusals;
use self::token_refusals::TokenRefusals;
use crate::base::clock::Clock;
use crate::base::error::{Error, Result};
use crate::gate::attempt::{Attempt, outcome_of};
use crate::gate::meter::Meter;
use crate::limit::Limits;

use crate::recorder::token_refusals::Sort;
use crate::records::Records;

/// Puts attempts on the log.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) records: Arc<Records>,
    pub(crate) limits: Arc<Limits>,
    pub(crate) log: Log,
    pub(crate) meter: Arc<dyn Meter>,
    pub(crate) refusals: Refusals,
    pub(crate) limit_refusals: LimitRefusals,
    pub(crate) token_refusals: TokenRefusals,
    /// True if the log was closed for good.
    pub(crate) closed: AtomicBool,
    /// The findings at open that an operator should check.
    pub(crate) warnings: Mutex<Vec<String>>,
}

impl Recorder {
    /// Returns true once the log is closed for good.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Puts an event on the log of which nothing but its being there is needed; durable when it returns.
    pub(crate) async fn record(&self, event: Event<'_>) -> Result<()> {
        // The receipt releases nothing.
        drop(self.log.append(event).await?);
        Ok(())
    }

    /// Puts a refusal or failure on the log. The caller gets its error only after that.
    ///
    /// Refusals without a valid token are not waited for, and limited (`refusals.rs`). Those of a token beyond the first few of a
    /// minute are counted (`token_refusals.rs`). Refusals of a verb that takes something away have a limit (`limit/verbs_of_tokens.rs`).
    pub(crate) async fn refusing<T>(&self, attempt: &Attempt<'_>, outcome: Result<T>) -> Result<T> {
        let error = match outcome {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        // A stranger must not be able to make the server wait for a sync of the log.
        if !attempt.is_known() || matches!(error, Error::Unauthenticated) {
            if self
                .refusals
                .is_a_line(attempt.context.source, self.records.clock.elapsed())
            {
                self.log.append_unwaited(attempt.refused(&error));
            }
            return Err(error);
        }
        // Counted before the line is written, because the count can change the answer and so the line.
        let error = self.limits.count_refused(attempt, error);
        // Waited for: if the line cannot be written, the caller gets that failure instead of the refusal.
        if self.is_refused_on_a_line(attempt, &error) {
            self.record(attempt.refused(&error)).await?;
        }
        Err(error)
    }

    /// Puts an attempt with its outcome on the log, before the caller gets the answer.
    pub(crate) async fn answering<T>(&self, attempt: &Attempt<'_>, outcome: Result<T>) -> Result<T> {
        let answer = self.refusing(attempt, outcome).await?;
        self.record(attempt.allowed()).await?;
        Ok(answer)
    }

    /// Warns operators: in the program's log, and in `status`.
    pub(crate) fn warn(&self, text: String) {
        tracing::warn!("{text}");
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
    }

    /// Returns true if a refusal gets its own line; else counts it, for a line within a minute. A refusal of an operator always gets its own line.
    pub(crate) fn is_a_line_of_its_token(
        &self,
        attempt: &Attempt<'_>,
        (outcome, reason): (Outcome, &'static str),
        is_use: bool,
    ) -> bool {
        let sort = Sort {
            action: attempt.action,
            outcome,
            reason,
            is_use,
        };
        let now = self.records.clock.elapsed();
        attempt
            .token()
            .is_none_or(|token| self.token_refusals.is_a_line(token, sort, attempt, now))
    }

    /// Returns true if a refusal of a verb that releases no value gets its own line; else counts it.
    pub(crate) fn is_refused_on_a_line(&self, attempt: &Attempt<'_>, error: &Error) -> bool {
        self.is_a_line_of_its_token(attempt, (outcome_of(error), attempt.reason_of(error)), false)
    }

    /// Records a verb that changed nothing. Beyond the token's limit such lines are counted.
    pub(crate) async fn record_unchanged(&self, attempt: &Attempt<'_>) -> Result<()> {
        if attempt.limits.over && !self.is_a_line_of_its_token(attempt, (Outcome::Allowed, "unchanged"), false) {
            return Ok(());
        }
        self.record(attempt.allowed()).await
    }

    /// Returns true if a refusal by a limit gets its own line; else counts it, and the count is on the log within
    /// some seconds.
    pub(crate) fn is_a_line_of_its_own(&self, attempt: &Attempt<'_>) -> bool {
        let now = self.records.clock.elapsed();
        attempt
            .limits
            .limited
            .is_none_or(|token| self.limit_refusals.is_a_line(token, attempt, now))
    }
}
