//! Examinations of the audit log: an examiner takes in each line that the caller may see.
//!
//! The rules for findings are not here. This layer decides the lines that an examiner sees, and keeps the follow-ups of people.

mod examiner;
pub(crate) mod view;
mod walk;

use std::sync::Arc;

use tokio::sync::Mutex;

pub use self::examiner::{Examined, Examiner, FollowedUp, ReviewAccount};
use crate::base::error::Result;
use crate::gate::principal::Principal;
use crate::logs::Logs;
use crate::model::review::{FollowUps, REVIEW_ID, ReviewRecord};
use crate::recorder::Recorder;
use crate::records::Records;

/// Leads examiners through the log.
#[derive(Debug)]
pub(crate) struct Examinations {
    pub(crate) records: Arc<Records>,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) logs: Arc<Logs>,
    /// One examination at a time: each reads much.
    pub(crate) turn: Mutex<()>,
}

impl Examinations {
    /// Returns the follow-ups of the reviews of a principal's namespace.
    pub(crate) async fn follow_ups(&self, who: &Principal) -> Result<FollowUps> {
        let whole = self.records.whole_realm(who.namespace()).await?;
        let id = whole.record(crate::model::kind::REVIEW, REVIEW_ID)?;
        let held = self.records.read::<ReviewRecord>(&whole, &id).await?;
        Ok(FollowUps(held.map(|held| held.record).unwrap_or_default()))
    }
}
