//! Facts about the file itself, which stand in it until an operator acknowledges them.

use ibyok_storage::{AuthenticatedMap, MapChange, MapDurability};
use jiff::Timestamp;

use super::{Floors, key, unavailable};
use crate::error::Result;

/// The name of the fact that the node began without a history.
const NO_HISTORY: &str = "no-history";

/// The beginning of the names of findings.
const FINDING: &str = "finding ";

/// How many findings are kept until they are acknowledged; further ones are on the log alone.
const FINDINGS_MAX: usize = 16;

/// The facts that stand in the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Since when the node has a history, if it began without one.
    pub(super) no_history: Option<String>,
    /// What was wrong with the file, oldest first.
    pub(super) findings: Vec<String>,
    /// The names of all facts that stood there.
    names: Vec<Vec<u8>>,
}

pub(super) async fn read(map: &AuthenticatedMap) -> Result<Facts> {
    let mut facts = Facts::default();
    for (name, text) in map.texts(key::FACTS).await.map_err(unavailable)? {
        facts.names.push(name.clone());
        let name = key::name_of(&name);
        if name == NO_HISTORY {
            facts.no_history = Some(text);
        } else if name.starts_with(FINDING) {
            facts.findings.push(text);
        }
    }
    Ok(facts)
}

/// The change that adds a finding, unless there are many.
pub(super) fn finding(at: Timestamp, there: usize, what: &str) -> Option<MapChange> {
    (there < FINDINGS_MAX).then(|| MapChange::Put {
        key: key::fact(&format!("{FINDING}{at:.9} {there}")),
        text: Some(format!("{at:.0}: {what}")),
    })
}

impl Floors {
    /// Keeps that this node knows no floors of what the store holds.
    pub(crate) async fn begin_without_history(&self, at: Timestamp) -> Result<()> {
        let put = MapChange::Put {
            key: key::fact(NO_HISTORY),
            text: Some(format!("{at:.0}")),
        };
        self.apply(vec![put], MapDurability::Disk).await.map(drop)
    }

    /// Keeps a finding in the file, and has it told.
    pub(super) async fn find(&self, at: Timestamp, what: &str) -> Result<()> {
        let there = read(&self.map()).await?.findings.len();
        self.untell(what);
        let changes = finding(at, there, what).into_iter().collect();
        self.apply(changes, MapDurability::Disk).await.map(drop)
    }

    /// Takes facts away that an operator knows of by now. What was found since stays.
    pub(super) async fn acknowledge(&self, known: &Facts) -> Result<()> {
        let gone = known.names.iter().cloned();
        let changes = gone.map(|key| MapChange::Put { key, text: None });
        self.apply(changes.collect(), MapDurability::Disk).await.map(drop)
    }

    /// Takes away that the node began without a history.
    pub(super) async fn forget_no_history(&self) -> Result<()> {
        let put = MapChange::Put {
            key: key::fact(NO_HISTORY),
            text: None,
        };
        self.apply(vec![put], MapDurability::Disk).await?;
        self.sync().await
    }
}
