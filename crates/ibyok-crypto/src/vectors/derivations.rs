//! Derivations from a key.

use serde::Serialize;

use super::hex;
use crate::{base62, derive};

#[derive(Serialize)]
pub(super) struct Case {
    name: &'static str,
    /// The derivation of `docs/format.md`.
    of: &'static str,
    key: String,
    /// The label of a keyed hash; the number of a generation, in decimal; else empty.
    label: String,
    /// The bytes that go in.
    input: String,
    output: String,
}

pub(super) fn cases() -> Vec<Case> {
    let key: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let case = |name, of, label: &str, input: &[u8], output: String| Case {
        name,
        of,
        key: hex(&key),
        label: label.to_owned(),
        input: hex(input),
        output,
    };
    let name_key = derive::MacKey::new(crate::key::copy_box(&key));
    let public = |name: &str| base62::print(derive::record_id(&name_key, name));
    vec![
        case("a key's id", "record_id", "", b"openai", public("openai")),
        case(
            "the id of a name that is one longer",
            "record_id",
            "",
            b"openai2",
            public("openai2"),
        ),
        case(
            "a fingerprint",
            "fingerprint",
            "",
            b"sk-123",
            hex(&derive::fingerprint(&key, b"sk-123")),
        ),
        case(
            "a keyed hash",
            "keyed_hash",
            "floors",
            b"x",
            hex(&derive::keyed_hash(&key, "floors", b"x")),
        ),
        case(
            "a keyed hash of nothing",
            "keyed_hash",
            "",
            b"",
            hex(&derive::keyed_hash(&key, "", b"")),
        ),
        case(
            "a generation's check",
            "generation",
            "7",
            b"",
            hex(&derive::generation(&key, 7)),
        ),
        case("a KEK's id", "kek_id", "", b"", base62::print(derive::kek_id(&key))),
    ]
}
