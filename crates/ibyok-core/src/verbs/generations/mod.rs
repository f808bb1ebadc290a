//! The generations of environment keys, and the token keys of realms: new ones under running nodes, and old ones deleted.
//!
//! - `reseal`: a new generation, and every record sealed under it
//! - `retire`: deleting an old generation
//! - `rekey`: a new token key

pub(crate) mod rekey;
pub(crate) mod reseal;
pub(crate) mod retire;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use ibyok_audit::Action;
use ibyok_storage::RecordId;
use serde::Serialize;

use super::keks::Keks;
use crate::base::damage::Damage;
use crate::base::error::{Error, Result};
use crate::changes::reseal::Walked;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::typed::with_type_of;
use crate::realm::{Realm, RealmName, WHOLE};
use crate::records::damage::DamagedRecord;
use crate::records::record::Record as _;
use crate::vault::session::Session;

/// The time after which every running node works with the record of an environment key that was just changed. It is twice the lease of
/// a node, so that requests under way end as well.
pub(crate) const GRACE: Duration = Duration::from_millis(1500);

/// The environments of which an operator changes the keys, in every namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a caller names one of these")]
pub enum KeysOf {
    /// Every environment, and what spans environments.
    #[default]
    Everything,
    /// The environments of one name.
    Environment(EnvironmentName),
    /// What spans the environments of a namespace: tokens of several environments, incidents, reviews, keys of logs.
    Spanning,
}

impl KeysOf {
    fn has(&self, name: &RealmName) -> bool {
        match self {
            KeysOf::Everything => true,
            KeysOf::Environment(environment) => name.environment.as_ref() == Some(environment),
            KeysOf::Spanning => name.environment.is_none(),
        }
    }
}

/// Parses the name of an environment, or `whole` for what spans environments.
impl FromStr for KeysOf {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            WHOLE => Ok(KeysOf::Spanning),
            name => name.parse().map(KeysOf::Environment),
        }
    }
}

impl fmt::Display for KeysOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeysOf::Everything => f.write_str("every environment"),
            KeysOf::Environment(name) => write!(f, "environment `{name}`"),
            KeysOf::Spanning => f.write_str("what spans environments"),
        }
    }
}

/// The generations of one environment key, and the number of records under those that are retiring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Generations {
    /// The namespace.
    pub namespace: Namespace,
    /// The environment; `None` for what spans environments.
    pub environment: Option<EnvironmentName>,
    /// The generation that seals.
    pub current: u32,
    /// The generations that open and do not seal.
    pub retiring: Vec<u32>,
    /// The number of records that were read.
    pub checked: u64,
    /// The number of records under each retiring generation, without generations that have none.
    pub under: BTreeMap<u32, u64>,
    /// The number of records that were sealed again by this call.
    pub resealed: u64,
    /// The records that do not open. They may be under any generation.
    pub damaged: Vec<DamagedRecord>,
}

impl Generations {
    fn of(realm: &Realm, walked: Walked) -> Self {
        let current = realm.keys.current_generation();
        let generations = realm.keys.generations().into_iter();
        Generations {
            namespace: realm.name.namespace.clone(),
            environment: realm.name.environment.clone(),
            current,
            retiring: generations
                .map(|generation| generation.number)
                .filter(|number| *number != current)
                .collect(),
            checked: walked.checked,
            under: walked.under,
            resealed: walked.resealed,
            damaged: walked
                .damaged
                .iter()
                .map(|(id, damage)| damaged_record(realm, id, *damage))
                .collect(),
        }
    }

    /// Returns the environment with its namespace: `default/prod`, or `default/whole` for what spans environments.
    #[must_use]
    pub fn place(&self) -> String {
        let environment = self.environment.as_ref().map_or(WHOLE, EnvironmentName::as_str);
        format!("{}/{environment}", self.namespace)
    }
}

fn damaged_record(realm: &Realm, id: &RecordId, damage: Damage) -> DamagedRecord {
    let unnamed = || DamagedRecord {
        environment: realm.name.environment.clone(),
        ..DamagedRecord::unnamed(id, damage)
    };
    with_type_of!(id, R => DamagedRecord { kind: R::NAME, ..DamagedRecord::of::<R>(realm, id, damage) }, _ => unnamed())
}

/// The progress of a walk over several environments.
struct Walks<'a> {
    done: u64,
    all: u64,
    progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

impl<'a> Walks<'a> {
    fn over(all: u64, progress: &'a mut (dyn FnMut(u64, u64) + Send)) -> Self {
        progress(0, all);
        Walks { done: 0, all, progress }
    }

    fn step(&mut self, count: u64) {
        self.done = self.done.saturating_add(count);
        self.all = self.all.max(self.done);
        (self.progress)(self.done, self.all);
    }

    /// Records came and went since they were counted.
    fn end(&mut self) {
        (self.progress)(self.done, self.done);
    }
}

impl Keks {
    /// Reads every record and counts those under each generation that is retiring. Changes nothing. `progress` gets the number of
    /// records that are read, and the number of all.
    ///
    /// # Errors
    /// [`Error::NotFound`] if no namespace has the environment, [`Error::Kek`], [`Error::Integrity`] for a damaged environment key,
    /// [`Error::Unavailable`].
    pub async fn generations(
        &self,
        of: &KeysOf,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Vec<Generations>> {
        let (inner, mut all) = (&self.0.inner, Vec::new());
        let realms = self.realms(of).await?;
        let mut walks = Walks::over(self.count(&realms).await?, progress);
        for realm in realms {
            let walked = inner
                .changes
                .count_older(&realm, &mut |count| walks.step(count))
                .await?;
            all.push(Generations::of(&realm, walked));
        }
        walks.end();
        Ok(all)
    }

    /// The realms, opened, as the store has them now.
    async fn realms(&self, of: &KeysOf) -> Result<Vec<Arc<Realm>>> {
        let records = &self.0.inner.records;
        records.renew_lease().await?;
        let mut realms = Vec::new();
        for name in self.names(of).await? {
            realms.extend(records.realm(&name).await?);
        }
        Ok(realms)
    }

    /// The names of the realms.
    async fn names(&self, of: &KeysOf) -> Result<Vec<RealmName>> {
        let tags = self.0.inner.records.tags().await?;
        let names: Vec<RealmName> = tags
            .expected()
            .iter()
            .filter(|name| of.has(name))
            .map(|name| RealmName::clone(name))
            .collect();
        match (names.is_empty(), of) {
            (false, _) => Ok(names),
            (true, KeysOf::Environment(name)) => Err(Error::NotFound {
                what: format!("environment `{name}`"),
                hint: Some("list the environments with `ibyok envs list`, and check the name".into()),
            }),
            (true, KeysOf::Everything | KeysOf::Spanning) => Err(Error::NotFound {
                what: "an environment".to_owned(),
                hint: None,
            }),
        }
    }

    /// About the number of records of some realms.
    async fn count(&self, realms: &[Arc<Realm>]) -> Result<u64> {
        let mut count = 0_u64;
        for realm in realms {
            count = count.saturating_add(self.0.inner.records.count_sealed(realm).await?);
        }
        Ok(count)
    }

    /// Returns the session in a namespace.
    fn session_in(&self, namespace: &Namespace, action: Action) -> Result<(Session, Action)> {
        Ok((self.0.clone().in_namespace(namespace.clone())?, action))
    }
}
