//! Source networks, where an IPv4 address has one form only.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

/// The network without host bits, and as IPv4 if it lies within `::ffff:0:0/96`.
pub(crate) fn canonical(network: &IpNet) -> IpNet {
    let network = network.trunc();
    let IpNet::V6(v6) = network else {
        return network;
    };
    v6.addr()
        .to_ipv4_mapped()
        .zip(v6.prefix_len().checked_sub(96))
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}

/// Returns true if one of the networks contains the address. An unknown address is in none.
pub(crate) fn any_holds(networks: &[IpNet], source: Option<IpAddr>) -> bool {
    source.is_some_and(|address| {
        let address = address.to_canonical();
        networks.iter().any(|network| canonical(network).contains(&address))
    })
}

/// Returns true if one of the networks contains the whole of `narrower`.
pub(crate) fn any_includes(networks: &[IpNet], narrower: &IpNet) -> bool {
    let narrower = canonical(narrower);
    networks.iter().any(|network| canonical(network).contains(&narrower))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        any_holds(&[network.parse().unwrap()], Some(address.parse().unwrap()))
    }

    #[test]
    fn an_ipv4_address_is_the_same_in_its_ipv6_form() {
        assert!(holds("10.0.0.0/8", "10.1.2.3"));
        assert!(holds("10.0.0.0/8", "::ffff:10.1.2.3"));
        assert!(holds("::ffff:10.0.0.0/104", "10.1.2.3"));
        assert!(holds("::ffff:10.0.0.0/104", "::ffff:10.1.2.3"));
        assert!(!holds("10.0.0.0/8", "11.1.2.3"));
    }

    #[test]
    fn ipv6_networks_hold_no_ipv4_address() {
        assert!(!holds("::/0", "10.1.2.3"));
        assert!(!holds("::/0", "::ffff:10.1.2.3"));
        assert!(holds("::/0", "2001:db8::1"));
        assert!(!holds("0.0.0.0/0", "2001:db8::1"));
    }

    #[test]
    fn host_bits_of_a_network_do_not_matter() {
        assert!(holds("10.9.9.9/8", "10.1.2.3"));
    }

    #[test]
    fn an_unknown_address_lies_in_no_network() {
        assert!(!any_holds(&["0.0.0.0/0".parse().unwrap()], None));
    }
}
