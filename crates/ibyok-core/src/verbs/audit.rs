//! Reading and verifying the audit log, for an operator: recorded like everything else.
//!
//! A session reads the lines of its own namespace. [`WholeLog`](crate::audit::WholeLog) reads all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_audit::{
    Action, Entry, Filter, Known, Lines, VerifyProgress, VerifyReport, VerifyingKey, is_archive, verify, verify_against,
};

use crate::base::error::{Error, Result};
use crate::logs::AuditFollow;
use crate::vault::Vault;
use crate::vault::handles::AuditVerbs;
use crate::verbs::environments::operators_only;

/// Ends the reason of the line that opens a vault for one command.
pub(crate) const FOR_ONE_COMMAND: &str = ", for one command";

/// Returns true if a line says that a vault was opened for one command, as [`VaultBuilder::for_one_command`](crate::VaultBuilder) marks it.
#[must_use]
pub fn opened_for_one_command(entry: &Entry) -> bool {
    let opens = [Action::VaultOpen.as_str(), Action::VaultInit.as_str()].contains(&entry.action.as_str());
    let reason = entry.reason.as_deref().unwrap_or_default();
    opens && reason.ends_with(FOR_ONE_COMMAND)
}

impl AuditVerbs<'_> {
    /// Returns the lines of the session's namespace that a filter wants, of all logs in the place of this process's
    /// own, oldest first.
    ///
    /// Lines of other namespaces and of none are in [`Vault::whole_log`](crate::Vault::whole_log). Lines of a log for which no key of
    /// this vault vouches are left out, unless the filter names that log.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token and for a filter that names another namespace, [`Error::Unavailable`] if the log cannot be read.
    pub async fn lines(self, filter: &Filter) -> Result<Lines> {
        let filter = self.read_lines(filter).await?;
        let reader = self.session.inner.logs.log_reader_with(&filter, self.archives).await?;
        Ok(reader.lines(&filter)?)
    }

    /// Returns the lines of the session's namespace that a filter wants, from now on: poll it.
    ///
    /// # Errors
    /// As [`AuditVerbs::lines`](crate::audit::AuditVerbs::lines).
    pub async fn follow(self, filter: &Filter) -> Result<AuditFollow> {
        let filter = self.read_lines(filter).await?;
        AuditFollow::new(&self.session.inner.logs, &filter).await
    }

    /// Verifies every log in the place of this process's own, against the keys and checkpoints in the store and
    /// further keys.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if log or store cannot be read. Faults of a log are no error:
    /// the report lists them.
    pub async fn verify(self, keys: &[VerifyingKey]) -> Result<VerifyReport> {
        self.verify_watched(keys, Arc::default()).await
    }

    /// As [`AuditVerbs::verify`](crate::audit::AuditVerbs::verify), with its progress for display.
    ///
    /// # Errors
    /// As [`AuditVerbs::verify`](crate::audit::AuditVerbs::verify).
    pub async fn verify_watched(self, keys: &[VerifyingKey], progress: Arc<VerifyProgress>) -> Result<VerifyReport> {
        let place = self.read_audit().await?;
        self.session.inner.recorder.log.flush().await?;
        let logs = &self.session.inner.logs;
        // A home may hold other bytes by now than this process wrote there and read from there.
        let copy = self.session.inner.recorder.log.fetch_all().await?;
        let place = copy.as_ref().map_or(place, |copy| copy.path().to_owned());
        let mut knowledge = logs.known_logs(&place, keys).await?;
        let mut known = std::mem::take(&mut knowledge.known);
        known.progress = progress;
        known.archives = self.archives.to_vec();
        let report = tokio::task::spawn_blocking(move || verify_against(&place, &known)).await;
        let report =
            report.map_err(|_| Error::unavailable(crate::errors::Part::AuditLog, "verification was interrupted"))?;
        let mut report = report?;
        report.notes.append(&mut knowledge.notes);
        let without = logs
            .logs_without_checkpoint(knowledge.without_checkpoint(), &report)
            .await?;
        let of_store = logs.store_findings().await?;
        for finding in knowledge.findings.into_iter().chain(without).chain(of_store) {
            report.add(finding);
        }
        Ok(report)
    }

    /// Returns the public keys of every log of this vault: a verifier without the vault needs them.
    ///
    /// # Errors
    /// As [`AuditVerbs::lines`](crate::audit::AuditVerbs::lines).
    pub async fn keys(self) -> Result<Vec<VerifyingKey>> {
        self.read_audit().await?;
        Ok(self.session.inner.logs.log_keys().await?.whole)
    }

    /// Records that lines are read, and gives the filter that leaves the session's own.
    async fn read_lines(self, filter: &Filter) -> Result<Filter> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            self.session.inner.logs.own_lines(&principal, filter).await
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Records that the log is read, and returns its directory.
    async fn read_audit(self) -> Result<PathBuf> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await?;
        Ok(self.session.inner.recorder.log.status().place)
    }
}

/// Verifies every log of a place without a vault: the check of an outsider, and the last resort where the log is so
/// damaged that the vault refuses to open it.
///
/// A log for which none of the keys vouches is a finding, and so is a log of one of the keys that is not there.
/// Without keys, the ones in the logs' directory are used; an attacker who can write there could have replaced them
/// as well. A place that is an archive is verified by its manifests, and holds only some of the lines. Checkpoints in the store, which show a tail that was cut off together with its checkpoints, are not read.
///
/// # Errors
/// [`Error::Unavailable`] if the place cannot be read. Faults of a log are no error: the report lists them.
pub fn verify_log(place: &Path, keys: &[VerifyingKey]) -> Result<VerifyReport> {
    verify_log_watched(place, &[], keys, Arc::default())
}

/// As [`verify_log`], with archives of the same logs and with its progress for display. Without keys, archives are not read, and no
/// progress is known.
///
/// # Errors
/// As [`verify_log`].
pub fn verify_log_watched(
    place: &Path,
    archives: &[PathBuf],
    keys: &[VerifyingKey],
    progress: Arc<VerifyProgress>,
) -> Result<VerifyReport> {
    if keys.is_empty() {
        return Ok(verify(place, keys, &[])?);
    }
    let mut known = match is_archive(place)? {
        true => Known::of_archive(keys),
        false => Known::by_keys(keys),
    };
    known.archives = archives.to_vec();
    known.progress = progress;
    Ok(verify_against(place, &known)?)
}

impl Vault {
    /// True if a log with this id is in the place of this process's own, and no key of this vault vouches for it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the logs or the store cannot be read.
    pub async fn is_foreign_log(&self, log: &str) -> Result<bool> {
        self.inner.logs.is_foreign(log).await
    }
}
