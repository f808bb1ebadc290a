//! Examinations of the audit log for callers who may read it.

use std::path::PathBuf;

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::{Error, Part, Result};
use crate::examine::view::View;
use crate::examine::{Examined, Examiner};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::review::ReviewDone;
use crate::vault::handles::AuditVerbs;
use crate::vault::session::Session;

impl AuditVerbs<'_> {
    /// Shows an examiner the lines of the audit log that this session may see, oldest first, and returns its result.
    ///
    /// A token sees the lines that its grant covers with the scope `audit:read`: lines of its environments and keys,
    /// and those of no environment only if it may read all of the namespace. The examination itself is one line of the log, with
    /// its outcome.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] without the scope anywhere, the examiner's own errors,
    /// [`Error::Unavailable`] if the log cannot be read, or while another examination is going on.
    pub async fn examine<E: Examiner>(self, examiner: E) -> Result<Examined<E::Found>> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            self.session
                .examined(&attempt, &principal, examiner, self.archives)
                .await
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    /// Returns the last recorded review of the log.
    ///
    /// # Errors
    /// As [`AuditVerbs::examine`](crate::audit::AuditVerbs::examine).
    pub async fn last_review(self) -> Result<Option<ReviewDone>> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            let inner = &self.session.inner;
            inner
                .gate
                .may_use_somewhere(&attempt, &principal, Scope::AuditRead)
                .await?;
            Ok(inner.examinations.follow_ups(&principal).await?.last_done().cloned())
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }
}

impl Session {
    /// Leads an examiner through the lines that a principal may see.
    pub(crate) async fn examined<E: Examiner>(
        &self,
        attempt: &Attempt<'_>,
        who: &Principal,
        examiner: E,
        archives: &[PathBuf],
    ) -> Result<Examined<E::Found>> {
        let inner = &self.inner;
        inner.gate.may_use_somewhere(attempt, who, Scope::AuditRead).await?;
        let Ok(_turn) = inner.examinations.turn.try_lock() else {
            let why = "another review is running: try again when it has ended";
            return Err(Error::unavailable(Part::AuditLog, why));
        };
        let view = View::of(attempt, who, inner.logs.namespace_since(who).await?);
        let found = inner.examinations.walk(view, attempt.at, examiner, archives).await?;
        let follow_ups = inner.examinations.follow_ups(who).await?;
        Ok(Examined { found, follow_ups })
    }
}
