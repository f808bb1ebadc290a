//! The records that this node itself lives on: the environment key of its home, its log's key, and its log's checkpoint.
//!
//! A running node has read them long ago and would not notice that they are damaged before it is started again.

use std::sync::PoisonError;

use ibyok_storage::RecordId;
use sha2::{Digest, Sha256};

use crate::base::error::{Error, Result};
use crate::logs::checkpoints::{damaged_checkpoint, removed_checkpoint};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::environment_key;
use crate::realm::log_keys::log_key;
use crate::vault::Inner;

/// The faults of a node's own records.
#[derive(Debug, Default)]
pub(crate) struct OwnRecords {
    /// The fault of the record that no vault opens without.
    pub(crate) home: Option<String>,
    /// The faults of the others.
    pub(crate) warnings: Vec<String>,
}

impl Inner {
    /// Looks at the node's own records. A store that does not answer has no faults here: its own part says so.
    pub(crate) async fn own_records(&self) -> OwnRecords {
        let mut own = OwnRecords::default();
        match self.home_fault().await {
            Ok(fault) => own.home = fault,
            Err(error) => tracing::debug!(%error, "the record of the home was not looked at"),
        }
        match self.log_faults().await {
            Ok(faults) => own.warnings = faults,
            Err(error) => tracing::debug!(%error, "the records of this node's log were not looked at"),
        }
        own
    }

    /// Returns the fault of the home's environment key record. The KEK is asked only if the record's bytes changed.
    async fn home_fault(&self) -> Result<Option<String>> {
        let (records, name) = (&self.records, &self.records.home.name);
        let id = name.record_id(records.vault);
        let stored = records.store.get(&id).await?;
        let digest: Option<[u8; 32]> = stored.map(|stored| Sha256::digest(&stored.bytes).into());
        let known = *records.home_record.lock().unwrap_or_else(PoisonError::into_inner);
        if digest.is_some() && digest == known {
            return Ok(None);
        }
        let read = records.read_realm(name).await;
        let fault = match read {
            Ok(Some(_)) => {
                *records.home_record.lock().unwrap_or_else(PoisonError::into_inner) = digest;
                return Ok(None);
            }
            Ok(None) => format!("{} is missing", environment_key(name, &id)),
            Err(error @ Error::Integrity { .. }) => error.to_string(),
            Err(error) => return Err(error),
        };
        records.remember_damaged(&id);
        Ok(Some(format!(
            "{fault}; this process goes on with the keys in its memory, and no other can open the vault: restore the record from a backup"
        )))
    }

    async fn log_faults(&self) -> Result<Vec<String>> {
        let (log, mut faults) = (self.recorder.log.id(), Vec::new());
        let Some(id) = from_base62(log) else {
            return Ok(faults);
        };
        let key: RecordId = self.records.home.record(kind::LOG_KEY, id)?;
        let home = self.records.home_now().await;
        match log_key(self.records.store.as_ref(), &home, &key).await {
            Ok(Some(_)) => {}
            Ok(None) => faults.push(format!(
                "the store holds no key of the audit log `{log}` ({key}): the next process begins another log"
            )),
            Err(Error::Integrity { damage, .. }) => {
                self.records.remember_damaged(&key);
                faults.push(format!(
                    "the key of the audit log `{log}` in the store ({key}) {damage}: the next process begins another log"
                ));
            }
            Err(error) => return Err(error),
        }
        let checkpoints = self.logs.checkpoints().await;
        let checkpoint = checkpoints.record_of(log)?;
        match checkpoints.get(&checkpoint).await {
            Ok(Some(_)) => {}
            Ok(None) => faults.push(removed_checkpoint(log, self.recorder.log.last_seq())),
            Err(Error::Integrity { damage, .. }) => {
                self.records.remember_damaged(&checkpoint);
                faults.push(damaged_checkpoint(log, &checkpoint, damage));
            }
            Err(error) => return Err(error),
        }
        Ok(faults)
    }
}
