//! The counting of retrievals: after their line is on the log, before anything is released.

use std::convert::Infallible;

use ibyok_audit::{Event, EventTicket, Outcome, Receipt};

use super::Recorder;
use crate::base::error::{Code, Error, Result};
use crate::gate::attempt::{Attempt, outcome_of};
use crate::gate::meter::{Ended, Flight, Use};
use crate::model::mode::Mode;

impl Recorder {
    /// Appends the line of a value that is about to be released, and counts it. Returns the receipt with the ticket of the line's event.
    pub(crate) async fn append_use(&self, attempt: &Attempt<'_>) -> Result<(Receipt, EventTicket)> {
        let mocked = attempt.facts.mode == Some(Mode::Mock.as_str());
        let ended = if mocked { Ended::Mocked } else { Ended::Live };
        let (ticket, appended) = {
            let event = attempt.allowed();
            (event.ticket(), self.append_counted(attempt, event, ended, true))
        };
        Ok((appended.await?, ticket))
    }

    /// Puts a refusal or failure on the log as [`Recorder::refusing`] does, and counts it for a caller with a valid token. Returns the
    /// error that the caller gets.
    pub(crate) async fn refused_use(&self, attempt: &Attempt<'_>, error: Error) -> Error {
        let Err(error) = self.refusing_use(attempt, error).await;
        error
    }

    async fn refusing_use(&self, attempt: &Attempt<'_>, error: Error) -> Result<Infallible> {
        if attempt.caller.is_none() || matches!(error, Error::Unauthenticated) {
            return self.refusing(attempt, Err(error)).await;
        }
        let ended = (outcome_of(&error), attempt.reason_of(&error));
        let is_a_line = match &error {
            Error::Limited { .. } => self.is_a_line_of_its_own(attempt),
            _ => self.is_a_line_of_its_token(attempt, ended, true),
        };
        if is_a_line {
            self.append_ended_use(attempt, ended).await?;
        }
        Err(error)
    }

    /// Appends the line of retrievals that were refused or failed, and counts them.
    pub(crate) async fn append_ended_use(
        &self,
        attempt: &Attempt<'_>,
        (outcome, reason): (Outcome, &'static str),
    ) -> Result<()> {
        let ended = match outcome {
            Outcome::Denied => Ended::Denied,
            Outcome::Failed | Outcome::Allowed => Ended::Failed,
        };
        let event = attempt.ended(outcome, reason);
        // The receipt releases nothing.
        drop(self.append_counted(attempt, event, ended, is_of_a_key(reason)).await?);
        Ok(())
    }

    /// Appends an event of the attempt. As [`ibyok_audit::Log::append`], the call puts the line in, so that no future holds the event.
    fn append_counted<'a>(
        &'a self,
        attempt: &'a Attempt<'_>,
        event: Event<'_>,
        ended: Ended,
        of_a_key: bool,
    ) -> impl Future<Output = Result<Receipt>> + use<'a> {
        // Before the append: a cut of the counts that begins now waits for this line instead of missing it.
        let flight = attempt.caller.is_some().then(|| Flight::begin(self.meter.as_ref()));
        let appended = self.log.append(event);
        async move {
            let receipt = appended.await?;
            if let Some((flight, caller)) = flight.zip(attempt.caller.as_ref()) {
                let used = Use {
                    caller,
                    key: attempt.permitted.as_ref().filter(|_| of_a_key),
                    // A mock is no read of a version. If it counted as one, a program in mock mode would keep an old version alive.
                    version: attempt.facts.version.filter(|_| ended == Ended::Live),
                    ended,
                    count: attempt.facts.count,
                    at: attempt.at,
                    source: attempt.context.source,
                };
                flight.count(receipt.seq(), &used);
            }
            Ok(receipt)
        }
    }
}

/// True if a refusal for this reason is about a key that exists. A guess at a key leaves no separate record.
pub(crate) fn is_of_a_key(reason: &str) -> bool {
    [Code::KeyDisabled, Code::VersionDisabled, Code::VersionDestroyed]
        .iter()
        .any(|code| code.as_str() == reason)
        || reason == "limited"
}
