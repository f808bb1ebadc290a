//! The faults of reads and writes of many records.

use super::{Fault, Faulty};
use crate::error::{Error, Result};
use crate::record::{RecordId, RecordPut, Revision, Stored};
use crate::store::Store;

impl Faulty {
    pub(super) async fn faulty_get_many(&self, ids: &[RecordId]) -> Result<Vec<Option<Stored>>> {
        let mut ids = ids.to_vec();
        match self.fault {
            Fault::ReadsSorted => ids.sort_unstable(),
            Fault::ReadsWithoutLimit => {
                let mut all = Vec::new();
                for id in &ids {
                    all.push(self.right.get(id).await?);
                }
                return Ok(all);
            }
            _ => {}
        }
        let mut found = self.right.get_many(&ids).await?;
        if self.fault == Fault::SkipsAbsent && found.iter().any(Option::is_some) {
            found.retain(Option::is_some);
        }
        Ok(found)
    }

    pub(super) async fn faulty_put_many(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let mut puts = puts.to_vec();
        match self.fault {
            Fault::WritesUntilRefused | Fault::WritesSome | Fault::WritesTwice => {
                return self.one_by_one(&puts).await;
            }
            Fault::FeedsBatchesSorted => puts.sort_unstable_by_key(|put| put.id),
            _ => {}
        }
        let mut revisions = self.right.put_many(&puts).await?;
        if self.fault == Fault::GivesOneRevision
            && let Some(&last) = revisions.last()
        {
            revisions.fill(last);
        }
        Ok(revisions)
    }

    async fn one_by_one(&self, puts: &[RecordPut<'_>]) -> Result<Vec<Revision>> {
        let (mut revisions, mut refused) = (Vec::new(), None);
        if self.fault != Fault::WritesTwice {
            RecordPut::first_batch(puts)?;
        }
        for put in puts {
            match self.right.put(&put.id, put.bytes, put.expect).await {
                Ok(revision) => revisions.push(revision),
                Err(Error::Exists) if self.fault == Fault::WritesTwice && revisions.len() > 1 => {}
                Err(error) if self.fault == Fault::WritesSome => refused = Some(error),
                Err(error) => return Err(error),
            }
            tokio::task::yield_now().await;
        }
        refused.map_or(Ok(revisions), Err)
    }
}
