//! Facts about the file itself, which it keeps until an operator acknowledges them.

use ibyok_storage::{AuthenticatedMap, MapChange};
use jiff::Timestamp;

use super::entry::unavailable;
use super::key;
use crate::base::error::Result;

/// The name of the fact that the node began without a history.
pub(super) const NO_HISTORY: &str = "no-history";

/// The name of the fact that a store that is behind the log was reported, with the numbers of the report.
pub(super) const STORE_BEHIND: &str = "store-behind";

/// The beginning of the names of findings.
const FINDING: &str = "finding ";

/// The number of findings that are kept until they are acknowledged. Further findings are on the log alone.
const FINDINGS_MAX: usize = 16;

/// The facts in the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    /// The time since which the node has a history, if it began without one.
    pub(crate) no_history: Option<String>,
    /// The faults that were found in the file, oldest first.
    pub(crate) findings: Vec<String>,
    /// The names of all facts in the file.
    pub(super) names: Vec<Vec<u8>>,
}

pub(crate) async fn read(map: &AuthenticatedMap) -> Result<Facts> {
    let mut facts = Facts::default();
    for (name, text) in map.texts(key::FACTS).await.map_err(unavailable)? {
        let item = name.clone();
        let name = key::name_of(&name);
        if name == STORE_BEHIND {
            continue;
        }
        facts.names.push(item);
        if name == NO_HISTORY {
            facts.no_history = Some(text);
        } else if name.starts_with(FINDING) {
            facts.findings.push(text);
        }
    }
    Ok(facts)
}

/// The change that adds a finding, unless there are many.
pub(crate) fn finding(at: Timestamp, there: usize, what: &str) -> Option<MapChange> {
    // An attacker who damages the file again and again must not make it grow.
    (there < FINDINGS_MAX).then(|| MapChange::Put {
        key: key::fact(&format!("{FINDING}{at:.9} {there}")),
        text: Some(format!("{at:.0}: {what}")),
    })
}
