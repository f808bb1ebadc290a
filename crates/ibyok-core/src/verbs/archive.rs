//! Moving old segments of the audit logs into an archive.

use std::path::{Path, PathBuf};

use ibyok_audit::{Action, Archived, Phase, Plan, SigningKey, logs_in};
use jiff::Timestamp;

use crate::base::error::{Error, Part, Result};
use crate::gate::attempt::{Attempt, outcome_of};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::log_keys::{log_key, with_lines};
use crate::uses::counted_up_to;
use crate::vault::handles::AuditVerbs;

/// The lines of one log that an archive took.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct ArchivedLog {
    /// The id of the log.
    pub log: String,
    /// The number of the first line.
    pub first: u64,
    /// The number of the last line.
    pub last: u64,
    /// The number of segments.
    pub segments: u64,
    /// Their length in bytes.
    pub bytes: u64,
}

/// The answer to the question whether an archive run moves segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum ArchiveRun {
    /// Move them.
    Move,
    /// Show what would move.
    Show,
}

impl<'s> AuditVerbs<'s> {
    /// Returns the verbs over the lines of these archives as well. Only the host of the vault names archives: they are directories of
    /// its machine.
    #[must_use]
    pub fn with_archives(self, archives: &'s [PathBuf]) -> Self {
        Self { archives, ..self }
    }

    /// Moves the closed segments of the logs of this place whose lines are all older than `before` into the archive `to`. For an operator
    /// of the vault's home.
    ///
    /// The archive is a directory, made if its parent exists. Each segment is copied, synced and verified before it is removed, and a
    /// statement under the log's key stays in its place. Lines that came after this vault was opened stay, and so do lines whose uses are
    /// not counted yet. A run that was interrupted is ended by the next one. The audit log has two lines for each log that moves.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token and for an operator of another namespace, [`Error::Unavailable`] if the archive cannot take
    /// the lines, if files cannot be read or written, or if the log is kept in a [`Home`](crate::Home).
    pub async fn archive(self, before: Timestamp, to: &Path, run: ArchiveRun) -> Result<Vec<ArchivedLog>> {
        self.session.operator_of_home(Action::LogArchive).await?;
        let mut attempt = self.session.attempt(Action::LogArchive);
        self.session.authenticate(&mut attempt).await?;
        let recorder = &self.session.inner.recorder;
        let logs = match recorder.log.is_in_home() {
            false => self.own_logs().await,
            true => Err(Error::unavailable(
                Part::AuditLog,
                "the log is kept in a home, which has its own rules for old lines",
            )),
        };
        let logs = recorder.refusing(&attempt, logs).await?;
        recorder.log.flush().await?;
        let before = before.min(self.session.inner.records.floors.setup.now);
        let mut moved = Vec::new();
        for key in logs {
            moved.extend(self.archive_log(key, before, to, run, &mut attempt).await?);
        }
        Ok(moved)
    }

    /// The keys of the logs of this place that are sealed under this node's home.
    async fn own_logs(self) -> Result<Vec<(String, SigningKey)>> {
        let inner = &self.session.inner;
        let (store, home) = (inner.records.store.as_ref(), &inner.records.home);
        let mut keys = Vec::new();
        for log in logs_in(&inner.recorder.log.status().place)? {
            let Some(id) = from_base62(&log) else { continue };
            let key = log_key(store, home, &home.record(kind::LOG_KEY, id)?).await?;
            keys.extend(key.map(|key| (log, key)));
        }
        Ok(keys)
    }

    async fn archive_log(
        self,
        (log, key): (String, SigningKey),
        before: Timestamp,
        to: &Path,
        run: ArchiveRun,
        attempt: &mut Attempt<'_>,
    ) -> Result<Option<ArchivedLog>> {
        let inner = &self.session.inner;
        let place = inner.recorder.log.status().place;
        let public = with_lines(&inner.records.home, key.public(&log));
        let plan = blocking(move || Plan::of(&place, &public, before, &counted_up_to)).await?;
        let Some(plan) = plan else { return Ok(None) };
        let shown = described(&log, &plan);
        if run == ArchiveRun::Show {
            return Ok(shown);
        }
        attempt.facts.target = Some(("log", log));
        let target = to.to_owned();
        let carried = blocking_carry(plan, target, key);
        let Some(shown) = shown else {
            // Segments that an interrupted run left behind: its line is on the log.
            carried.await?;
            return Ok(None);
        };
        let recorder = &inner.recorder;
        attempt.facts.count = shown.last + 1 - shown.first;
        attempt.facts.because = Some(format!("lines {} to {} to `{}`", shown.first, shown.last, to.display()));
        recorder.record(attempt.phase(Phase::Intended)).await?;
        match carried.await {
            Ok(_) => recorder.record(attempt.phase(Phase::Done)).await?,
            Err(error) => {
                let ended = attempt.ended(outcome_of(&error), error.code().as_str());
                recorder.record(ended.phase(Phase::NotDone)).await?;
                return Err(error);
            }
        }
        Ok(Some(shown))
    }
}

async fn blocking_carry(plan: Plan, to: PathBuf, key: SigningKey) -> Result<Option<Archived>> {
    blocking(move || plan.carry_out(&to, &key)).await
}

fn described(log: &str, plan: &Plan) -> Option<ArchivedLog> {
    let (first, last) = plan.lines()?;
    Some(ArchivedLog {
        log: log.to_owned(),
        first,
        last,
        segments: plan.segments().len() as u64,
        bytes: plan.segments().iter().map(|segment| segment.bytes).sum(),
    })
}

/// Copying gigabytes would block a thread of the runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, ibyok_audit::Error> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| Error::unavailable(Part::AuditLog, "archiving was interrupted"))?
        .map_err(Error::from)
}
