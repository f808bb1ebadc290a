//! Reading and verifying the audit log, for an operator: recorded like everything else.
//!
//! A session reads the lines of its own namespace. [`WholeLog`](crate::WholeLog) reads all.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_audit::{Action, Entry, Filter, Known, Lines, Report, VerifyProgress, VerifyingKey, verify, verify_against};
use ibyok_storage::RecordId;
use jiff::Timestamp;

use crate::authenticate::Principal;
use crate::environments::operators_only;
use crate::error::{Error, Result};
use crate::logs::AuditFollow;
use crate::model::kind;
use crate::model::name::base62;
use crate::opening::{log_key, with_lines};
use crate::realm::PAGE;
use crate::session::Session;
use crate::vault::Inner;

/// Ends the reason of the line that opens a vault for one command.
pub(crate) const FOR_ONE_COMMAND: &str = ", for one command";

/// Returns true if a line says that a vault was opened for one command, as [`VaultBuilder::for_one_command`](crate::VaultBuilder) marks it.
#[must_use]
pub fn opened_for_one_command(entry: &Entry) -> bool {
    let opens = [Action::VaultOpen.as_str(), Action::VaultInit.as_str()].contains(&entry.action.as_str());
    let reason = entry.reason.as_deref().unwrap_or_default();
    opens && reason.ends_with(FOR_ONE_COMMAND)
}

impl Session {
    /// Returns the lines of the session's namespace that a filter wants, of all logs beside this process's own, oldest first.
    ///
    /// Lines of other namespaces and of none are in [`Vault::whole_log`](crate::Vault::whole_log). Lines of a log for which no key of
    /// this vault vouches are left out, unless the filter names that log.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token and for a filter that names another namespace, [`Error::Unavailable`] if the log cannot be read.
    pub async fn audit_lines(&self, filter: &Filter) -> Result<Lines> {
        let filter = self.read_lines(filter).await?;
        Ok(self.inner.log_reader(&filter).await?.lines(&filter)?)
    }

    /// Returns the lines of the session's namespace that a filter wants, from now on: poll it.
    ///
    /// # Errors
    /// As [`Session::audit_lines`].
    pub async fn follow_audit(&self, filter: &Filter) -> Result<AuditFollow> {
        let filter = self.read_lines(filter).await?;
        AuditFollow::new(&self.inner, &filter).await
    }

    /// Verifies every log beside this process's own, against the keys and checkpoints in the store and further keys.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if log or store cannot be read. What is wrong with a log is no error
    /// but in the report.
    pub async fn verify_audit(&self, keys: &[VerifyingKey]) -> Result<Report> {
        self.verify_audit_watched(keys, Arc::default()).await
    }

    /// As [`Session::verify_audit`], with its progress for whoever shows it.
    ///
    /// # Errors
    /// As [`Session::verify_audit`].
    pub async fn verify_audit_watched(&self, keys: &[VerifyingKey], progress: Arc<VerifyProgress>) -> Result<Report> {
        let place = self.read_audit().await?;
        self.inner.log.flush().await?;
        let (mut known, notes) = self.inner.known_logs(keys).await?;
        known.progress = progress;
        let report = tokio::task::spawn_blocking(move || verify_against(&place, &known)).await;
        let report = report.map_err(|_| Error::unavailable(crate::Part::AuditLog, "verification was interrupted"))?;
        let mut report = report?;
        report.notes = notes;
        for finding in self.inner.store_findings().await? {
            report.add(finding);
        }
        Ok(report)
    }

    /// The public keys of every log that this vault has: what a verifier without the vault needs.
    ///
    /// # Errors
    /// As [`Session::audit_lines`].
    pub async fn audit_keys(&self) -> Result<Vec<VerifyingKey>> {
        self.read_audit().await?;
        self.inner.log_keys().await
    }

