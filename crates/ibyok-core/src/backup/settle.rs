//! Settling a restored store: older records are accepted by name, and what was taken away since is taken away again.

use ibyok_audit::{Action, Phase};
use jiff::Timestamp;
use serde::Serialize;

use super::since::{Again, ChangesSince, LogChanges};
use crate::base::error::{Error, Part, Result};
use crate::gate::attempt::{Attempt, outcome_of};
use crate::gate::principal::Principal;
use crate::model::REV_MAX;
use crate::model::key::Stamp;
use crate::realm::generations::KeyChange;
use crate::vault::handles::BackupVerbs;
use crate::verbs::floors::rollback::RolledBack;
use ibyok_audit::words::counted;

/// The most names that an error lists.
const NAMED: usize = 5;

/// The result of a restore.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Settled {
    /// The changes since the backup.
    #[serde(flatten)]
    pub since: ChangesSince,
    /// The number of older records that were accepted.
    pub accepted: usize,
}

impl BackupVerbs<'_> {
    /// Makes an older store the newest state of the vault, for an operator of the vault's home: one that was restored from a backup, or one
    /// after a failover that lost the last changes. Everything that was revoked, disabled, destroyed or removed since, as far as the
    /// floors and the log of this node know, is taken away again. Then every other record counts as the newest one.
    ///
    /// `taken` is the time at which the backup was taken, for the log; `None` without a backup. A crash in between leaves older records
    /// refused. The same call does the rest.
    ///
    /// # Errors
    /// [`Error::Precondition`] if other changes since are lost and `accept_rollback` is false; [`Error::Denied`] for a token and for an
    /// operator of another namespace; [`Error::Unavailable`].
    pub async fn settle(self, taken: Option<Timestamp>, accept_rollback: bool) -> Result<Settled> {
        let principal = self.session.operator_of_home(Action::VaultRestore).await?;
        let mut attempt = self.session.attempt(Action::VaultRestore);
        self.session.authenticate(&mut attempt).await?;
        attempt.facts.target = taken.map(|taken| ("backup", format!("{taken:.0}")));
        let recorder = &self.session.inner.recorder;
        let older = recorder
            .refusing(&attempt, self.session.floors().rolled_back().await)
            .await?;
        let since = recorder.refusing(&attempt, self.judge(&older).await).await?;
        if !accept_rollback {
            recorder.refusing(&attempt, refuse_losses(&since)).await?;
        }
        recorder.record(attempt.phase(Phase::Intended)).await?;
        match self.make_newest(&principal, &attempt, &older, &since).await {
            Ok(accepted) => {
                attempt.facts.count = u64::try_from(accepted).unwrap_or(u64::MAX);
                recorder.record(attempt.phase(Phase::Done)).await?;
                Ok(Settled { since, accepted })
            }
            Err(error) => {
                let ended = attempt.ended(outcome_of(&error), error.code().as_str());
                recorder.record(ended.phase(Phase::NotDone)).await?;
                Err(error)
            }
        }
    }

    async fn judge(self, older: &[RolledBack]) -> Result<ChangesSince> {
        let floors = &self.session.inner.records.floors;
        let (place, logs) = (floors.setup.place.clone(), floors.setup.logs_now().await?);
        let older = older.to_vec();
        let judging = tokio::task::spawn_blocking(move || {
            LogChanges::read(&place, logs, &older).map(|changes| changes.judge(&older))
        });
        judging
            .await
            .map_err(|_| Error::unavailable(Part::AuditLog, "reading it was interrupted"))?
    }

    async fn make_newest(
        self,
        principal: &Principal,
        attempt: &Attempt<'_>,
        older: &[RolledBack],
        since: &ChangesSince,
    ) -> Result<usize> {
        let inner = &self.session.inner;
        let (mut removed, mut rekeyed) = (Vec::new(), Vec::new());
        for taken in &since.again {
            match taken.how {
                // The note comes before the acceptance: after a crash in between, the next start takes it away.
                Again::Record(record, what) => drop(inner.records.floors.note(&record, REV_MAX, what).await?),
                Again::Realm(record) => removed.push(record),
                Again::TokenKey(record) => rekeyed.push(record),
                Again::Absent => {}
            }
        }
        // Before anything is accepted: the older token key verifies no token at any moment.
        for record in &rekeyed {
            if let Some(name) = inner.name_of_realm(record).await? {
                let change = (Action::TokenRekey, attempt);
                inner
                    .changes
                    .change_keys(&name, KeyChange::TokenKeyOfOlder, change)
                    .await?;
            }
        }
        let settled: Vec<String> = removed.iter().chain(&rekeyed).map(ToString::to_string).collect();
        let is_open = |rolled: &&RolledBack| !settled.contains(&rolled.record);
        let accepted: Vec<RolledBack> = older.iter().filter(is_open).cloned().collect();
        self.session.floors().accept_rollback(&accepted).await?;
        inner.changes.finish_interrupted(&principal.by()).await;
        let stamp = Stamp {
            at: attempt.at,
            by: principal.by(),
        };
        for record in removed {
            if let Some(name) = inner.name_of_realm(&record).await? {
                let life = inner.changes.remove_realm(&name, &stamp).await?;
                inner
                    .changes
                    .say_life(&attempt.beside(Action::EnvRemove), &name, life)
                    .await?;
            }
        }
        Ok(accepted.len())
    }
}

/// Fails if changes since the backup would be lost.
///
/// # Errors
/// [`Error::Precondition`], which names the first of them.
pub(crate) fn refuse_losses(since: &ChangesSince) -> Result<()> {
    if since.lost.is_empty() {
        return Ok(());
    }
    let named = since.lost.iter().take(NAMED).map(|lost| {
        let name = lost.name.as_deref().unwrap_or(&lost.record);
        match &lost.realm {
            Some(realm) => format!("{} `{name}` of `{realm}`", lost.kind),
            None => format!("{} `{name}`", lost.kind),
        }
    });
    let named: Vec<String> = named.collect();
    let more = since.lost.len().saturating_sub(NAMED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    Err(Error::Precondition {
        what: format!(
            "the vault has newer changes of {} than the store, and accepting the store would discard them: {}{more}",
            counted(since.lost.len(), "record"),
            named.join(", ")
        ),
    })
}

impl ChangesSince {
    /// Fails if changes since the backup would be lost.
    ///
    /// # Errors
    /// [`Error::Precondition`], which names the first of them.
    pub fn refuse_losses(&self) -> Result<()> {
        refuse_losses(self)
    }
}
