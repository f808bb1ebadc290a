//! Networks: of IPv4 a /24, of IPv6 a /48.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network, packed: the kind above, the prefix below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Network(u64);

const V6: u64 = 1 << 48;

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(ip) => Self(u64::from(ip.to_bits() >> 8)),
            IpAddr::V6(ip) => Self(V6 | u64::try_from(ip.to_bits() >> 80).unwrap_or(0)),
        }
    }

    /// Its first address.
    pub(super) fn address(self) -> IpAddr {
        if self.0 & V6 == 0 {
            Ipv4Addr::from_bits(u32::try_from(self.0 << 8).unwrap_or(0)).into()
        } else {
            Ipv6Addr::from_bits(u128::from(self.0 & (V6 - 1)) << 80).into()
        }
    }

    pub(super) fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = if self.0 & V6 == 0 { 24 } else { 48 };
        write!(f, "{}/{length}", self.address())
    }
}

/// Returns the client's name for itself without version numbers, so that an update is not a new program.
pub(super) fn agent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_number = false;
    for letter in text.chars() {
        let number = letter.is_ascii_digit() || (in_number && letter == '.');
        if number && !in_number {
            out.push('#');
        }
        if !number {
            out.push(letter);
        }
        in_number = number;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_what_one_party_usually_has() {
        let of = |text: &str| Network::of(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("255.255.255.255"), "255.255.255.0/24");
        assert_eq!(of("::ffff:192.0.2.77"), "192.0.2.0/24");
        assert_eq!(of("2001:db8:1:2:3::4"), "2001:db8:1::/48");
        assert_eq!(of("ffff:ffff:ffff:ffff::"), "ffff:ffff:ffff::/48");
    }

    #[test]
    fn an_update_is_no_other_program() {
        assert_eq!(agent("openai-python/1.2.3"), agent("openai-python/1.10.0"));
        assert_ne!(agent("openai-python/1.2.3"), agent("curl/8.1"));
        assert_eq!(agent("a1b2"), "a#b#");
    }
}
