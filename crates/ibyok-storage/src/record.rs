use std::collections::HashSet;
use std::fmt::{self, Debug, Display};
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::store::{LIST_LIMIT, MAX_RECORD};

/// The realm of records that belong to none. A hyphen is not base62, so no realm's tag can be this.
const ROOT: [u8; 8] = *b"--------";

/// The kind of a record: one byte, to which the user of the store gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(u8);

impl Kind {
    /// The first quiet kind.
    const QUIET: u8 = 128;

    /// A kind by its number. Any byte is one; those from 128 on are quiet.
    pub const fn new(number: u8) -> Self {
        Kind(number)
    }

    /// The number.
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// Returns true if changes to records of this kind stay out of the change feed. These are kinds 128 to 255: usage
    /// counts and the like, which are written often and never cached.
    pub const fn is_quiet(self) -> bool {
        self.0 >= Self::QUIET
    }
}

/// A kind of record within one realm. Listing never crosses a collection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Collection {
    kind: Kind,
    realm: [u8; 8],
}

impl Collection {
    /// The records of `kind` in the realm with this tag.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] if the tag is not 8 ASCII letters and digits.
    pub fn new(kind: Kind, realm: [u8; 8]) -> Result<Self> {
        if realm.iter().all(u8::is_ascii_alphanumeric) {
            Ok(Collection { kind, realm })
        } else {
            Err(Error::invalid(
                format!("realm tag `{}`", realm.escape_ascii()),
                "a realm tag is 8 ASCII letters and digits",
            ))
        }
    }

    /// The records of `kind` that belong to no realm. Its [`realm`](Collection::realm) reads `--------`, which no tag can be.
    pub const fn root(kind: Kind) -> Self {
        Collection { kind, realm: ROOT }
    }

    /// Refuses an id of another collection, from which a listing cannot continue.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`], as [`Store::list`](crate::Store::list) says.
    pub fn check_after(&self, after: Option<&RecordId>) -> Result<()> {
        match after {
            Some(after) if after.collection() != self => Err(Error::invalid(
                format!("to list `{self}` after `{after}`"),
                "continue after an id of the same collection",
            )),
            _ => Ok(()),
        }
    }

    /// The kind of the records in it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// The realm's tag: 8 ASCII letters and digits, or eight hyphens for records of no realm.
    pub const fn realm(&self) -> &[u8; 8] {
        &self.realm
    }
}

impl Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// `kind.realm`, as in `3.aB3dE5gH`.
impl Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.kind.as_u8())?;
        self.realm
            .iter()
            .try_for_each(|&byte| write!(f, "{}", char::from(byte)))
    }
}

/// The address of a record: its collection, and 16 bytes within the collection.
///
/// Ids are ordered by kind, then realm, then id, each as unsigned bytes; [`list`](crate::Store::list) follows that order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId {
    collection: Collection,
    id: [u8; 16],
}

impl RecordId {
    /// The id of one record.
    pub const fn new(collection: Collection, id: [u8; 16]) -> Self {
        RecordId { collection, id }
    }

    /// The id of the seal: while a store holds a record with this id, the store takes no other write
    /// ([`Store`](crate::Store#the-seal)).
    pub const SEAL: RecordId = RecordId::new(Collection::root(Kind::new(127)), [0; 16]);

    /// The collection it is in.
    pub const fn collection(&self) -> &Collection {
        &self.collection
    }

    /// Its 16 bytes within the collection.
    pub const fn id(&self) -> &[u8; 16] {
        &self.id
    }
}

impl Debug for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// `kind.realm.id`, the id in lower-case hex: at most 45 characters of `[0-9A-Za-z.-]`, so it can be a file name or a database key.
impl Display for RecordId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.", self.collection)?;
        self.id.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Reads the output of [`Display`], and nothing else: each id has one spelling.
impl FromStr for RecordId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parsed = parse(text).filter(|id| id.to_string() == text);
        parsed.ok_or_else(|| {
            let shown: String = text.chars().take(64).flat_map(char::escape_debug).collect();
            Error::invalid(
                format!("record id `{shown}`"),
                "write a record id as `kind.realm.id`, with the id in lower-case hex",
            )
        })
    }
}

