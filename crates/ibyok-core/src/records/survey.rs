//! A survey of the store: reads every record, and counts and names those that are damaged.

use std::sync::Arc;
use std::time::Duration;

use ibyok_storage::StoreExt;
use serde::Serialize;

use crate::base::clock::Clock;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::model::attestation::AttestationRecord;
use crate::model::incident::IncidentRecord;
use crate::model::key::KeyRecord;
use crate::model::kind;
use crate::model::leaked::LeakedRecord;
use crate::model::review::ReviewRecord;
use crate::model::settings::SettingsRecord;
use crate::model::token::TokenRecord;
use crate::realm::{Realm, open_failed};
use crate::records::Records;
use crate::records::damage::DamagedRecord;
use crate::records::record::Record;

/// The number of damaged records that a survey names. Further ones are only counted.
const NAMED_MAX: usize = 100;

/// The number of records after which a survey of a running server pauses, so that requests go first.
const AT_ONCE: u64 = 200;

/// The length of that pause.
const REST: Duration = Duration::from_millis(50);

/// The state of the records in the store, as far as they were checked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RecordsStatus {
    /// The number of records that were checked.
    pub checked: u64,
    /// The number of records that are damaged, missing, or older than this node has seen.
    pub damaged: u64,
    /// True if the survey checked every record that this node can open.
    pub complete: bool,
    /// The damaged records, at most 100.
    pub records: Vec<DamagedRecord>,
}

impl RecordsStatus {
    fn add(&mut self, record: impl FnOnce() -> DamagedRecord) {
        self.damaged += 1;
        if self.records.len() < NAMED_MAX {
            self.records.push(record());
        }
    }
}

/// The pace of a survey.
#[derive(Clone, Copy)]
pub(crate) enum Pace {
    /// It ends after this time, whether or not it is done.
    Within(Duration),
    /// It rests now and then, and is done when it is done.
    Slowly,
}

/// A survey that is under way.
struct Survey<'a> {
    records: &'a Records,
    pace: Pace,
    begun: Duration,
    found: RecordsStatus,
}

impl Records {
    pub(crate) async fn survey_within(&self, limit: Duration) -> Result<RecordsStatus> {
        self.survey(Pace::Within(limit)).await
    }

    pub(crate) async fn survey(&self, pace: Pace) -> Result<RecordsStatus> {
        let mut survey = Survey {
            records: self,
            pace,
            begun: self.clock.elapsed(),
            found: RecordsStatus::default(),
        };
        survey.found.complete = survey.realms().await?;
        Ok(survey.found)
    }
}

impl Survey<'_> {
    /// Checks every record; returns `false` if the time was over before.
    async fn realms(&mut self) -> Result<bool> {
        for id in self.records.tags().await?.damaged() {
            self.found.checked += 1;
            self.found.add(|| DamagedRecord::unnamed(id, Damage::DoesNotOpen));
        }
        for (id, _) in self.records.tags().await?.lost().filter(|(_, name)| name.is_none()) {
            self.found.checked += 1;
            self.found.add(|| DamagedRecord::unnamed(id, Damage::Missing));
        }
        for realm in self.open_realms().await? {
            let whole = self.records::<SettingsRecord>(&realm).await?
                && self.records::<KeyRecord>(&realm).await?
                && self.records::<TokenRecord>(&realm).await?
                && self.records::<IncidentRecord>(&realm).await?
                && self.records::<LeakedRecord>(&realm).await?
                && self.records::<ReviewRecord>(&realm).await?
                && self.records::<AttestationRecord>(&realm).await?
                && self.sealed(&realm, kind::LOG_KEY).await?
                && self.sealed(&realm, kind::CHECKPOINT).await?;
            if !whole {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Every realm that this node can open; the damaged ones are counted.
    async fn open_realms(&mut self) -> Result<Vec<Arc<Realm>>> {
        let mut realms = Vec::new();
        for name in self.records.tags().await?.expected() {
            self.found.checked += 1;
            match self.records.realm(&name).await {
                Ok(realm) => realms.extend(realm),
                // Another process may have the KEK; the environment's own warning says so.
                Err(Error::Kek { .. }) => {}
                Err(error) => {
                    let damaged = self.records.damaged_realm(&name, error)?;
                    self.found.add(|| damaged);
                }
            }
        }
        Ok(realms)
    }

    /// Checks the records of one kind in a realm.
    async fn records<R: Record>(&mut self, realm: &Arc<Realm>) -> Result<bool> {
        let walk = self.records.walk_records::<R>(realm, None)?;
        let mut walk = walk.at_most(usize::try_from(AT_ONCE).unwrap_or(1));
        while let Some(met) = walk.next::<R>().await? {
            for (id, record) in met {
                self.found.checked += 1;
                if let Err(damage) = record {
                    self.found.add(|| DamagedRecord::of::<R>(realm, &id, damage));
                }
            }
            if !self.goes_on().await {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Checks sealed records of one kind by opening them alone.
    async fn sealed(&mut self, realm: &Arc<Realm>, kind: u8) -> Result<bool> {
        let collection = realm.collection(kind)?;
        let mut pages = self.records.store.pages(&collection);
        while let Some(ids) = pages.next_page().await? {
            for id in &ids {
                let Some(stored) = self.records.store.get(id).await? else {
                    continue;
                };
                self.found.checked += 1;
                // A survey of a large realm outlives a generation of its key.
                let newer = self.records.with_generation_of(realm, &stored.bytes).await?;
                let now = newer.as_ref().unwrap_or(realm);
                let opened = now.keys.open_record(&now.place(id), &stored.bytes);
                match opened.map_err(|error| open_failed("a record".to_owned(), error)) {
                    Ok(_) => {}
                    Err(Error::Integrity { damage, .. }) => {
                        self.records.remember_damaged(id);
                        self.found.add(|| DamagedRecord::unnamed(id, damage));
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(self.goes_on().await)
    }

    async fn goes_on(&self) -> bool {
        match self.pace {
            Pace::Within(limit) => self.records.clock.elapsed().saturating_sub(self.begun) < limit,
            Pace::Slowly => {
                // A small vault is checked without a pause.
                if self.found.checked > AT_ONCE {
                    tokio::time::sleep(REST).await;
                }
                true
            }
        }
    }
}
