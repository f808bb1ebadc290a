//! The records of incidents: found, written, and opened where a leaked value is stored by force.
//!
//! - `request`: the request that opens an incident
//! - `write`: writing the record
//! - `forced`: a value that leaked is stored by force

pub(crate) mod forced;
pub(crate) mod request;
pub(crate) mod write;

use std::sync::Arc;

use ibyok_crypto::cut;

use crate::base::error::{Error, Result};
use crate::changes::Changes;
use crate::gate::Gate;
use crate::gate::attempt::Attempt;
use crate::gate::permit::Permit;
use crate::gate::principal::Principal;
use crate::model::incident::{IncidentId, IncidentInfo, IncidentRecord};
use crate::model::key::KeyRecord;
use crate::model::name::KeyId;
use crate::realm::Realm;
use crate::records::Records;
use crate::records::damage::DamagedRecord;
use crate::records::record::Record;

/// Takes the place, on the log, of a text that was not compared with every value of its key.
pub(crate) const NOT_ON_THE_LOG: &str = "the text is kept in the incident";

/// Keeps the incidents of keys.
#[derive(Debug)]
pub(crate) struct Incidents {
    pub(crate) records: Arc<Records>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) changes: Arc<Changes>,
}

/// The number of incidents that one key may have had.
const INCIDENTS_MAX: u32 = 1000;

/// An incident that was found.
pub(crate) struct Found {
    pub(crate) id: IncidentId,
    pub(crate) realm: Arc<Realm>,
    pub(crate) record: IncidentRecord,
}

impl Found {
    /// The incident as it is shown.
    pub(crate) fn info(&self) -> IncidentInfo {
        let reference = self.realm.reference_in(&self.record.environment, &self.record.key);
        self.record.info(self.id, reference)
    }
}

impl Incidents {
    /// The id of a key's `n`-th incident. It follows from the key, so that two incidents that are opened at once are
    /// one.
    fn incident_id(whole: &Realm, key: KeyId, n: u32) -> IncidentId {
        let mut name = key.0.to_vec();
        name.extend_from_slice(&n.to_be_bytes());
        let hash = whole.keys.keyed_hash("ibyok incident v1", &name);
        IncidentId(cut(hash))
    }

    /// A key's newest incident, and the id of the one after it.
    pub(crate) async fn newest_incident(&self, whole: &Arc<Realm>, key: KeyId) -> Result<(Option<Found>, IncidentId)> {
        let mut newest = None;
        for n in 0..INCIDENTS_MAX {
            let id = Self::incident_id(whole, key, n);
            let record = whole.record(IncidentRecord::KIND, id.0)?;
            match self.records.read::<IncidentRecord>(whole, &record).await? {
                None => return Ok((newest, id)),
                Some(held) => {
                    newest = Some(Found {
                        id,
                        realm: Arc::clone(whole),
                        record: held.record,
                    });
                }
            }
        }
        Err(Error::invalid(
            format!("the key has had {INCIDENTS_MAX} incidents"),
            "remove the key, and use another name",
        ))
    }

    /// True if an incident is open on a key. A node that may not open the records of incidents reads the key's own
    /// record: a version that is marked compromised counts as one.
    pub(crate) async fn is_under_incident(&self, permit: &Permit) -> Result<bool> {
        let newest = match self.records.whole_realm(&permit.realm().name.namespace).await {
            Ok(whole) => self.newest_incident(&whole, permit.id()).await?.0,
            Err(Error::Kek { .. }) => {
                let held = self.records.load::<KeyRecord>(permit.realm(), permit.id().0).await?;
                return Ok(held.is_some_and(|held| held.record.versions.iter().any(|version| version.compromised)));
            }
            Err(error) => return Err(error),
        };
        Ok(newest.is_some_and(|found| found.record.closed.is_none()))
    }

    /// Returns every incident of a namespace that a principal may see, newest first, and with them those that are
    /// damaged.
    pub(crate) async fn incidents_seen(&self, attempt: &Attempt<'_>, who: &Principal) -> Result<Seen> {
        let whole = self.records.whole_realm(who.namespace()).await?;
        let mut seen = Seen::default();
        let mut walk = self.records.walk_records::<IncidentRecord>(&whole, None)?;
        while let Some(met) = walk.next::<IncidentRecord>().await? {
            for (id, record) in met {
                match record {
                    Ok(record) if self.may_see_incident(attempt, who, &record) => seen.found.push(Found {
                        id: IncidentId(*id.id()),
                        realm: Arc::clone(&whole),
                        record,
                    }),
                    Ok(_) => {}
                    Err(damage) => seen
                        .damaged
                        .push(DamagedRecord::of::<IncidentRecord>(&whole, &id, damage)),
                }
            }
        }
        seen.found
            .sort_by_key(|found| (std::cmp::Reverse(found.record.opened.at), found.id));
        Ok(seen)
    }

    fn may_see_incident(&self, attempt: &Attempt<'_>, who: &Principal, record: &IncidentRecord) -> bool {
        let scope = ibyok_policy::Scope::IncidentsWrite;
        let (environment, key) = (Some(&record.environment), Some(&record.key));
        self.gate
            .allowed(attempt, who, scope, who.namespace(), environment, key)
            .is_ok()
    }
}

/// The incidents of a namespace.
#[derive(Default)]
pub(crate) struct Seen {
    /// The incidents that a principal may see.
    pub(crate) found: Vec<Found>,
    /// The incidents whose records are damaged, so that their keys are not known.
    pub(crate) damaged: Vec<DamagedRecord>,
}
