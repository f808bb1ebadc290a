//! The bytes of a journal: a header that names the owner, then records.
//!
//! ```text
//! header   "ibyok map 1\n" · length of the owner (2) · owner · MAC (32)
//! record   length of the body (4) · body · MAC over the MAC before and the body (32)
//! body     generation (8) · tag (32) · entries
//! entry    1 · length of the key (1) · key · number (8)
//!          2 · length of the key (1) · key · length of the text (4) · text
//!          3 · length of the key (1) · key                                    removes a text
//! ```
//! Numbers are big-endian.

use crate::map::MapKey;

/// A MAC.
pub(super) type Mac = [u8; 32];

const MAGIC: &[u8] = b"ibyok map 1\n";

/// Separates the uses of the map's key.
#[derive(Clone, Copy)]
enum Use {
    Header = 1,
    Record = 2,
    Tag = 3,
}

fn mac(key: &dyn MapKey, r#use: Use, parts: &[&[u8]]) -> Mac {
    let mut bytes = vec![r#use as u8];
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    key.mac(&bytes)
}

/// The tag of a state that follows another one.
pub(super) fn next_tag(key: &dyn MapKey, before: &Mac, entries: &[u8]) -> Mac {
    mac(key, Use::Tag, &[before, entries])
}

/// The content of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    Number(&'a [u8], u64),
    Text(&'a [u8], &'a str),
    Removed(&'a [u8]),
}

/// Adds an entry. Keys have at most 255 bytes: longer ones were refused.
pub(super) fn put(out: &mut Vec<u8>, entry: &Entry<'_>) {
    let (kind, key) = match entry {
        Entry::Number(key, _) => (1, key),
        Entry::Text(key, _) => (2, key),
        Entry::Removed(key) => (3, key),
    };
    out.extend([kind, u8::try_from(key.len()).unwrap_or(u8::MAX)]);
    out.extend_from_slice(key);
    match entry {
        Entry::Number(_, number) => out.extend(number.to_be_bytes()),
        Entry::Text(_, text) => {
            out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Entry::Removed(_) => {}
    }
}

/// Takes the next entry; `None` where there is none or it is malformed.
pub(super) fn take_entry<'a>(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
    let [kind, length] = array(rest)?;
    let key = take(rest, length.into())?;
    match kind {
        1 => Some(Entry::Number(key, u64::from_be_bytes(array(rest)?))),
        2 => {
            let length = u32::from_be_bytes(array(rest)?);
            let text = take(rest, usize::try_from(length).ok()?)?;
            Some(Entry::Text(key, std::str::from_utf8(text).ok()?))
        }
        3 => Some(Entry::Removed(key)),
        _ => None,
    }
}

/// The header of a journal, and the MAC that its first record follows.
pub(super) fn header(key: &dyn MapKey) -> (Vec<u8>, Mac) {
    let owner = key.owner();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(u16::try_from(owner.len()).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend_from_slice(owner.as_bytes());
    let mac = mac(key, Use::Header, &[&bytes]);
    bytes.extend_from_slice(&mac);
    (bytes, mac)
}

/// The fault in the beginning of a file.
pub(super) enum NoHeader {
    /// The file names another owner.
    Foreign,
    /// The file is not a journal, or its owner's key is another one.
    Damaged,
}

/// Takes the header of a file, and returns the MAC that its first record follows.
pub(super) fn take_header(key: &dyn MapKey, rest: &mut &[u8]) -> Result<Mac, NoHeader> {
    let (expected, mac) = header(key);
    if let Some(behind) = rest.strip_prefix(expected.as_slice()) {
        *rest = behind;
        return Ok(mac);
    }
    let mut named = *rest;
    let owner = take(&mut named, MAGIC.len())
        .filter(|magic| *magic == MAGIC)
        .and_then(|_| {
            let length = u16::from_be_bytes(array(&mut named)?);
            take(&mut named, length.into())
        });
    match owner {
        Some(owner) if owner != key.owner().as_bytes() => Err(NoHeader::Foreign),
        _ => Err(NoHeader::Damaged),
    }
}

/// A record as it is read.
pub(super) struct Record<'a> {
    pub(super) generation: u64,
    pub(super) tag: Mac,
    pub(super) entries: &'a [u8],
    pub(super) mac: Mac,
}

/// The bytes of a record, and its MAC.
pub(super) fn record(key: &dyn MapKey, before: &Mac, generation: u64, tag: &Mac, entries: &[u8]) -> (Vec<u8>, Mac) {
    let mut body = generation.to_be_bytes().to_vec();
    body.extend_from_slice(tag);
    body.extend_from_slice(entries);
    let mac = mac(key, Use::Record, &[before, &body]);
    let mut bytes = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
    bytes.extend_from_slice(&body);
    bytes.extend_from_slice(&mac);
    (bytes, mac)
}

/// The bytes after the records that were read.
pub(super) enum Next<'a> {
    Record(Record<'a>),
    /// Nothing, or a part of a record that a crash left.
    End,
    /// A whole record that does not follow.
    Damaged,
}

/// Takes the next record, which must follow the one with this MAC.
pub(super) fn take_record<'a>(key: &dyn MapKey, before: &Mac, rest: &mut &'a [u8]) -> Next<'a> {
    let mut left = *rest;
    let Some(length) = array(&mut left).map(u32::from_be_bytes) else {
        return Next::End;
    };
    let parts = usize::try_from(length)
        .ok()
        .and_then(|length| Some((take(&mut left, length)?, array::<32>(&mut left)?)));
    let Some((body, stored)) = parts else { return Next::End };
    if mac(key, Use::Record, &[before, body]) != stored {
        return Next::Damaged;
    }
    let mut entries = body;
    let (Some(generation), Some(tag)) = (array(&mut entries).map(u64::from_be_bytes), array(&mut entries)) else {
        return Next::Damaged;
    };
    *rest = left;
    Next::Record(Record {
        generation,
        tag,
        entries,
        mac: stored,
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn array<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    take(rest, N)?.try_into().ok()
}