    /// Records that lines are read, and gives the filter that leaves the session's own.
    async fn read_lines(&self, filter: &Filter) -> Result<Filter> {
        let mut attempt = self.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.inner.authenticate(&mut attempt, &self.asking).await?;
            operators_only(&principal)?;
            self.inner.own_lines(&principal, filter).await
        }
        .await;
        self.inner.answering(&attempt, outcome).await
    }

    /// Records that the log is read, and tells where it is.
    async fn read_audit(&self) -> Result<PathBuf> {
        let mut attempt = self.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.inner.authenticate(&mut attempt, &self.asking).await?;
            operators_only(&principal)
        }
        .await;
        self.inner.answering(&attempt, outcome).await?;
        Ok(self.inner.log.status().place)
    }
}

/// Verifies every log of a place without a vault: what an outsider can do, and what remains where the log is so damaged that the
/// vault refuses to open it.
///
/// A log for which none of the keys vouches is a finding, and so is a log of one of the keys that is not there. Without keys the ones
/// beside the logs are used, which whoever can write there could have replaced as well. Checkpoints in the store, which show a tail
/// that was cut off together with its checkpoints, are not looked at.
///
/// # Errors
/// [`Error::Unavailable`] if the place cannot be read. What is wrong with a log is no error but in the report.
pub fn verify_log(place: &Path, keys: &[VerifyingKey]) -> Result<Report> {
    verify_log_watched(place, keys, Arc::default())
}

/// As [`verify_log`], with its progress for whoever shows it. Without keys no progress is known.
///
/// # Errors
/// As [`verify_log`].
pub fn verify_log_watched(place: &Path, keys: &[VerifyingKey], progress: Arc<VerifyProgress>) -> Result<Report> {
    if keys.is_empty() {
        return Ok(verify(place, keys, &[])?);
    }
    let mut known = Known::by_keys(keys);
    known.progress = progress;
    Ok(verify_against(place, &known)?)
}

impl Inner {
    /// A filter for what a principal may read of the lines that another filter wants: those of its namespace.
    ///
    /// # Errors
    /// [`Error::Denied`] for a filter that names another namespace; [`Error::NotFound`] if the principal's does not exist.
    pub(crate) async fn own_lines(&self, who: &Principal, filter: &Filter) -> Result<Filter> {
        let mut filter = filter.clone();
        if matches!(who, Principal::Operator(actor) if actor.whole_log) {
            return Ok(filter);
        }
        let own = who.namespace();
        if filter.namespace.as_deref().is_some_and(|named| named != own.as_str()) {
            return Err(Error::other_namespace(own));
        }
        filter.namespace = Some(own.to_string());
        filter.since = filter.since.max(self.namespace_since(who).await?);
        Ok(filter)
    }

    /// When a principal's namespace was made: lines from before it are about a tenant that had the name earlier. `None` for the
    /// vault's home, which is as old as the vault.
    pub(crate) async fn namespace_since(&self, who: &Principal) -> Result<Option<Timestamp>> {
        if *who.namespace() == self.home.name.namespace {
            return Ok(None);
        }
        let created = match who {
            Principal::Operator(actor) => self.whole_realm(&actor.namespace).await?.attributes.created,
            Principal::Token(holder) => holder.realm.attributes.created,
        };
        // A line has the microsecond that it was written in.
        Ok(Some(
            Timestamp::from_microsecond(created.as_microsecond()).unwrap_or(created),
        ))
    }

    /// The public half of every log key that is sealed under this node's home.
    pub(crate) async fn log_keys(&self) -> Result<Vec<VerifyingKey>> {
        let collection = self.home.collection(kind::LOG_KEY)?;
        let mut keys = Vec::new();
        let mut after: Option<RecordId> = None;
        loop {
            let page = self.store.list(&collection, after.as_ref(), PAGE).await?;
            for id in &page {
                let key = log_key(self.store.as_ref(), &self.home, id).await?;
                keys.extend(key.map(|key| with_lines(&self.home, key.public(&base62(*id.id())))));
            }
            after = page.last().copied();
            if page.len() < PAGE {
                return Ok(keys);
            }
        }
    }
}
