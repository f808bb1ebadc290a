//! The bytes of a restriction: attributes (number, length, bytes) in ascending order, each at most once.

use std::net::IpAddr;

use ipnet::IpNet;
use jiff::Timestamp;

use super::reader::Reader;
use crate::{Error, Pattern, Restriction, Scope, Scopes, environment, network};

const SCOPES: u8 = 1;
const ENVIRONMENTS: u8 = 2;
const KEYS: u8 = 3;
const NOT_BEFORE: u8 = 4;
const EXPIRES: u8 = 5;
const NETWORKS: u8 = 6;
const PENDING_ONLY: u8 = 7;
/// 8 is given to nothing: tests have used it as a number that no version knows.
const NO_SELF_ROTATE: u8 = 9;

/// The one encoding of a restriction. Lists become sorted sets, networks lose their host bits.
pub(super) fn write(restriction: &Restriction) -> Result<Vec<u8>, Error> {
    if !restriction.is_understood() {
        return Err(Error::RestrictionUnknown);
    }
    let mut out = Vec::new();
    for number in SCOPES..=NO_SELF_ROTATE {
        let Some(value) = write_attribute(restriction, number)? else {
            continue;
        };
        let len = u16::try_from(value.len()).map_err(|_| Error::RestrictionsTooLong { bytes: value.len() })?;
        out.push(number);
        out.extend_from_slice(&len.to_be_bytes());
        out.extend_from_slice(&value);
    }
    if out.is_empty() {
        return Err(Error::RestrictionEmpty);
    }
    Ok(out)
}

/// The bytes of one attribute; `None` if it is not set.
fn write_attribute(restriction: &Restriction, number: u8) -> Result<Option<Vec<u8>>, Error> {
    Ok(match number {
        SCOPES => restriction
            .scopes
            .map(|scopes| scopes.iter().map(Scope::number).collect()),
        ENVIRONMENTS => {
            let names = restriction.environments.iter().flatten();
            names.clone().try_for_each(|name| environment::check_name(name))?;
            let set = restriction.environments.is_some();
            set.then(|| texts(names.map(String::as_str)))
        }
        KEYS => restriction.keys.as_ref().map(|patterns| {
            let mut sorted: Vec<&str> = patterns.iter().map(Pattern::as_str).collect();
            sorted.sort_unstable();
            sorted.dedup();
            texts(sorted.into_iter())
        }),
        NOT_BEFORE => restriction.not_before.map(time),
        EXPIRES => restriction.expires.map(time),
        NETWORKS => restriction.networks.as_ref().map(|networks| {
            let mut encoded: Vec<Vec<u8>> = networks.iter().map(net).collect();
            encoded.sort_unstable();
            encoded.dedup();
            encoded.concat()
        }),
        // Nothing more is said than that it is there.
        PENDING_ONLY => restriction.pending_only.then(Vec::new),
        NO_SELF_ROTATE => restriction.no_self_rotate.then(Vec::new),
        _ => None,
    })
}

/// Reads a restriction. `None` if the bytes are not the one encoding of anything; a restriction that is not
/// understood if they hold an attribute or a scope that this version does not know.
pub(super) fn read(bytes: &[u8]) -> Option<Restriction> {
    let mut restriction = Restriction::default();
    let mut understood = true;
    let mut last = None;
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let number = reader.u8()?;
        let value = reader.long()?;
        if last.is_some_and(|last| last >= number) {
            return None;
        }
        last = Some(number);
        if !read_attribute(&mut restriction, number, value)? {
            understood = false;
        } else if write_attribute(&restriction, number).ok()?? != value {
            // One encoding: what this would not write so, it does not read.
            return None;
        }
    }
    match (last, understood) {
        (None, _) => None,
        (Some(_), false) => Some(Restriction::not_understood()),
        (Some(_), true) => Some(restriction),
    }
}

/// Sets one attribute and says whether it was understood; `None` if its bytes are wrong.
fn read_attribute(restriction: &mut Restriction, number: u8, value: &[u8]) -> Option<bool> {
    let mut reader = Reader::new(value);
    match number {
        SCOPES => {
            let scopes: Option<Scopes> = value.iter().copied().map(Scope::from_number).collect();
            restriction.scopes = scopes;
            return Some(scopes.is_some());
        }
        ENVIRONMENTS => {
            let names = list(&mut reader, |reader| reader.short_text().map(str::to_owned))?;
            restriction.environments = Some(names.into_iter().collect());
        }
        KEYS => restriction.keys = Some(list(&mut reader, |reader| reader.short_text()?.parse().ok())?),
        NOT_BEFORE => restriction.not_before = Some(read_time(&mut reader)?),
        EXPIRES => restriction.expires = Some(read_time(&mut reader)?),
        NETWORKS => restriction.networks = Some(list(&mut reader, read_net)?),
        PENDING_ONLY => restriction.pending_only = true,
        NO_SELF_ROTATE => restriction.no_self_rotate = true,
        _ => return Some(false),
    }
    reader.is_empty().then_some(true)
}

/// Texts of at most 255 bytes, each after its length.
fn texts<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<u8> {
    let mut out = Vec::new();
    for text in texts {
        // Names have at most 63 bytes and patterns at most 128, so this never saturates.
        out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(text.as_bytes());
    }
    out
}

fn list<'a, T>(reader: &mut Reader<'a>, mut item: impl FnMut(&mut Reader<'a>) -> Option<T>) -> Option<Vec<T>> {
    let mut items = Vec::new();
    while !reader.is_empty() {
        items.push(item(reader)?);
    }
    Some(items)
}

/// Whole seconds since 1970 rounded down (8 bytes, signed), then the nanoseconds beyond them (4 bytes).
fn time(time: Timestamp) -> Vec<u8> {
    let (mut second, mut nanosecond) = (time.as_second(), time.subsec_nanosecond());
    if nanosecond < 0 {
        second -= 1;
        nanosecond += 1_000_000_000;
    }
    [&second.to_be_bytes()[..], &nanosecond.to_be_bytes()].concat()
}

fn read_time(reader: &mut Reader<'_>) -> Option<Timestamp> {
    let second = i64::from_be_bytes(*reader.array()?);
    let nanosecond = u32::from_be_bytes(*reader.array()?);
    let total = i128::from(second) * 1_000_000_000 + i128::from(nanosecond);
    Timestamp::from_nanosecond(total).ok()
}

/// Family (4 or 6), length of the prefix, address.
fn net(network: &IpNet) -> Vec<u8> {
    let network = network::canonical(network);
    let mut out = Vec::with_capacity(18);
    match network.addr() {
        IpAddr::V4(address) => {
            out.extend_from_slice(&[4, network.prefix_len()]);
            out.extend_from_slice(&address.octets());
        }
        IpAddr::V6(address) => {
            out.extend_from_slice(&[6, network.prefix_len()]);
            out.extend_from_slice(&address.octets());
        }
    }
    out
}

fn read_net(reader: &mut Reader<'_>) -> Option<IpNet> {
    let family = reader.u8()?;
    let prefix = reader.u8()?;
    let address = match family {
        4 => IpAddr::from(*reader.array::<4>()?),
        6 => IpAddr::from(*reader.array::<16>()?),
        _ => return None,
    };
    IpNet::new(address, prefix).ok()
}
