//! Putting on the log what was answered and what was refused.

use ibyok_audit::Event;

use crate::attempt::Attempt;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::vault::Inner;

impl Inner {
    /// Puts an event on the log of which nothing but its being there is needed; durable when it returns.
    pub(crate) async fn record(&self, event: Event) -> Result<()> {
        // The receipt releases nothing.
        drop(self.log.append(event).await?);
        Ok(())
    }

    /// Puts what was refused or failed on the log. Only if it is there does the caller hear of it.
    ///
    /// Refusals without a valid token are not waited for, and limited (`refusals.rs`). Those of a token beyond the first few of a
    /// minute are counted (`token_refusals.rs`). Refusals of a verb that takes something away have a limit (`limits/verbs_of_tokens.rs`).
    pub(crate) async fn refusing<T>(&self, attempt: &Attempt<'_>, outcome: Result<T>) -> Result<T> {
        let error = match outcome {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        if attempt.principal.is_none() || matches!(error, Error::Unauthenticated) {
            if self.refusals.is_a_line(attempt.context.source, self.clock.elapsed()) {
                self.log.append_unwaited(attempt.refused(&error));
            }
            return Err(error);
        }
        let error = self.count_refused(attempt, error);
        if self.is_refused_on_a_line(attempt, &error) {
            self.record(attempt.refused(&error)).await?;
        }
        Err(error)
    }

    /// Puts what was tried on the log, whatever came of it, before the caller hears of it.
    pub(crate) async fn answering<T>(&self, attempt: &Attempt<'_>, outcome: Result<T>) -> Result<T> {
        let answer = self.refusing(attempt, outcome).await?;
        self.record(attempt.allowed()).await?;
        Ok(answer)
    }
}
