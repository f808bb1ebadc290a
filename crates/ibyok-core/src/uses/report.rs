//! The request for a report of usage, and the report.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use ipnet::IpNet;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::caller::Caller;
use super::tally::Tally;
use crate::base::error::Error;
use crate::model::caller_kind::CallerKind;
use crate::model::key_ref::KeyRef;
use crate::model::name::{EnvironmentName, KeyId};
use crate::records::damage::DamagedRecord;

/// The grouping by which usage is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum UsageBy {
    /// Each key.
    #[default]
    Key,
    /// Each token, and each operator.
    Token,
    /// Each environment.
    Env,
    /// Each day, in UTC.
    Day,
    /// Each version of each key.
    Version,
}

impl UsageBy {
    /// Every one of them.
    pub const ALL: [Self; 5] = [Self::Key, Self::Token, Self::Env, Self::Day, Self::Version];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Token => "token",
            Self::Env => "env",
            Self::Day => "day",
            Self::Version => "version",
        }
    }
}

impl fmt::Display for UsageBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for UsageBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|by| by.as_str() == text);
        found.ok_or_else(|| Error::invalid_name("grouping", text, "`key`, `token`, `env`, `day` or `version`"))
    }
}

/// A request for a report of usage. The default is every key of the last seven days.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct UsageRequest {
    /// The grouping.
    pub by: UsageBy,
    /// The first day is that of this time; seven days ago unless given.
    pub since: Option<Timestamp>,
    /// The last day is that of this time; now unless given.
    pub until: Option<Timestamp>,
    /// The one environment to report, if given.
    pub environment: Option<EnvironmentName>,
    /// The one key to report, if given.
    pub key: Option<KeyRef>,
}

impl UsageRequest {
    /// Usage by something.
    #[must_use]
    pub fn new(by: UsageBy) -> Self {
        UsageRequest {
            by,
            ..UsageRequest::default()
        }
    }

    /// Sets the time of the first day.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// Sets the time of the last day.
    #[must_use]
    pub fn until(mut self, until: Timestamp) -> Self {
        self.until = Some(until);
        self
    }

    /// Limits the report to one environment.
    #[must_use]
    pub fn environment(mut self, environment: EnvironmentName) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Limits the report to one key.
    #[must_use]
    pub fn key(mut self, key: KeyRef) -> Self {
        self.key = Some(key);
        self
    }
}

/// A report of usage.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct UsageReport {
    /// The grouping.
    pub by: UsageBy,
    /// The first day that is in it.
    pub since: Date,
    /// The last.
    pub until: Date,
    /// The most used first; days in their order.
    pub items: Vec<UsageItem>,
    /// The number of records of counts that are damaged: the uses that they counted are missing.
    pub damaged: u64,
    /// Environments that do not open: their usage is missing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub damaged_environments: Vec<DamagedRecord>,
    /// True if damaged records of environments may hide usage.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Always `None`: the whole of it is one page.
    pub next: Option<String>,
}

/// The uses of one item.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct UsageItem {
    /// The key, `environment/name`; of one that is gone without a trace, `environment/id`.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The key's public id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// `token`, `operator`, or `others`: callers beyond the number that is counted separately.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<CallerKind>,
    /// The token's id, or the operator's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The token's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentName>,
    /// The day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<Date>,
    /// The number of retrievals that released a value, mocks among them.
    pub allowed: u64,
    /// The number of those that released a mock.
    pub mocked: u64,
    /// The number that policy refused.
    pub denied: u64,
    /// The number that were permitted and failed: the key is disabled, missing, or limited.
    pub failed: u64,
    /// The time at which a value was last released.
    pub last_used: Option<Timestamp>,
    /// The number of tokens and operators that were given a value.
    pub consumers: usize,
    /// The number of networks (/24, /48) that values went to. Of each token and key at most 8 a day are counted
    /// separately.
    pub networks: usize,
    /// True if there were more networks than are counted separately.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_networks: bool,
}

/// The sums for one item.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) item: UsageItem,
    tally: Tally,
    callers: BTreeSet<Caller>,
    networks: BTreeSet<IpNet>,
}

impl Sum {
    pub(crate) fn add(&mut self, caller: &Caller, tally: &Tally) {
        // A sum distinguishes the same networks as its rows.
        self.networks.extend(tally.networks.iter().copied());
        let mut counts = tally.clone();
        counts.networks.clear();
        self.tally.merge(&counts);
        if tally.live > 0 || tally.mocked > 0 {
            self.callers.insert(caller.clone());
        }
    }

    pub(crate) fn item(self) -> UsageItem {
        UsageItem {
            allowed: self.tally.live.saturating_add(self.tally.mocked),
            mocked: self.tally.mocked,
            denied: self.tally.denied,
            failed: self.tally.failed,
            last_used: self.tally.last,
            consumers: self.callers.len(),
            networks: self.networks.len(),
            more_networks: self.tally.more_networks,
            ..self.item
        }
    }
}
