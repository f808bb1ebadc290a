//! Reviews of the audit log: finding the lines that deserve attention, and the record of the reviews.

pub(crate) mod view;
mod walk;

use std::sync::Arc;

use ibyok_audit::review::Thresholds;
use tokio::sync::Mutex;

use crate::base::error::Result;
use crate::gate::principal::Principal;
use crate::geoip::GeoIp;
use crate::logs::Logs;
use crate::model::review::{REVIEW_ID, ReviewRecord};
use crate::recorder::Recorder;
use crate::records::Records;

/// The way in which a node reviews the log.
#[derive(Debug, Default)]
pub(crate) struct Habits {
    pub(crate) thresholds: Thresholds,
    pub(crate) geoip: Option<GeoIp>,
}

/// Reviews the log.
#[derive(Debug)]
pub(crate) struct Reviews {
    pub(crate) records: Arc<Records>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) logs: Arc<Logs>,
    pub(crate) habits: Habits,
    /// One review at a time: each reads much.
    pub(crate) turn: Mutex<()>,
}

impl Reviews {
    /// Returns the record of the reviews of a principal's namespace.
    pub(crate) async fn reviews_of(&self, who: &Principal) -> Result<ReviewRecord> {
        let whole = self.records.whole_realm(who.namespace()).await?;
        let id = whole.record(crate::model::kind::REVIEW, REVIEW_ID)?;
        let held = self.records.read::<ReviewRecord>(&whole, &id).await?;
        Ok(held.map(|held| held.record).unwrap_or_default())
    }
}
