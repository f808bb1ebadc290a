//! The addresses that a webhook may connect to.
//!
//! A webhook is a request that a server makes from within its network. Its address is checked where the connection is made, so that no
//! name that resolves to something else later gets past the check.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The rules of one webhook.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    /// True if addresses of private networks and of this machine are allowed.
    pub(crate) private: bool,
    /// True for plain HTTP, which must not leave this machine.
    pub(crate) only_here: bool,
    /// The address on which this program itself listens.
    pub(crate) own: Option<SocketAddr>,
}

/// The kind of network that an address belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Network {
    Public,
    Private,
    Loopback,
    /// No collector can be there: an unspecified, link-local, multicast or reserved address.
    Unfit,
}

impl Reach {
    /// Refuses an address that the webhook may not connect to.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), String> {
        let (ip, network) = (address.ip().to_canonical(), network(address.ip()));
        if self.is_own(address) {
            return Err(format!("`{ip}` with port {} is this server itself", address.port()));
        }
        match network {
            Network::Unfit => Err(format!("`{ip}` is not an address of a collector")),
            Network::Public | Network::Private if self.only_here => {
                Err(format!("plain HTTP to `{ip}` would leave this machine: use `https://`"))
            }
            Network::Private | Network::Loopback if !self.private => Err(format!(
                "`{ip}` is a private address: set `allow_private = true` for this sink to allow it"
            )),
            Network::Public | Network::Private | Network::Loopback => Ok(()),
        }
    }

    /// Returns true for an address of this machine with the port on which this program listens.
    fn is_own(&self, address: SocketAddr) -> bool {
        self.own
            .is_some_and(|own| own.port() == address.port() && own.port() != 0 && is_of_this_machine(address.ip()))
    }
}

/// Returns true if this machine has the address: only then a socket can be bound to it.
fn is_of_this_machine(ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified() || UdpSocket::bind((ip, 0)).is_ok()
}

fn network(ip: IpAddr) -> Network {
    match ip.to_canonical() {
        IpAddr::V4(ip) => network_v4(ip),
        IpAddr::V6(ip) => network_v6(ip),
    }
}

/// By the registry of special-purpose addresses of RFC 6890.
fn network_v4(ip: Ipv4Addr) -> Network {
    match ip.octets() {
        [127, ..] => Network::Loopback,
        [10, ..] | [192, 168, ..] => Network::Private,
        [172, second, ..] if (16..32).contains(&second) => Network::Private,
        // Shared address space of providers and clouds (RFC 6598), and the space for benchmarks (RFC 2544).
        [100, second, ..] if (64..128).contains(&second) => Network::Private,
        [198, 18 | 19, ..] => Network::Private,
        // Link-local: the metadata services of clouds are there.
        [169, 254, ..] | [0, ..] | [192, 0, 0, _] => Network::Unfit,
        [first, ..] if first >= 224 => Network::Unfit,
        _ => Network::Public,
    }
}

fn network_v6(ip: Ipv6Addr) -> Network {
    let [a, b, .., y, z] = ip.segments();
    let embedded = |high: u16, low: u16| {
        let [[one, two], [three, four]] = [high.to_be_bytes(), low.to_be_bytes()];
        network_v4(Ipv4Addr::new(one, two, three, four))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Network::Loopback,
        [0, 0, 0, 0, 0, 0, ..] => Network::Unfit,
        // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address in them.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => embedded(y, z),
        [0x2002, ..] => embedded(b, ip.segments()[2]),
        _ if a & 0xfe00 == 0xfc00 => Network::Private,
        _ if a & 0xe000 == 0x2000 => Network::Public,
        _ => Network::Unfit,
    }
}

/// Resolves names, and refuses a name of which one address is not allowed.
#[derive(Debug)]
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
    pub(crate) port: u16,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (reach, port, host) = (self.reach.clone(), self.port, name.as_str().to_owned());
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port)).await?.collect();
            for address in &found {
                reach
                    .check(*address)
                    .map_err(|why| format!("`{host}` resolves to an address that is not allowed: {why}"))?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_private_address_is_private() {
        for (text, expected) in [
            ("93.184.216.34", Network::Public),
            ("2606:2800:220:1::1", Network::Public),
            ("127.0.0.1", Network::Loopback),
            ("127.255.0.9", Network::Loopback),
            ("::1", Network::Loopback),
            ("::ffff:127.0.0.1", Network::Loopback),
            ("10.1.2.3", Network::Private),
            ("172.16.0.1", Network::Private),
            ("172.31.255.255", Network::Private),
            ("172.32.0.1", Network::Public),
            ("192.168.1.1", Network::Private),
            ("100.64.0.1", Network::Private),
            ("100.128.0.1", Network::Public),
            ("::ffff:10.0.0.1", Network::Private),
            ("fd00::1", Network::Private),
            ("64:ff9b::10.0.0.1", Network::Private),
            ("64:ff9b::127.0.0.1", Network::Loopback),
            ("2002:7f00:1::", Network::Loopback),
            ("2002:c0a8:101::1", Network::Private),
            ("169.254.169.254", Network::Unfit),
            ("::ffff:169.254.169.254", Network::Unfit),
            ("0.0.0.0", Network::Unfit),
            ("::", Network::Unfit),
            ("::7f00:1", Network::Unfit),
            ("fe80::1", Network::Unfit),
            ("224.0.0.1", Network::Unfit),
            ("255.255.255.255", Network::Unfit),
            ("ff02::1", Network::Unfit),
        ] {
            assert_eq!(network(text.parse().unwrap()), expected, "{text}");
        }
    }

    #[test]
    fn the_programs_own_address_is_refused_by_each_of_its_names() {
        let reach = |own: &str| Reach {
            private: true,
            only_here: false,
            own: Some(own.parse().unwrap()),
        };
        for own in ["127.0.0.1:8420", "0.0.0.0:8420", "[::]:8420"] {
            for target in [
                "127.0.0.1:8420",
                "127.0.0.2:8420",
                "[::1]:8420",
                "[::ffff:127.0.0.1]:8420",
                "0.0.0.0:8420",
            ] {
                assert!(reach(own).check(target.parse().unwrap()).is_err(), "{own} {target}");
            }
        }
        assert!(reach("127.0.0.1:8420").check("127.0.0.1:8421".parse().unwrap()).is_ok());
        assert!(
            reach("127.0.0.1:8420")
                .check("93.184.216.34:8420".parse().unwrap())
                .is_ok()
        );
    }

    #[test]
    fn plain_http_stays_on_this_machine() {
        let reach = Reach {
            private: true,
            only_here: true,
            own: None,
        };
        assert!(reach.check("127.0.0.1:80".parse().unwrap()).is_ok());
        for elsewhere in ["10.0.0.1:80", "93.184.216.34:80"] {
            assert!(reach.check(elsewhere.parse().unwrap()).is_err(), "{elsewhere}");
        }
    }
}
