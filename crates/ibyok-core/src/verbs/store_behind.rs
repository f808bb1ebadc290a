//! Accepting a store that is behind the log.

use ibyok_audit::Action;

use crate::base::error::Result;
use crate::records::lease::BEFORE_THE_FIRST;
use crate::vault::handles::FloorVerbs;

impl FloorVerbs<'_> {
    /// Accepts the store in its present state, although the log says that it was at a later change. The log's numbers
    /// from before no longer count. For an operator, after an honest restore; it is on the log.
    ///
    /// # Errors
    /// [`Error::Denied`](crate::Error::Denied) for a token and for an operator of another namespace than the node's home, [`Error::Unavailable`](crate::Error::Unavailable) if store or
    /// log cannot be reached.
    pub async fn accept_older_store(self) -> Result<()> {
        let inner = &self.session.inner;
        self.session.operator_of_home(Action::VaultRollbackAccepted).await?;
        let mut attempt = self.session.attempt(Action::VaultRollbackAccepted);
        inner.limits.authenticate(&mut attempt, &self.session.asking).await?;
        let known = inner.records.stated.store_change();
        let now = inner.records.store.changes(BEFORE_THE_FIRST).await?.upto.as_u64();
        let known = inner.records.store_is_behind().map_or(known, |behind| behind.known);
        inner.records.stated.accepts_store_at(now);
        let reason = format!("the store is at change {now}, and had come to {known}");
        inner
            .recorder
            .record(attempt.allowed().reason(reason).states(inner.records.stated.now()))
            .await?;
        inner.logs.set_behind(None).await;
        Ok(())
    }
}
