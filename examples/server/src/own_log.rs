//! The server's own log, bounded: no client can fill it from outside.
//!
//! The first few refusals of an address in a minute get their own lines. The log counts the rest, and writes one line a
//! minute with the number of answers of each status.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of lines of an address and sort in one minute that are written one by one.
const SINGLY: u32 = 20;

/// The time for which lines are folded together.
const WINDOW: Duration = Duration::from_secs(60);

/// The number of addresses that have their own count; further addresses share one.
const ADDRESSES: usize = 512;

/// The kinds of lines that a client outside can cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Sort {
    /// A request was refused.
    Refused,
    /// A request failed in the server.
    Failed,
    /// A part of the vault did not answer.
    Part,
    /// A connection was closed before anything was read from it.
    Connection,
}

#[derive(Debug)]
struct Window {
    started: Instant,
    singly: u32,
    folded: BTreeMap<u16, u64>,
}

/// An address and a sort of lines; no address means all clients that share a count.
type Key = (Option<IpAddr>, Sort);

#[derive(Debug, Default)]
struct OwnLog(Mutex<HashMap<Key, Window>>);

/// One for the process, as its standard error is.
static OWN_LOG: LazyLock<OwnLog> = LazyLock::new(OwnLog::default);

/// Returns true if a line about this address is to be written; else counts it under `status` (0 where there is none).
pub(crate) fn is_a_line(source: Option<IpAddr>, sort: Sort, status: u16) -> bool {
    let now = Instant::now();
    let is_a_line = OWN_LOG.is_a_line(source, sort, status, now);
    if !is_a_line {
        return false;
    }
    OWN_LOG.write_counts(now, false);
    true
}

/// Writes the counts of every minute that is over, or of all.
pub(crate) fn write_counts(all: bool) {
    OWN_LOG.write_counts(Instant::now(), all);
}

/// The network that counts as one address: of IPv6 a /64, which one host can fill.
pub(crate) fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        ip => ip,
    }
}

impl OwnLog {
    fn is_a_line(&self, source: Option<IpAddr>, sort: Sort, status: u16, now: Instant) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (source.map(network), sort);
        if windows.len() >= ADDRESSES && !windows.contains_key(&key) {
            key = (None, sort);
        }
        let window = windows.entry(key).or_insert_with(|| Window {
            started: now,
            singly: 0,
            folded: BTreeMap::new(),
        });
        if window.singly < SINGLY {
            window.singly += 1;
            return true;
        }
        let count = window.folded.entry(status).or_default();
        *count = count.saturating_add(1);
        false
    }

    fn over(&self, now: Instant, all: bool) -> Vec<(Key, BTreeMap<u16, u64>)> {
        let mut over = Vec::new();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|key, window| {
            let ended = all || now.duration_since(window.started) >= WINDOW;
            if ended && !window.folded.is_empty() {
                over.push((*key, std::mem::take(&mut window.folded)));
            }
            !ended
        });
        over
    }

    fn write_counts(&self, now: Instant, all: bool) {
        for ((source, sort), folded) in self.over(now, all) {
            let client = source.map(tracing::field::display);
            let count: u64 = folded.values().sum();
            let statuses = folded.iter().filter(|(status, _)| **status != 0);
            let statuses: Vec<String> = statuses.map(|(status, count)| format!("{status}: {count}")).collect();
            let statuses = statuses.join(", ");
            match sort {
                Sort::Refused => tracing::info!(client, count, statuses, "further requests were refused"),
                Sort::Failed => tracing::warn!(client, count, statuses, "further requests failed"),
                Sort::Part => tracing::warn!(count, "a part of the vault was unavailable further times"),
                Sort::Connection => tracing::warn!(client, count, "further connections were closed unread"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_twenty_are_lines_and_the_rest_a_count_by_status() {
        let (log, now) = (OwnLog::default(), Instant::now());
        let source = Some("192.0.2.1".parse().unwrap());
        let lines = (0..1000).filter(|n| log.is_a_line(source, Sort::Refused, [400, 404][n % 2], now));
        assert_eq!(lines.count(), 20);
        assert!(log.over(now + Duration::from_secs(59), false).is_empty());
        let over = log.over(now + WINDOW, false);
        let counts = BTreeMap::from([(400, 490), (404, 490)]);
        assert_eq!(over, [((source, Sort::Refused), counts)]);
        assert!(log.is_a_line(source, Sort::Refused, 400, now + WINDOW));
    }

    #[test]
    fn a_host_with_a_whole_ipv6_network_is_one_address_and_many_addresses_are_bounded() {
        let (log, now) = (OwnLog::default(), Instant::now());
        let lines = (0..1000u64).filter(|n| {
            let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(*n));
            log.is_a_line(Some(address.into()), Sort::Refused, 400, now)
        });
        assert_eq!(lines.count(), 20);
        let lines = (0..100_000u32)
            .filter(|n| log.is_a_line(Some(std::net::Ipv4Addr::from_bits(*n).into()), Sort::Refused, 400, now));
        assert!(lines.count() <= ADDRESSES + 40);
    }
}
