//! Figures of the time under review: hours by day, tokens, networks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

use super::country::{Countries, Country};
use super::network::Network;
use super::profile::{Hour, number_of};
use crate::action::Outcome;
use crate::read::Entry;

/// The largest number of tokens and of networks counted one by one. The rest are one row.
const COUNTED: usize = 10_000;
/// The largest number of rows in the summary.
const ROWS: usize = 200;
/// The largest number of days in the summary. It keeps the last ones.
const DAYS: usize = 400;
/// The largest number of different keys, networks or tokens counted in a row.
const DIFFERENT: usize = 256;

/// One day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Day {
    /// The date, in the time zone of the review.
    pub date: Date,
    /// Requests in each hour of the clock.
    pub hours: [u64; 24],
    /// The number of these requests that were refused or failed.
    pub refused: u64,
}

/// One token in the time under review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenRow {
    /// Its id; empty for all beyond those that are counted.
    pub id: String,
    /// Its name, as it came from outside.
    pub name: Option<String>,
    /// Values that were released to it.
    pub reads: u64,
    /// Requests that were refused or failed.
    pub refused: u64,
    /// Different keys that it read.
    pub keys: u64,
    /// Different networks that it came from.
    pub networks: u64,
    /// The time of its first line in this period.
    pub first: Timestamp,
    /// The time of its last line.
    pub last: Timestamp,
}

/// One network in the time under review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NetworkRow {
    /// The network, a /24 or a /48; empty for all beyond those that are counted.
    pub network: String,
    /// The country of the network, if the review has a source of countries and the country is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// Different tokens that came from there.
    pub tokens: u64,
    /// Requests.
    pub requests: u64,
    /// The number of these requests that were refused or failed.
    pub refused: u64,
    /// The time of its first line in this period.
    pub first: Timestamp,
    /// The time of its last line.
    pub last: Timestamp,
}

#[derive(Debug)]
struct Row {
    name: Option<String>,
    requests: u64,
    reads: u64,
    refused: u64,
    keys: BTreeSet<u64>,
    others: BTreeSet<u64>,
    first: Timestamp,
    last: Timestamp,
}

impl Row {
    fn new(at: Timestamp) -> Self {
        let (keys, others) = (BTreeSet::new(), BTreeSet::new());
        Self {
            name: None,
            requests: 0,
            reads: 0,
            refused: 0,
            keys,
            others,
            first: at,
            last: at,
        }
    }

    fn take(&mut self, entry: &Entry, other: Option<u64>) {
        self.requests = self.requests.saturating_add(entry.count);
        if entry.outcome != Outcome::Allowed {
            self.refused = self.refused.saturating_add(entry.count);
        } else if entry.action == "key.retrieve" {
            self.reads = self.reads.saturating_add(entry.count);
            if let Some(key) = entry.key_id.as_deref().filter(|_| self.keys.len() < DIFFERENT) {
                self.keys.insert(number_of(key));
            }
        }
        if self.others.len() < DIFFERENT {
            self.others.extend(other);
        }
        (self.first, self.last) = (self.first.min(entry.time), self.last.max(entry.time));
    }
}

#[derive(Debug, Default)]
pub(super) struct Summary {
    days: BTreeMap<i64, ([u64; 24], u64)>,
    tokens: HashMap<String, Row>,
    networks: HashMap<Option<Network>, Row>,
}

impl Summary {
    /// Takes in a line of a request.
    pub(super) fn take(&mut self, entry: &Entry, at: Hour) {
        let (hours, refused) = self.days.entry(at.day).or_default();
        if let Some(hour) = hours.get_mut(at.hour) {
            *hour = hour.saturating_add(entry.count);
        }
        if entry.outcome != Outcome::Allowed {
            *refused = refused.saturating_add(entry.count);
        }
        if self.days.len() > DAYS {
            self.days.pop_first();
        }
        let id = entry
            .principal
            .id
            .as_deref()
            .filter(|_| entry.principal.kind == "token");
        let network = entry.client.ip.map(Network::of);
        if let Some(id) = id {
            let full = self.tokens.len() >= COUNTED && !self.tokens.contains_key(id);
            let id = if full { "" } else { id };
            let row = self.tokens.entry(id.to_owned()).or_insert_with(|| Row::new(entry.time));
            row.name = entry.principal.name.clone().filter(|_| !full).or(row.name.take());
            row.take(entry, network.map(Network::number));
        }
        if let Some(network) = network {
            let full = self.networks.len() >= COUNTED && !self.networks.contains_key(&Some(network));
            let row = self
                .networks
                .entry((!full).then_some(network))
                .or_insert_with(|| Row::new(entry.time));
            row.take(entry, id.map(number_of));
        }
    }

    pub(super) fn days(&self) -> Vec<Day> {
        let epoch = jiff::civil::date(1970, 1, 1);
        let day = |(day, (hours, refused)): (&i64, &([u64; 24], u64))| {
            let date = epoch.checked_add(jiff::Span::new().try_days(*day).ok()?).ok()?;
            Some(Day {
                date,
                hours: *hours,
                refused: *refused,
            })
        };
        self.days.iter().filter_map(day).collect()
    }

    pub(super) fn tokens(&self) -> Vec<TokenRow> {
        let mut rows: Vec<TokenRow> = self.tokens.iter().map(|(id, row)| token_row(id, row)).collect();
        rows.sort_by(|a, b| (b.reads, b.refused, &a.id).cmp(&(a.reads, a.refused, &b.id)));
        rows.truncate(ROWS);
        rows
    }

    pub(super) fn networks(&self, countries: Option<&dyn Countries>) -> Vec<NetworkRow> {
        let mut rows: Vec<_> = self.networks.iter().collect();
        rows.sort_by_cached_key(|(network, row)| {
            let name = network.map(|network| network.to_string()).unwrap_or_default();
            (std::cmp::Reverse(row.requests), name)
        });
        let told = rows.into_iter().take(ROWS);
        told.map(|(network, row)| network_row(*network, row, countries))
            .collect()
    }
}

fn token_row(id: &str, row: &Row) -> TokenRow {
    TokenRow {
        id: id.to_owned(),
        name: row.name.clone(),
        reads: row.reads,
        refused: row.refused,
        keys: row.keys.len() as u64,
        networks: row.others.len() as u64,
        first: row.first,
        last: row.last,
    }
}

fn network_row(network: Option<Network>, row: &Row, countries: Option<&dyn Countries>) -> NetworkRow {
    NetworkRow {
        network: network.map(|network| network.to_string()).unwrap_or_default(),
        country: countries.and_then(|countries| countries.country(network?.address())),
        tokens: row.others.len() as u64,
        requests: row.requests,
        refused: row.refused,
        first: row.first,
        last: row.last,
    }
}
