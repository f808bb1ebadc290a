//! Writes small files in the format MaxMind DB, version 2.0, for tests. Nothing in it is of MaxMind's data.

use std::net::IpAddr;

/// No record.
const NONE: u32 = u32::MAX;
/// Added to the place of a record in the data, to distinguish it from a node.
const DATA: u32 = 1 << 30;

/// A file of this kind in which each of these networks, `ADDRESS/LENGTH`, is in a country.
pub(crate) fn mmdb(kind: &str, networks: &[(&str, &str)]) -> Vec<u8> {
    let (mut nodes, mut data) = (vec![[NONE; 2]], Vec::new());
    for (network, country) in networks {
        let record = DATA + u32::try_from(data.len()).unwrap();
        data.extend([map(1), text("country"), map(1), text("iso_code"), text(country)].concat());
        put(&mut nodes, network, record);
    }
    let count = u32::try_from(nodes.len()).unwrap();
    let mut file = Vec::new();
    for record in nodes.iter().flatten() {
        let number = match *record {
            NONE => count,
            node if node < DATA => node,
            data => count + 16 + data - DATA,
        };
        file.extend_from_slice(&number.to_be_bytes()[1..]);
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    file.extend(metadata(kind, count));
    file
}

fn put(nodes: &mut Vec<[u32; 2]>, network: &str, record: u32) {
    let (address, length) = network.split_once('/').unwrap();
    let length: u32 = length.parse().unwrap();
    // IPv4 is the part of the tree below ::/96.
    let (bits, length) = match address.parse().unwrap() {
        IpAddr::V4(address) => (u128::from(address.to_bits()), length + 96),
        IpAddr::V6(address) => (address.to_bits(), length),
    };
    let side = |depth: u32| usize::from(bits >> (127 - depth) & 1 == 1);
    let mut node = 0;
    for depth in 0..length - 1 {
        if nodes[node][side(depth)] == NONE {
            nodes[node][side(depth)] = u32::try_from(nodes.len()).unwrap();
            nodes.push([NONE; 2]);
        }
        node = nodes[node][side(depth)] as usize;
    }
    nodes[node][side(length - 1)] = record;
}

fn metadata(kind: &str, nodes: u32) -> Vec<u8> {
    [
        map(9),
        text("binary_format_major_version"),
        vec![0xa1, 2],
        text("binary_format_minor_version"),
        vec![0xa0],
        text("build_epoch"),
        vec![0x04, 2, 0x6a, 0, 0, 0],
        text("database_type"),
        text(kind),
        text("description"),
        map(0),
        text("ip_version"),
        vec![0xa1, 6],
        text("languages"),
        vec![0x00, 4],
        text("node_count"),
        [&[0xc4][..], &nodes.to_be_bytes()].concat(),
        text("record_size"),
        vec![0xa1, 24],
    ]
    .concat()
}

fn map(pairs: u8) -> Vec<u8> {
    vec![0xe0 | pairs]
}

fn text(text: &str) -> Vec<u8> {
    assert!(text.len() < 29, "longer ones are written another way");
    [&[0x40 | u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}
