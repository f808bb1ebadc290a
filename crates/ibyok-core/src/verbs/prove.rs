//! Proof for an outsider that a line is on a log of the vault.

use std::time::Duration;

use ibyok_audit::{Action, Entry, Error as AuditError, Filter, Proof, Proven, VerifyingKey, prove_with, verify_proof};

use crate::base::error::{Error, Part, Result};
use crate::base::remedy::Remedy;
use crate::vault::handles::AuditVerbs;
use crate::verbs::environments::operators_only;

/// The number of attempts to find the checkpoint of a line, and the pause between them.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(100);

impl AuditVerbs<'_> {
    /// Proves that the line with this number is on a log: the line, its place, and a signed checkpoint, for an
    /// outsider who has only the log's public key. `log` may be `None` if only one log has such a
    /// line. For an operator, and only for lines of the session's namespace:
    /// [`WholeLog::prove`](crate::audit::WholeLog::prove) proves any.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such line, [`Error::Invalid`] if several logs have one,
    /// [`Error::Integrity`] if the log differs from its signatures, [`Error::Denied`] for a token, [`Error::Unavailable`]
    /// if no checkpoint covers the line yet.
    pub async fn prove(self, log: Option<&str>, seq: u64) -> Result<Proof> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        attempt.facts.target = log.map(|log| ("log", log.to_owned()));
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            let own = self
                .session
                .inner
                .logs
                .own_lines(&principal, &Filter::default())
                .await?;
            // To a caller that may not read a line, the line does not exist: the answer comes no later than for a
            // missing one.
            let no_line = || {
                let log = log.map(str::to_owned);
                told(AuditError::NoLine { log, seq })
            };
            self.session.inner.recorder.log.flush().await?;
            if let Some(log) = log
                && !self.line_is_there(log, seq, own.clone()).await?
            {
                return Err(no_line());
            }
            let proof = self.proof(log, seq).await?;
            let wanted = serde_json::from_str(&proof.line()).is_ok_and(|entry: Entry| own.wants(&entry));
            if wanted { Ok(proof) } else { Err(no_line()) }
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// True if a log has a line of this number that a filter wants.
    async fn line_is_there(self, log: &str, seq: u64, mut wanted: Filter) -> Result<bool> {
        (wanted.log, wanted.from_seq) = (Some(log.to_owned()), Some(seq));
        let reader = self.session.inner.logs.log_reader_with(&wanted, self.archives).await?;
        let look = tokio::task::spawn_blocking(move || -> Result<bool> {
            let mut all = Filter::default();
            (all.log, all.from_seq) = (wanted.log.clone(), wanted.from_seq);
            let first = reader.lines(&all)?.next().transpose()?;
            Ok(first.is_some_and(|line| line.entry().seq == seq && wanted.wants(line.entry())))
        });
        look.await
            .map_err(|_| Error::unavailable(Part::AuditLog, "the proof was interrupted"))?
    }

    async fn proof(self, log: Option<&str>, seq: u64) -> Result<Proof> {
        let place = self.session.inner.recorder.log.status().place;
        let keys = self.session.inner.logs.vouched_keys().await?;
        for tried in 1.. {
            let known = self.session.inner.logs.known_logs(&place, &[]).await?.known.checkpoints;
            let (place, keys, log) = (place.clone(), keys.clone(), log.map(str::to_owned));
            let archives = self.archives.to_vec();
            let prove = move || prove_with(&place, &archives, log.as_deref(), seq, &keys, &known);
            let proof = tokio::task::spawn_blocking(prove).await;
            match proof.map_err(|_| Error::unavailable(Part::AuditLog, "the proof was interrupted"))? {
                Err(AuditError::NotCovered { .. }) if tried < TRIES => tokio::time::sleep(PAUSE).await,
                proof => return proof.map_err(told),
            }
        }
        Err(Error::unavailable(Part::AuditLog, "no checkpoint covers the line"))
    }
}

/// Checks a proof without a vault, by public keys that the caller trusts.
///
/// # Errors
/// [`Error::Invalid`] for a text that is no proof, [`Error::Integrity`] for one that does not hold.
pub fn check_proof(text: &str, keys: &[VerifyingKey]) -> Result<Proven> {
    verify_proof(text, keys).map_err(told)
}

fn told(error: AuditError) -> Error {
    match error {
        AuditError::NoLine { .. } => Error::NotFound {
            what: error.to_string().trim_start_matches("there is no ").to_owned(),
            hint: Some(Remedy::ListLines),
        },
        AuditError::Elsewhere { .. } => Error::NotFound {
            what: error.to_string(),
            hint: Some("name the directory of the archive".into()),
        },
        AuditError::SeveralLogs { .. } => Error::invalid(error.to_string(), Remedy::NameLog),
        AuditError::NotAProof { .. } => Error::invalid(error.to_string(), Remedy::GiveProof),
        AuditError::DoesNotHold { .. } => Error::integrity(error.to_string()),
        other => other.into(),
    }
}
