//! Refusals of requests without a valid token: recorded, but nobody can fill the log with them from outside.
//!
//! The first few of an address in a minute get their own lines; further ones are counted in one line a minute.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The number of refusals of an address in one minute that get their own lines.
const SINGLY: u32 = 10;

/// The time for which counts are folded together.
const WINDOW: Duration = Duration::from_secs(60);

/// The number of addresses that have their own count at once. Further addresses share one count.
const ADDRESSES: usize = 512;

#[derive(Debug)]
struct Window {
    started: Duration,
    singly: u32,
    folded: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<HashMap<Option<IpAddr>, Window>>);

impl Refusals {
    /// Returns true if this refusal gets its own line; else counts it.
    pub(crate) fn is_a_line(&self, source: Option<IpAddr>, now: Duration) -> bool {
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let source = source.map(network);
        // A caller with many addresses must not fill the memory.
        let source = if windows.len() >= ADDRESSES && !windows.contains_key(&source) {
            None
        } else {
            source
        };
        let window = windows.entry(source).or_insert(Window {
            started: now,
            singly: 0,
            folded: 0,
        });
        if window.singly < SINGLY {
            window.singly += 1;
            return true;
        }
        window.folded += 1;
        false
    }

    /// The counts of the windows that are over, or of all.
    pub(super) fn over(&self, now: Duration, all: bool) -> Vec<(Option<IpAddr>, u64)> {
        let mut counts = Vec::new();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        windows.retain(|source, window| {
            let over = all || now.saturating_sub(window.started) >= WINDOW;
            // A window that counted nothing has its lines on the log already.
            if over && window.folded > 0 {
                counts.push((*source, window.folded));
            }
            !over
        });
        counts
    }
}

/// The network that counts as one address: of IPv6 a /64, which one host can fill.
fn network(source: IpAddr) -> IpAddr {
    match source.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_ten_are_lines_and_the_rest_a_count() {
        let refusals = Refusals::default();
        let source = Some("192.0.2.1".parse().unwrap());
        let lines = (0..1000).filter(|_| refusals.is_a_line(source, Duration::ZERO)).count();
        assert_eq!(lines, 10);
        assert!(refusals.over(Duration::from_secs(59), false).is_empty());
        assert_eq!(refusals.over(Duration::from_secs(60), false), [(source, 990)]);
        assert!(refusals.is_a_line(source, Duration::from_secs(61)));
    }

    #[test]
    fn addresses_beyond_the_bound_share_one_count() {
        let refusals = Refusals::default();
        let lines = (0..10_000u32)
            .filter(|n| refusals.is_a_line(Some(std::net::Ipv4Addr::from_bits(*n).into()), Duration::ZERO));
        assert_eq!(lines.count(), ADDRESSES + 10);
        let folded: u64 = refusals.over(Duration::ZERO, true).iter().map(|(_, n)| n).sum();
        assert_eq!(folded, 10_000 - 512 - 10);
    }

    #[test]
    fn a_host_with_a_whole_ipv6_network_is_one_address() {
        let refusals = Refusals::default();
        let lines = (0..1000u64).filter(|n| {
            let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(*n));
            refusals.is_a_line(Some(address.into()), Duration::ZERO)
        });
        assert_eq!(lines.count(), 10);
    }
}
