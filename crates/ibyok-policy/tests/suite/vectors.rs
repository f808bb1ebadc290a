//! `vectors/token.json` at the root of the workspace, for people who write a second implementation. With
//! `IBYOK_WRITE_VECTORS` set, the test writes the file. Without, the file must be equal to the text that the test
//! would write.

use std::path::Path;

use ibyok_policy::{Malformed, Restriction, Scope, Scopes, Token, TokenId, Verified, mint};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::raw::{self, Raw};
use crate::world::{KEY, networks, patterns, token_key};

const TAG: &str = "Ab3dEf9h";
const ID: [u8; 16] = *b"\x00\x01\x02\x03\x04\x05\x06\x07\xf8\xf9\xfa\xfb\xfc\xfd\xfe\xff";

#[test]
fn the_vectors_are_what_this_version_makes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/token.json");
    let made = json!({
        "about": "Access tokens of IBYOK, see docs/tokens.md. Bytes are in hexadecimal. `valid` parse and verify under token_key (a restriction of null is not understood and denies everything); `unauthenticated` parse and do not verify; `malformed` do not parse, each for one fault.",
        "token_key": hex(&KEY),
        "valid": valid(),
        "unauthenticated": unauthenticated(),
        "malformed": malformed(),
    });
    if std::env::var_os("IBYOK_WRITE_VECTORS").is_some() {
        std::fs::write(&path, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(kept, made);
}

fn valid() -> Vec<Value> {
    let every = base_token().attenuate(&every_attribute()).unwrap();
    let mut nothing = Restriction::default();
    nothing.keys = Some(vec![]);
    let mut pending = Restriction::default();
    pending.pending_only = true;
    let mut no_self_rotate = Restriction::default();
    no_self_rotate.no_self_rotate = true;
    let mut early = Restriction::default();
    early.not_before = Some(Timestamp::MIN);
    early.expires = Some(Timestamp::from_nanosecond(-1).unwrap());
    let eight = (0..8).fold(base_token(), |token, n| token.attenuate(&only(n)).unwrap());
    let mut late = Restriction::default();
    late.expires = Some(Timestamp::MAX);
    let lowest = mint(&token_key(), TokenId::new(*b"00000000", [0; 16]).unwrap(), 0);
    let highest = mint(&token_key(), TokenId::new(*b"zzzzzzzz", [0xff; 16]).unwrap(), u32::MAX);
    let unknown = |entry| Token::parse(&base(&[entry]).text()).unwrap();
    [
        ("minted", base_token()),
        ("lowest id and epoch", lowest),
        ("highest id and epoch", highest),
        ("every attribute", every),
        ("eight restrictions", eight),
        ("pending versions alone", base_token().attenuate(&pending).unwrap()),
        (
            "no right to rotate itself",
            base_token().attenuate(&no_self_rotate).unwrap(),
        ),
        ("an empty list of keys", base_token().attenuate(&nothing).unwrap()),
        ("times before 1970", base_token().attenuate(&early).unwrap()),
        ("the last time there is", base_token().attenuate(&late).unwrap()),
        ("an entry type that is not understood", unknown(raw::entry(2, b"later"))),
        (
            "an attribute that is not understood",
            unknown(raw::restriction(&[(3, b"\x01a"), (200, b"later")])),
        ),
        (
            "a scope that is not understood",
            unknown(raw::restriction(&[(1, &[1, 99])])),
        ),
        ("the longest", unknown(raw::entry(9, &[0xff; 509]))),
    ]
    .map(|(name, token)| described(name, &token))
    .into()
}

fn described(name: &str, token: &Token) -> Value {
    let text = token.expose().expose_secret().clone();
    let verified: Verified = Token::parse(&text).unwrap().verify(&token_key()).unwrap();
    let restrictions: Vec<Value> = verified.restrictions().iter().map(restriction_json).collect();
    let ancestors: Vec<String> = verified.ancestors().iter().map(ToString::to_string).collect();
    json!({
        "name": name,
        "token": text,
        "id": verified.id().to_string(),
        "tag": String::from_utf8(verified.id().tag().into()).unwrap(),
        "id_bytes": hex(&verified.id().bytes()),
        "epoch": verified.epoch(),
        "restrictions": restrictions,
        "chain": verified.chain().to_string(),
        "ancestors": ancestors,
    })
}

fn restriction_json(restriction: &Restriction) -> Value {
    if !restriction.is_understood() {
        return Value::Null;
    }
    let mut fields = serde_json::Map::new();
    let mut put = |name: &str, value: Value| {
        if !value.is_null() {
            fields.insert(name.to_owned(), value);
        }
    };
    put("scopes", json!(restriction.scopes));
    put("environments", json!(restriction.environments));
    put("keys", json!(restriction.keys));
    put("not_before", json!(restriction.not_before));
    put("expires", json!(restriction.expires));
    put("cidrs", json!(restriction.networks));
    if restriction.pending_only {
        put("pending_only", json!(true));
    }
    if restriction.no_self_rotate {
        put("no_self_rotate", json!(true));
    }
    Value::Object(fields)
}

fn unauthenticated() -> Vec<Value> {
    let entries = [raw::restriction(&[(3, b"\x01a")]), raw::restriction(&[(3, b"\x01b")])];
    let right = base(&entries);
    let with = |kept: &[Vec<u8>]| Raw {
        entries: kept.to_vec(),
        count: u8::try_from(kept.len()).unwrap(),
        ..right.clone()
    };
    let [a, b] = &entries;
    let mut last_bit = right.clone();
    last_bit.mac[31] ^= 1;
    let other_id = Raw {
        id: format!("{TAG}{}", raw::number(1, 22)),
        ..right.clone()
    };
    let other_tag = Raw {
        id: right.id.replace(TAG, "Ab3dEf9i"),
        ..right.clone()
    };
    let other_key = Raw::new(&[0; 32], TAG, ID, 1, &entries);
    [
        ("minted with another key", other_key),
        ("the last bit of the MAC changed", last_bit),
        ("another id", other_id),
        ("another realm's tag", other_tag),
        (
            "another epoch",
            Raw {
                epoch: 2,
                ..right.clone()
            },
        ),
        ("restrictions in another order", with(&[b.clone(), a.clone()])),
        ("the first restriction removed", with(std::slice::from_ref(b))),
        ("the last restriction removed", with(std::slice::from_ref(a))),
        ("every restriction removed", with(&[])),
        ("a restriction twice", with(&[a.clone(), b.clone(), b.clone()])),
        (
            "a restriction replaced",
            with(&[a.clone(), raw::restriction(&[(3, b"\x01*")])]),
        ),
    ]
    .map(|(name, raw)| {
        let text = raw.text();
        assert!(Token::parse(&text).unwrap().verify(&token_key()).is_err(), "{name}");
        json!({ "name": name, "token": text })
    })
    .into()
}

fn malformed() -> Vec<Value> {
    let text_faults = text_faults();
    let form_faults = form_faults().map(|(name, raw)| (name, raw.text(), Malformed::Form));
    text_faults
        .into_iter()
        .chain(form_faults)
        .map(|(name, text, fault)| {
            assert_eq!(Token::parse(&text).err(), Some(fault), "{name}");
            let fault = match fault {
                Malformed::TooLong => "too_long",
                Malformed::Prefix => "prefix",
                Malformed::Characters => "characters",
                Malformed::Checksum => "checksum",
                Malformed::Version => "version",
                _ => "form",
            };
            json!({ "name": name, "token": text, "fault": fault })
        })
        .collect()
}

fn text_faults() -> Vec<(&'static str, String, Malformed)> {
    let raw = base(&[]);
    let right = raw.text();
    let body = raw::base62(&raw.body());
    let (id, tail) = right.strip_prefix("ibyok_").unwrap().split_once('_').unwrap();
    let (id_bytes, over) = (raw.id.clone(), "z".repeat(22));
    let text = |id: &str, body: &str| raw::with_checksum(&format!("ibyok_{id}_{body}"));
    let over_block = format!("zzzzzzzzzzz{}", body.split_at(11).1);
    let over_last = format!("{}zzzzzzzzz", body.split_at(44).0);
    vec![
        ("empty", String::new(), Malformed::Prefix),
        (
            "longer than 1200",
            "ibyok_".to_owned() + &"0".repeat(1195),
            Malformed::TooLong,
        ),
        ("prefix in capitals", format!("IBYOK_{id}_{tail}"), Malformed::Prefix),
        ("lower-cased", right.to_lowercase(), Malformed::Checksum),
        ("a space after it", format!("{right} "), Malformed::Characters),
        (
            "a character that is not base62",
            right.replace(tail, &tail.replacen('0', "-", 1)),
            Malformed::Characters,
        ),
        (
            "no second underscore",
            format!("ibyok_{id}{tail}"),
            Malformed::Characters,
        ),
        (
            "the last character missing",
            right.split_at(right.len() - 1).0.to_owned(),
            Malformed::Checksum,
        ),
        (
            "one character changed",
            right.replace(TAG, "Ab3dEf9i"),
            Malformed::Checksum,
        ),
        (
            "an id over its range",
            text(&id_bytes.replace(id.split_at(8).1, &over), &body),
            Malformed::Form,
        ),
        ("a block over its range", text(id, &over_block), Malformed::Form),
        ("a last block over its range", text(id, &over_last), Malformed::Form),
        (
            "a last block of a length that is none",
            text(id, &format!("{body}00")),
            Malformed::Form,
        ),
        ("no body", text(id, ""), Malformed::Form),
        ("version 2", Raw { version: 2, ..raw }.text(), Malformed::Version),
    ]
}

fn form_faults() -> impl Iterator<Item = (&'static str, Raw)> {
    let one = base(&[raw::restriction(&[(3, b"\x01a")])]);
    let attributes: [(&'static str, Vec<u8>); 17] = [
        ("a mark of pending with bytes", raw::restriction(&[(7, &[1])])),
        ("no right to rotate with bytes", raw::restriction(&[(9, &[1])])),
        ("a restriction without attributes", raw::restriction(&[])),
        ("attributes out of order", raw::restriction(&[(3, b"\x01a"), (1, &[1])])),
        ("an attribute twice", raw::restriction(&[(1, &[1]), (1, &[2])])),
        ("an attribute cut short", raw::entry(1, &[1, 0, 2, 1])),
        ("scopes out of order", raw::restriction(&[(1, &[2, 1])])),
        (
            "environments out of order",
            raw::restriction(&[(2, b"\x04prod\x03dev")]),
        ),
        ("an environment that cannot be", raw::restriction(&[(2, b"\x04Prod")])),
        ("a pattern that cannot be", raw::restriction(&[(3, b"\x03[a]")])),
        ("a pattern twice", raw::restriction(&[(3, b"\x01a\x01a")])),
        (
            "too many nanoseconds",
            raw::restriction(&[(5, &[0, 0, 0, 0, 0, 0, 0, 0, 0x3b, 0x9a, 0xca, 0])]),
        ),
        (
            "a time after the last",
            raw::restriction(&[(5, &[0, 0, 0, 0x3a, 0xff, 0xf2, 0xd3, 0xe1, 0, 0, 0, 0])]),
        ),
        (
            "IPv4 written as IPv6",
            raw::restriction(&[(6, &[6, 96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0])]),
        ),
        (
            "out of form beside what is not understood",
            raw::restriction(&[(3, b"\x01b\x01a"), (200, b"later")]),
        ),
        (
            "a network with host bits",
            raw::restriction(&[(6, &[4, 8, 10, 0, 0, 1])]),
        ),
        (
            "a prefix longer than the address",
            raw::restriction(&[(6, &[4, 33, 10, 0, 0, 0])]),
        ),
    ];
    let mut faults = vec![
        (
            "more restrictions announced",
            Raw {
                count: 2,
                ..one.clone()
            },
        ),
        (
            "fewer restrictions announced",
            Raw {
                count: 0,
                ..one.clone()
            },
        ),
        ("a byte after the MAC", Raw { after: vec![0], ..one }),
        ("nine restrictions", base(&vec![raw::restriction(&[(3, b"\x01a")]); 9])),
        ("restrictions of 513 bytes", base(&[raw::entry(9, &[0; 510])])),
    ];
    faults.extend(attributes.map(|(name, entry)| (name, base(&[entry]))));
    faults.into_iter()
}

fn base(entries: &[Vec<u8>]) -> Raw {
    Raw::new(&KEY, TAG, ID, 1, entries)
}

fn base_token() -> Token {
    mint(&token_key(), TokenId::new(*b"Ab3dEf9h", ID).unwrap(), 1)
}

fn only(n: u8) -> Restriction {
    let mut restriction = Restriction::default();
    restriction.keys = Some(patterns(&[&format!("k{n}*")]));
    restriction
}

fn every_attribute() -> Restriction {
    let mut restriction = Restriction::default();
    restriction.scopes = Some(Scopes::from([Scope::KeysRead, Scope::KeysList]));
    restriction.environments = Some(["dev".to_owned(), "staging".to_owned()].into());
    restriction.keys = Some(patterns(&["stripe-?", "open*"]));
    restriction.not_before = Some("2026-11-24T00:00:00Z".parse().unwrap());
    restriction.expires = Some("2026-12-24T00:00:00.000000001Z".parse().unwrap());
    restriction.networks = Some(networks(&["2001:db8::/32", "10.1.2.3/8", "::ffff:192.0.2.1/128"]));
    restriction
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