fn parse(text: &str) -> Option<RecordId> {
    let mut parts = text.splitn(3, '.');
    let kind = Kind::new(parts.next()?.parse().ok()?);
    let realm: [u8; 8] = parts.next()?.as_bytes().try_into().ok()?;
    let hex: [u8; 32] = parts.next()?.as_bytes().try_into().ok()?;
    let collection = if realm == ROOT {
        Collection::root(kind)
    } else {
        Collection::new(kind, realm).ok()?
    };
    let mut id = [0; 16];
    for (byte, pair) in id.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(RecordId::new(collection, id))
}

/// The revision of a record: new at each `put`, and never used again for that record, even after the record was
/// deleted and made again. Only equality means anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Revision(u64);

impl Revision {
    /// A revision by number, for authors of a backend.
    pub const fn new(number: u64) -> Self {
        Revision(number)
    }

    /// The number, for authors of a backend.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The state that a `put` expects to find. No case means "any state": a writer that has not read the record would
/// lose another writer's update.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend that does not know a case must not compile"
)]
pub enum Expect {
    /// That there is no such record.
    Absent,
    /// That the record is there and at this revision.
    Revision(Revision),
}

impl Expect {
    /// Compares with the revision that was found, for authors of a backend. It must be one step with the write.
    ///
    /// # Errors
    ///
    /// [`Error::Exists`] or [`Error::Conflict`], as [`Store::put`](crate::Store::put) says.
    pub fn compare(self, found: Option<Revision>) -> Result<()> {
        match (self, found) {
            (Expect::Absent, None) => Ok(()),
            (Expect::Absent, Some(_)) => Err(Error::Exists),
            (Expect::Revision(expected), Some(found)) if expected == found => Ok(()),
            (Expect::Revision(_), _) => Err(Error::Conflict),
        }
    }
}

/// A record in the store: its bytes and its revision.
#[derive(Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "backends construct it; bytes and a revision are all there is"
)]
pub struct Stored {
    /// The bytes, exactly as they were put.
    pub bytes: Vec<u8>,
    /// The revision that the next `put` or `delete` has to expect.
    pub revision: Revision,
}

impl Stored {
    /// Bytes at a revision.
    pub const fn new(bytes: Vec<u8>, revision: Revision) -> Self {
        Stored { bytes, revision }
    }
}

/// One record of a [`Store::put_many`](crate::Store::put_many).
#[derive(Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "these are the arguments of `Store::put`")]
pub struct RecordPut<'a> {
    /// The id of the record.
    pub id: RecordId,
    /// The bytes to put.
    pub bytes: &'a [u8],
    /// The state that the store must find.
    pub expect: Expect,
}

impl<'a> RecordPut<'a> {
    /// A record with its bytes and its expected state.
    pub const fn new(id: RecordId, bytes: &'a [u8], expect: Expect) -> Self {
        RecordPut { id, bytes, expect }
    }

    /// Returns the puts at the beginning of `puts` that a backend writes in one transaction: at most [`LIST_LIMIT`], with at most
    /// [`MAX_RECORD`] bytes together. For authors of a backend, who need check nothing else about them.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] for a record of more than [`MAX_RECORD`] bytes, [`Error::Invalid`] for an id that is there twice, anywhere
    /// in `puts`.
    pub fn first_batch<'p>(puts: &'p [RecordPut<'a>]) -> Result<&'p [RecordPut<'a>]> {
        let mut ids = HashSet::with_capacity(puts.len());
        let (mut count, mut bytes) = (0_usize, 0_usize);
        for put in puts {
            if put.bytes.len() > MAX_RECORD {
                return Err(Error::too_large(MAX_RECORD));
            }
            if !ids.insert(&put.id) {
                let what = format!("a batch with two writes of record `{}`", put.id);
                return Err(Error::invalid(what, "put each record once in a batch"));
            }
            bytes = bytes.saturating_add(put.bytes.len());
            if count < LIST_LIMIT && bytes <= MAX_RECORD {
                count += 1;
            }
        }
        Ok(puts.get(..count).unwrap_or(puts))
    }
}

/// Shows the size and not the bytes.
impl Debug for RecordPut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordPut")
            .field("id", &self.id)
            .field("bytes", &format_args!("[{} bytes]", self.bytes.len()))
            .field("expect", &self.expect)
            .finish()
    }
}

