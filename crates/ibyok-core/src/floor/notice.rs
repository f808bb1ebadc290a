//! The entries of the file other than floors: findings, acceptances, and that a node began without a history.

use ibyok_storage::{MapChange, MapDurability, RecordId};
use jiff::Timestamp;

use super::accepted;
use super::entry::unavailable;
use super::facts::{Facts, NO_HISTORY, STORE_BEHIND, finding, read};
use super::file::Floors;
use super::key;
use crate::base::error::Result;

impl Floors {
    /// Notes in the file that this node has no floors for the records of the store.
    pub(crate) async fn begin_without_history(&self, at: Timestamp) -> Result<()> {
        self.put_fact(NO_HISTORY, Some(format!("{at:.0}"))).await
    }

    /// Keeps a finding in the file, and queues it for the log.
    pub(crate) async fn find(&self, at: Timestamp, what: &str) -> Result<()> {
        let there = read(&self.map()).await?.findings.len();
        // Queued before the write: the log gets the finding even if the file cannot keep it.
        self.untell(what);
        let changes = finding(at, there, what).into_iter().collect();
        self.apply(changes, MapDurability::Disk).await.map(drop)
    }

    /// Keeps a finding about the logs in the file, unless the same one is there and no operator has acknowledged it. Returns true if it
    /// is new.
    pub(crate) async fn find_in_logs(&self, at: Timestamp, what: &str) -> Result<bool> {
        let there = read(&self.map()).await?.findings;
        if there.iter().any(|finding| finding.ends_with(&format!(": {what}"))) {
            return Ok(false);
        }
        let changes = finding(at, there.len(), what).into_iter().collect();
        self.apply(changes, MapDurability::Disk).await?;
        Ok(true)
    }

    /// Returns true if a store that is behind by these numbers was reported before, by any process of this place, and notes the report.
    pub(crate) async fn reported_behind(&self, known: u64, now: u64) -> Result<bool> {
        let name = key::fact(STORE_BEHIND);
        let before = self.map().text(&name).await.map_err(unavailable)?;
        let numbers = before.as_deref().and_then(|text| text.split_once(' '));
        let numbers = numbers.and_then(|(known, now)| Some((known.parse::<u64>().ok()?, now.parse::<u64>().ok()?)));
        let was_reported = numbers.is_some_and(|before| known <= before.0 && before.1 <= now);
        if numbers != Some((known, now)) {
            let known = numbers.filter(|_| was_reported).map_or(known, |before| before.0);
            self.put_fact(STORE_BEHIND, Some(format!("{known} {now}"))).await?;
        }
        Ok(was_reported)
    }

    /// Forgets the report: the store is not behind.
    pub(crate) async fn no_longer_behind(&self) -> Result<()> {
        match self.map().text(&key::fact(STORE_BEHIND)).await.map_err(unavailable)? {
            Some(_) => self.put_fact(STORE_BEHIND, None).await,
            None => Ok(()),
        }
    }

    async fn put_fact(&self, name: &str, text: Option<String>) -> Result<()> {
        let put = MapChange::Put {
            key: key::fact(name),
            text,
        };
        self.apply(vec![put], MapDurability::Disk).await.map(drop)
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
        self.put_fact(NO_HISTORY, None).await?;
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
