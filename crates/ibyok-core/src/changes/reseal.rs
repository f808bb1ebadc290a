//! Sealing the records of a realm again under the current generation of its key, and counting those under older ones.
//!
//! A record keeps its content and its revision, so floors have nothing to say about it, and a walk needs no line of the log for each
//! record. Each record is a compare-and-swap: a change of another node at the same moment is kept, and its record is read again.

use std::collections::BTreeMap;

use ibyok_storage::{Error as StorageError, Expect, RecordId, RecordPut, Stored};

use super::Changes;
use super::environment::contended;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::realm::Realm;
use crate::realm::reseal::{older_generations, sealed_again};
use crate::records::sealed::Found;

/// The number of times that records are sealed again when other writers change them.
const TRIES: usize = 64;

/// The result of a walk over the records of a realm.
#[derive(Debug, Default)]
pub(crate) struct Walked {
    /// The number of records that were read.
    pub(crate) checked: u64,
    /// The number of records that were sealed again.
    pub(crate) resealed: u64,
    /// The number of records under each older generation.
    pub(crate) under: BTreeMap<u32, u64>,
    /// The records that do not open.
    pub(crate) damaged: Vec<(RecordId, Damage)>,
}

/// Gets the number of records that a walk has read since the last call.
pub(crate) type Step<'a> = &'a mut (dyn FnMut(u64) + Send);

impl Changes {
    /// Seals every record of a realm under its current generation. A record that does not open stays as it is.
    pub(crate) async fn reseal_records(&self, realm: &Realm, step: Step<'_>) -> Result<Walked> {
        let mut walked = Walked::default();
        let mut walk = self.records.sealed_records(realm)?;
        while let Some(found) = walk.next().await? {
            let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
            walked.checked = walked.checked.saturating_add(count);
            self.reseal_some(realm, found, &mut walked).await?;
            step(count);
        }
        Ok(walked)
    }

    /// Counts the records under each older generation of a realm. Changes nothing.
    pub(crate) async fn count_older(&self, realm: &Realm, step: Step<'_>) -> Result<Walked> {
        let mut walked = Walked::default();
        let mut walk = self.records.sealed_records(realm)?;
        while let Some(found) = walk.next().await? {
            let count = u64::try_from(found.len()).unwrap_or(u64::MAX);
            walked.checked = walked.checked.saturating_add(count);
            for (id, stored) in found {
                let older = stored.and_then(|stored| damage_of(older_generations(realm, &id, &stored.bytes)));
                match older {
                    Ok(older) => older.into_iter().for_each(|number| {
                        let under = walked.under.entry(number).or_default();
                        *under = under.saturating_add(1);
                    }),
                    Err(damage) => walked.damaged.push((id, damage)),
                }
            }
            step(count);
        }
        Ok(walked)
    }

    /// Seals some records in one transaction, or each alone if other writers keep changing one of them.
    async fn reseal_some(&self, realm: &Realm, found: Vec<Found>, walked: &mut Walked) -> Result<()> {
        let (mut ids, mut puts) = (Vec::new(), Vec::new());
        for (id, stored) in found {
            let again = stored.and_then(|stored| {
                let bytes = damage_of(sealed_again(realm, &id, &stored.bytes))?;
                Ok(bytes.map(|bytes| (bytes, stored.revision)))
            });
            match again {
                Ok(Some((bytes, revision))) => puts.push((id, bytes, revision)),
                Ok(None) => {}
                Err(damage) => walked.damaged.push((id, damage)),
            }
        }
        let puts: Vec<RecordPut<'_>> = puts
            .iter()
            .map(|(id, bytes, revision)| RecordPut::new(*id, bytes, Expect::Revision(*revision)))
            .collect();
        let mut rest = puts.as_slice();
        while !rest.is_empty() {
            let written = match self.records.store.put_many(rest).await {
                Ok(written) => written.len().max(1),
                Err(StorageError::Conflict) => {
                    for put in rest {
                        walked.resealed += u64::from(self.reseal_one(realm, &put.id, &mut walked.damaged).await?);
                    }
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            let done = rest.get(..written).unwrap_or(rest);
            ids.extend(done.iter().map(|put| put.id));
            rest = rest.get(written..).unwrap_or_default();
        }
        walked.resealed = walked
            .resealed
            .saturating_add(u64::try_from(ids.len()).unwrap_or(u64::MAX));
        self.records.cache.invalidate(&ids);
        Ok(())
    }

    /// Seals one record again that others change. Returns false if nothing of it was under an older generation.
    async fn reseal_one(&self, realm: &Realm, id: &RecordId, damaged: &mut Vec<(RecordId, Damage)>) -> Result<bool> {
        for _ in 0..TRIES {
            let Some(Stored { bytes, revision, .. }) = self.records.store.get(id).await? else {
                return Ok(false);
            };
            let bytes = match damage_of(sealed_again(realm, id, &bytes)) {
                Ok(Some(bytes)) => bytes,
                Ok(None) => return Ok(false),
                Err(damage) => {
                    damaged.push((*id, damage));
                    return Ok(false);
                }
            };
            match self.records.store.put(id, &bytes, Expect::Revision(revision)).await {
                Err(StorageError::Conflict) => tokio::task::yield_now().await,
                put => {
                    put?;
                    self.records.cache.invalidate([id]);
                    return Ok(true);
                }
            }
        }
        Err(contended())
    }
}

/// The damage of a record that did not open. Opening a record under keys that are held fails in no other way.
fn damage_of<T>(opened: Result<T>) -> Result<T, Damage> {
    opened.map_err(|error| match error {
        Error::Integrity { damage, .. } => damage,
        _ => Damage::DoesNotOpen,
    })
}
