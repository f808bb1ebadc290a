//! The entries of the file other than floors: findings, acceptances, and that a node began without a history.

use ibyok_storage::{MapChange, MapDurability, RecordId};
use jiff::Timestamp;

use super::accepted;
use super::facts::{Facts, NO_HISTORY, finding, read};
use super::file::Floors;
use super::key;
use crate::base::error::Result;

impl Floors {
    /// Notes in the file that this node has no floors for the records of the store.
    pub(crate) async fn begin_without_history(&self, at: Timestamp) -> Result<()> {
        let put = MapChange::Put {
            key: key::fact(NO_HISTORY),
            text: Some(format!("{at:.0}")),
        };
        self.apply(vec![put], MapDurability::Disk).await.map(drop)
    }

    /// Keeps a finding in the file, and queues it for the log.
    pub(crate) async fn find(&self, at: Timestamp, what: &str) -> Result<()> {
        let there = read(&self.map()).await?.findings.len();
        // Queued before the write: the log gets the finding even if the file cannot keep it.
        self.untell(what);
        let changes = finding(at, there, what).into_iter().collect();
        self.apply(changes, MapDurability::Disk).await.map(drop)
    }

    /// Removes facts that an operator has acknowledged. Later findings stay.
    pub(crate) async fn acknowledge(&self, known: &Facts) -> Result<()> {
        // By name, so that a finding which was made after the operator looked is not acknowledged with the others.
        let gone = known.names.iter().cloned();
        let changes = gone.map(|key| MapChange::Put { key, text: None });
        self.apply(changes.collect(), MapDurability::Disk).await.map(drop)
    }

    /// Removes the fact that the node began without a history.
    pub(crate) async fn forget_no_history(&self) -> Result<()> {
        let put = MapChange::Put {
            key: key::fact(NO_HISTORY),
            text: None,
        };
        self.apply(vec![put], MapDurability::Disk).await?;
        self.sync().await
    }

    /// The revision of a record that the node accepts although its floor is this one; 0 if the record may be missing.
    pub(crate) async fn accepted(&self, record: &RecordId, floor: u64) -> Result<Option<u64>> {
        let accepted = accepted::read(&self.map(), record).await?;
        Ok(accepted
            // A floor that has risen since ends the acceptance: the record was written again.
            .filter(|accepted| accepted.floor == floor)
            .map(|accepted| accepted.rev))
    }
}