/// Shows the size and not the bytes.
impl Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored")
            .field("bytes", &format_args!("[{} bytes]", self.bytes.len()))
            .field("revision", &self.revision)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids() -> impl Strategy<Value = RecordId> {
        (any::<u8>(), "[0-9A-Za-z]{8}", any::<[u8; 16]>(), any::<bool>()).prop_map(|(kind, realm, id, root)| {
            let realm: [u8; 8] = realm.as_bytes().try_into().unwrap();
            let kind = Kind::new(kind);
            let collection = if root {
                Collection::root(kind)
            } else {
                Collection::new(kind, realm).unwrap()
            };
            RecordId::new(collection, id)
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_is_parsed_again(id in ids()) {
            prop_assert_eq!(id.to_string().parse::<RecordId>().unwrap(), id);
        }

        #[test]
        fn an_id_is_safe_as_a_file_name(id in ids()) {
            let text = id.to_string();
            prop_assert!(text.len() <= 45);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'-'));
            prop_assert!(!text.starts_with(['.', '-']));
        }

        #[test]
        fn any_text_is_an_id_or_refused(text in ".{0,60}") {
            if let Ok(id) = text.parse::<RecordId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_has_one_spelling() {
        let right = "3.aB3dE5gH.000102030405060708090a0b0c0d0e0f";
        assert_eq!(right.parse::<RecordId>().unwrap().to_string(), right);
        for wrong in [
            "",
            "3.aB3dE5gH",
            "03.aB3dE5gH.000102030405060708090a0b0c0d0e0f",
            "+3.aB3dE5gH.000102030405060708090a0b0c0d0e0f",
            "256.aB3dE5gH.000102030405060708090a0b0c0d0e0f",
            "3.aB3dE5g/.000102030405060708090a0b0c0d0e0f",
            "3.-------a.000102030405060708090a0b0c0d0e0f",
            "3.aB3dE5gH.000102030405060708090A0b0c0d0e0f",
            "3.aB3dE5gH.+0+102030405060708090a0b0c0d0e0f",
            "3.aB3dE5gH.000102030405060708090a0b0c0d0e0f0",
        ] {
            assert!(
                matches!(wrong.parse::<RecordId>(), Err(Error::Invalid { .. })),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_realm_tag_is_letters_and_digits() {
        for wrong in [*b"--------", *b"aB3dE5g/", *b"aB3dE5g.", *b"aB3dE5g\0", [0xff; 8]] {
            assert!(Collection::new(Kind::new(3), wrong).is_err());
        }
    }

    #[test]
    fn quiet_kinds_begin_at_128() {
        assert!(!Kind::new(127).is_quiet());
        assert!(Kind::new(128).is_quiet());
    }

    #[test]
    fn a_batch_ends_where_a_transaction_would_be_too_large() {
        let half = vec![0; MAX_RECORD / 2];
        let id = |number: u16| RecordId::new(Collection::root(Kind::new(3)), u128::from(number).to_be_bytes());
        let put = |number| RecordPut::new(id(number), &half, Expect::Absent);
        let puts: Vec<RecordPut<'_>> = (0..3).map(put).collect();
        assert_eq!(RecordPut::first_batch(&puts).unwrap(), &puts[..2]);
        let puts: Vec<RecordPut<'_>> = (0..1500)
            .map(|number| RecordPut::new(id(number), b"x", Expect::Absent))
            .collect();
        assert_eq!(RecordPut::first_batch(&puts).unwrap().len(), LIST_LIMIT);
        assert!(RecordPut::first_batch(&[]).unwrap().is_empty());
        let shown = format!("{:?}", RecordPut::new(id(1), b"sk-SENTINEL", Expect::Absent));
        assert!(shown.contains("[11 bytes]") && !shown.contains("SENTINEL"), "{shown}");
    }

    #[test]
    fn debug_of_a_record_does_not_show_its_bytes() {
        let stored = Stored {
            bytes: b"sk-SENTINEL".to_vec(),
            revision: Revision::new(4),
        };
        assert_eq!(
            format!("{stored:?}"),
            "Stored { bytes: [11 bytes], revision: Revision(4) }"
        );
    }
}
