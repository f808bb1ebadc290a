//! The state of the floors, for `status`.

use serde::Serialize;

use super::entry::unavailable;
use super::facts;
use super::file::Floors;
use crate::base::error::Result;

/// The state of the floors: the revisions below which this node refuses records.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct FloorsStatus {
    /// The number of records that have a floor.
    pub records: u64,
    /// Grows with every change of the floors.
    pub generation: u64,
    /// The time at which this node began without a history; `None` if it has one.
    pub no_history_before: Option<String>,
    /// Findings that no operator has acknowledged: the file was missing, damaged or set back, and was rebuilt.
    pub findings: Vec<String>,
    /// The reason why floors cannot be written: nothing can be taken away.
    pub failure: Option<String>,
}

impl Floors {
    pub(crate) async fn status(&self) -> Result<FloorsStatus> {
        let failure = self.cannot_write().await;
        let summary = self.map().summary().await.map_err(unavailable)?;
        let facts = facts::read(&self.map()).await?;
        Ok(FloorsStatus {
            records: summary.numbers,
            generation: summary.generation,
            no_history_before: facts.no_history,
            findings: facts.findings,
            failure,
        })
    }
}

impl FloorsStatus {
    /// The warnings that follow from the state.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings = self.findings.clone();
        if let Some(since) = &self.no_history_before {
            warnings.push(format!(
                "this node began without a history at {since}: it cannot notice an older record that was put back before the node \
                read the newer record; import the floors of another node"
            ));
        }
        warnings.extend(
            self.failure
                .iter()
                .map(|why| format!("the vault cannot revoke, disable or remove anything: {why}")),
        );
        warnings
    }
}
