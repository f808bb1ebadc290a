//! The whole audit log: lines of every namespace, and those of none.

use ibyok_audit::review::Finding;
use ibyok_audit::{Filter, Lines, Proof, VerifyReport, VerifyingKey};

use crate::base::context::RequestContext;
use crate::base::error::Result;
use crate::gate::principal::Asking;
use crate::logs::AuditFollow;
use crate::model::review::ReviewDone;
use crate::vault::Vault;
use crate::vault::session::Session;
use crate::verbs::review::{Review, ReviewRequest};

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

    /// Reviews the lines of all namespaces. Acknowledgements are kept in the vault's home.
    ///
    /// # Errors
    /// As [`ReviewVerbs::run`](crate::reviews::ReviewVerbs::run).
    pub async fn review(&self, request: &ReviewRequest) -> Result<Review> {
        self.0.reviews().run(request).await
    }

    /// Acknowledges a finding of such a review.
    ///
    /// # Errors
    /// As [`ReviewVerbs::acknowledge`](crate::reviews::ReviewVerbs::acknowledge).
    pub async fn acknowledge_finding(&self, request: &ReviewRequest, finding: &str, reason: &str) -> Result<Finding> {
        self.0.reviews().acknowledge(request, finding, reason).await
    }

    /// Reviews the log, and records that it was reviewed.
    ///
    /// # Errors
    /// As [`ReviewVerbs::record`](crate::reviews::ReviewVerbs::record).
    pub async fn review_done(&self, request: &ReviewRequest, reason: Option<&str>) -> Result<Review> {
        self.0.reviews().record(request, reason).await
    }

    /// Returns the last record of such a review.
    ///
    /// # Errors
    /// As [`ReviewVerbs::last`](crate::reviews::ReviewVerbs::last).
    pub async fn last_review(&self) -> Result<Option<ReviewDone>> {
        self.0.reviews().last().await
    }
}
