//! Finds the address from which a request comes, as far as it can be known.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;
use ipnet::IpNet;

/// The other end of the connection that a request came over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The client's address: the peer's, or if that is a trusted proxy, the last one in `X-Forwarded-For` that is not.
///
/// Proxies append the address of their own peer, so the list is read from its end, and only as far as trusted ones wrote it.
/// An entry that is no address makes the client's unknown, which no restriction to networks lets pass.
pub(crate) fn client(peer: Option<Peer>, headers: &HeaderMap, trusted: &[IpNet]) -> Option<IpAddr> {
    let peer = peer?.0.ip().to_canonical();
    let mut address = peer;
    for hop in hops(headers).rev() {
        if !is_trusted(address, trusted) {
            break;
        }
        address = parse(hop?)?;
    }
    Some(address)
}

/// Returns every entry of every `X-Forwarded-For`, in order; `None` for a value that is not text.
fn hops(headers: &HeaderMap) -> impl DoubleEndedIterator<Item = Option<&str>> {
    let values: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
    values.into_iter().flat_map(|value| match value.to_str() {
        Ok(text) => text.split(',').map(|hop| Some(hop.trim())).collect::<Vec<_>>(),
        Err(_) => vec![None],
    })
}

/// An address, with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let address = text
        .parse::<IpAddr>()
        .ok()
        .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

pub(crate) fn is_trusted(address: IpAddr, trusted: &[IpNet]) -> bool {
    trusted.iter().any(|network| {
        let mapped = match network {
            IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
            IpNet::V4(_) => None,
        };
        let as_v4 = mapped
            .and_then(|(v4, prefix)| ipnet::Ipv4Net::new(v4, prefix).ok())
            .map(IpNet::V4);
        as_v4.as_ref().unwrap_or(network).contains(&address)
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn from(peer: &str, forwarded: &[&str], trusted: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
        client(Some(Peer(peer.parse().unwrap())), &headers, &trusted).map(|address| address.to_string())
    }

    #[test]
    fn a_peer_that_is_not_trusted_is_the_client_whatever_it_says() {
        assert_eq!(from("9.9.9.9:1", &["1.1.1.1"], &["10.0.0.0/8"]).unwrap(), "9.9.9.9");
        assert_eq!(from("9.9.9.9:1", &["1.1.1.1"], &[]).unwrap(), "9.9.9.9");
        assert_eq!(from("[::ffff:9.9.9.9]:1", &[], &[]).unwrap(), "9.9.9.9");
    }

    #[test]
    fn of_a_trusted_one_the_last_that_is_not_trusted_counts() {
        let trusted = ["10.0.0.0/8", "fd00::/8"];
        assert_eq!(from("10.0.0.1:1", &["1.1.1.1, 2.2.2.2"], &trusted).unwrap(), "2.2.2.2");
        assert_eq!(
            from("10.0.0.1:1", &["6.6.6.6, 2.2.2.2, 10.1.1.1"], &trusted).unwrap(),
            "2.2.2.2"
        );
        assert_eq!(
            from("10.0.0.1:1", &["6.6.6.6", "2.2.2.2,10.1.1.1"], &trusted).unwrap(),
            "2.2.2.2"
        );
        assert_eq!(
            from("[::ffff:10.0.0.1]:1", &["::ffff:2.2.2.2"], &trusted).unwrap(),
            "2.2.2.2"
        );
        assert_eq!(
            from("10.0.0.1:1", &["2.2.2.2"], &["::ffff:10.0.0.0/104"]).unwrap(),
            "2.2.2.2"
        );
        assert_eq!(
            from("[fd00::1]:1", &["[2001:db8::1]:443"], &trusted).unwrap(),
            "2001:db8::1"
        );
    }

    #[test]
    fn a_trusted_one_that_says_nothing_is_the_client() {
        assert_eq!(from("10.0.0.1:1", &[], &["10.0.0.0/8"]).unwrap(), "10.0.0.1");
        assert_eq!(from("10.0.0.1:1", &["10.0.0.2"], &["10.0.0.0/8"]).unwrap(), "10.0.0.2");
    }

    #[test]
    fn nonsense_makes_the_address_unknown() {
        for bad in ["x", "", "1.1.1.1,", "1.1.1.1, unknown", "\u{e9}"] {
            assert_eq!(from("10.0.0.1:1", &[bad], &["10.0.0.0/8"]), None, "{bad:?}");
        }
    }
}
