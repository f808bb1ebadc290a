//! The whole audit log: lines of every namespace, and those of none.

use ibyok_audit::{Filter, Lines, Proof, VerifyReport, VerifyingKey};

use crate::base::context::RequestContext;
use crate::base::error::Result;
use crate::gate::principal::Asking;
use crate::logs::AuditFollow;
use crate::vault::Vault;
use crate::vault::handles::AuditVerbs;
use crate::vault::session::Session;

/// The audit log as the host of a vault sees it, over all namespaces.
///
/// A [`Session`] reads only the lines of its own namespace. Lines that belong to none, such as `log.open`, `vault.open` and the
/// refusals of strangers, are only here. Never use it in a handler that answers a tenant.
#[derive(Clone, Debug)]
pub struct WholeLog(Session);

impl Vault {
    /// Returns the whole audit log, read by an operator of this name.
    ///
    /// The rules for the name are those of [`Vault::operator`].
    #[must_use]
    pub fn whole_log(&self, name: impl Into<String>) -> WholeLog {
        let mut session = self.operator(name);
        if let Asking::Operator(actor) = &mut session.asking {
            actor.whole_log = true;
        }
        WholeLog(session)
    }
}

impl WholeLog {
    /// Returns the same for a request that comes from somewhere.
    #[must_use]
    pub fn with_context(self, context: RequestContext) -> Self {
        WholeLog(self.0.with_context(context))
    }

    /// Returns the lines that a filter wants of all logs in the place of this process's own, oldest first.
    ///
    /// # Errors
    /// As [`AuditVerbs::lines`](crate::audit::AuditVerbs::lines).
    pub async fn lines(&self, filter: &Filter) -> Result<Lines> {
        self.0.audit().lines(filter).await
    }

    /// Returns the lines that a filter wants from now on: poll it.
    ///
    /// # Errors
    /// As [`AuditVerbs::lines`](crate::audit::AuditVerbs::lines).
    pub async fn follow(&self, filter: &Filter) -> Result<AuditFollow> {
        self.0.audit().follow(filter).await
    }

    /// Proves that the line with this number is on a log, as [`AuditVerbs::prove`](crate::audit::AuditVerbs::prove) does.
    ///
    /// # Errors
    /// As [`AuditVerbs::prove`](crate::audit::AuditVerbs::prove).
    pub async fn prove(&self, log: Option<&str>, seq: u64) -> Result<Proof> {
        self.0.audit().prove(log, seq).await
    }

    /// Verifies every log, as [`AuditVerbs::verify`](crate::audit::AuditVerbs::verify) does.
    ///
    /// # Errors
    /// As [`AuditVerbs::verify`](crate::audit::AuditVerbs::verify).
    pub async fn verify(&self, keys: &[VerifyingKey]) -> Result<VerifyReport> {
        self.0.audit().verify(keys).await
    }

    /// Returns the public keys of every log that this vault has.
    ///
    /// # Errors
    /// As [`AuditVerbs::keys`](crate::audit::AuditVerbs::keys).
    pub async fn keys(&self) -> Result<Vec<VerifyingKey>> {
        self.0.audit().keys().await
    }

    /// Returns the verbs on the audit log, over all namespaces: for the verbs that are not repeated here, such as
    /// [`AuditVerbs::examine`]. The follow-ups of reviews are kept in the vault's home.
    #[must_use]
    pub fn audit(&self) -> AuditVerbs<'_> {
        self.0.audit()
    }
}
