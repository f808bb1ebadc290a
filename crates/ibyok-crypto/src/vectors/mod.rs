//! The files of `vectors/`: made here, compared with the stored files, and read by `vectors/check.py`, which shares
//! no code with this crate.
//!
//! After a deliberate change of the format, `IBYOK_WRITE_VECTORS=1 cargo test -p ibyok-crypto vectors` writes them
//! again.

mod derivations;
mod envelope;
mod passphrase;
mod realm;

use std::fs;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use serde::Serialize;

use crate::{Error, RealmTag, VaultId};

/// A file of vectors.
#[derive(Serialize)]
struct Vectors<T> {
    about: &'static str,
    cases: Vec<T>,
}

#[test]
fn the_files_are_what_this_code_makes() {
    compare(
        "envelope",
        "one construction seals all: a key, where it belongs, the bytes, and what comes out or why not",
        envelope::cases(),
    );
    compare(
        "environment-key-record",
        "a realm's record under a local KEK",
        realm::cases(),
    );
    compare(
        "passphrase",
        "environment keys wrapped under a passphrase",
        passphrase::cases(),
    );
    compare(
        "derivations",
        "what is derived from a key, as hex or base62",
        derivations::cases(),
    );
}

fn compare<T: Serialize>(name: &str, about: &'static str, cases: Vec<T>) {
    let made = Vectors { about, cases };
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../vectors")
        .join(format!("{name}.json"));
    if std::env::var_os("IBYOK_WRITE_VECTORS").is_some() {
        let text = serde_json::to_string_pretty(&made).unwrap() + "\n";
        fs::write(&path, text).unwrap();
    }
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let stands: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_value(&made).unwrap(), stands, "{name}");
}

fn hex(bytes: &[u8]) -> String {
    HEXLOWER.encode(bytes)
}

/// The word for an error in the files.
fn word(error: &Error) -> &'static str {
    match error {
        Error::Open => "open",
        Error::NotSealed => "not_sealed",
        Error::UnsupportedFormat { .. } => "unsupported_format",
        Error::Truncated => "truncated",
        Error::UnknownKek { .. } => "unknown_kek",
        Error::KekDenied { .. } => "kek_denied",
        Error::Cost { .. } => "cost",
        Error::Malformed { .. } => "malformed",
        other => panic!("no vector is about {other:?}"),
    }
}

fn vault() -> VaultId {
    VaultId::from_bytes(*b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff")
}

fn tag() -> RealmTag {
    RealmTag::from_bytes(*b"Ab3dEf7h").unwrap()
}
