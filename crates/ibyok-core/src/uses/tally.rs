//! Counts, with their times and networks.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::gate::meter::Ended;

/// The number of networks that are counted separately.
pub(crate) const NETWORKS_MAX: usize = 8;

/// The counts of retrievals by their end, with the time of the last and the networks they came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Tally {
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) live: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) mocked: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) denied: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) failed: u64,
    /// The first and the last time that a value was released.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) first: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Timestamp>,
    /// The network of the last release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<IpNet>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) networks: Vec<IpNet>,
    /// True if there were more networks than are kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) more_networks: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Tally {
    /// Counts `count` uses that ended in one way.
    pub(crate) fn add(&mut self, ended: Ended, count: u64, at: Timestamp, source: Option<IpAddr>) {
        let counter = match ended {
            Ended::Live => &mut self.live,
            Ended::Mocked => &mut self.mocked,
            Ended::Denied => &mut self.denied,
            Ended::Failed => &mut self.failed,
        };
        *counter = counter.saturating_add(count);
        // Times and networks are those of releases. A refused request received no value.
        if matches!(ended, Ended::Live | Ended::Mocked) {
            let network = source.and_then(network_of);
            self.released(at, at, network);
            self.came_from(network);
        }
    }

    /// Adds the counts of another tally.
    pub(crate) fn merge(&mut self, other: &Tally) {
        self.live = self.live.saturating_add(other.live);
        self.mocked = self.mocked.saturating_add(other.mocked);
        self.denied = self.denied.saturating_add(other.denied);
        self.failed = self.failed.saturating_add(other.failed);
        if let (Some(first), Some(last)) = (other.first, other.last) {
            self.released(first, last, other.network);
        }
        for network in &other.networks {
            self.came_from(Some(*network));
        }
        self.more_networks |= other.more_networks;
    }

    fn released(&mut self, first: Timestamp, last: Timestamp, network: Option<IpNet>) {
        self.first = Some(self.first.map_or(first, |known| known.min(first)));
        // Counts of several nodes arrive in any order. The network must be that of the newest release.
        if self.last.is_none_or(|known| known <= last) {
            self.last = Some(last);
            self.network = network;
        }
    }

    fn came_from(&mut self, network: Option<IpNet>) {
        let Some(network) = network.filter(|network| !self.networks.contains(network)) else {
            return;
        };
        if self.networks.len() < NETWORKS_MAX {
            self.networks.push(network);
        } else {
            self.more_networks = true;
        }
    }
}

/// The network of an address: of IPv4 the /24, of IPv6 the /48.
pub(crate) fn network_of(source: IpAddr) -> Option<IpNet> {
    // An IPv4 address that arrives over an IPv6 socket is the same network.
    let source = source.to_canonical();
    let bits = if source.is_ipv4() { 24 } else { 48 };
    IpNet::new(source, bits).ok().map(|network| network.trunc())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn counts_stay_at_the_highest_number() {
        let mut tally = Tally::default();
        tally.add(Ended::Live, u64::MAX, at(1), None);
        tally.add(Ended::Live, 5, at(2), None);
        let other = tally.clone();
        tally.merge(&other);
        assert_eq!(tally.live, u64::MAX);
    }

    #[test]
    fn networks_are_bounded_and_say_so() {
        let mut tally = Tally::default();
        for net in 0..100u8 {
            tally.add(Ended::Live, 1, at(1), Some([10, 0, net, 7].into()));
        }
        assert_eq!((tally.networks.len(), tally.more_networks), (NETWORKS_MAX, true));
        assert_eq!(tally.network.unwrap().to_string(), "10.0.99.0/24");
    }

    #[test]
    fn an_address_is_kept_as_its_network_only() {
        let of = |text: &str| network_of(text.parse().unwrap()).unwrap().to_string();
        assert_eq!(of("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("2001:db8:1:2::3"), "2001:db8:1::/48");
    }

    proptest! {
        #[test]
        fn the_order_of_adding_up_does_not_matter(
            uses in prop::collection::vec((0..4usize, 1..9u64, 0..99i64, 0..5u8), 0..40), split in 0..40usize,
        ) {
            let kinds = [Ended::Live, Ended::Mocked, Ended::Denied, Ended::Failed];
            let add = |tally: &mut Tally, (kind, count, second, net): (usize, u64, i64, u8)| {
                tally.add(kinds[kind], count, at(second), Some([10, 0, net, 1].into()));
            };
            let mut whole = Tally::default();
            let (mut left, mut right) = (Tally::default(), Tally::default());
            for (n, one) in uses.iter().enumerate() {
                add(&mut whole, *one);
                add(if n < split { &mut left } else { &mut right }, *one);
            }
            right.merge(&left);
            let counts = |t: &Tally| (t.live, t.mocked, t.denied, t.failed, t.first, t.last, t.networks.len());
            prop_assert_eq!(counts(&whole), counts(&right));
        }
    }
}
