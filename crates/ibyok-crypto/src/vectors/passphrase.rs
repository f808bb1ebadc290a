//! Keys wrapped under a passphrase, at a cost for tests.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::{hex, vault, word};
use crate::conformance::block_on;
use crate::random::fixture;
use crate::{EnvironmentKey, Kek, KekContext, PassphraseCost, PassphraseKek, Secret, WrappedKey};

const PASSPHRASE: &str = "correct horse battery stäple";

#[derive(Serialize)]
pub(super) struct Case {
    name: String,
    passphrase: String,
    kek_id: String,
    vault: String,
    namespace: String,
    /// `null` for the realm that spans environments.
    environment: Option<String>,
    wrapped: String,
    key: Option<String>,
    error: Option<&'static str>,
}

fn kek(passphrase: &str, cost: PassphraseCost) -> PassphraseKek {
    PassphraseKek::new(Secret::copy_of(passphrase.as_bytes()), cost)
}

fn case(name: &str, passphrase: &str, wrapped: &WrappedKey, context: &KekContext) -> Case {
    let opener = kek(passphrase, PassphraseCost::cheap_for_tests());
    let opened = block_on(opener.unwrap(wrapped, context));
    Case {
        name: name.to_owned(),
        passphrase: passphrase.to_owned(),
        kek_id: wrapped.kek().to_string(),
        vault: hex(context.vault().as_bytes()),
        namespace: context.namespace().to_owned(),
        environment: context.environment().map(str::to_owned),
        wrapped: hex(wrapped.bytes()),
        key: opened.as_ref().ok().map(|key| hex(key.expose_secret())),
        error: opened.as_ref().err().map(word),
    }
}

pub(super) fn cases() -> Vec<Case> {
    let prod = KekContext::new(vault(), "acme", Some("prod"));
    let whole = KekContext::new(vault(), "acme", None);
    let wrap = |cost, context: &KekContext| {
        fixture::repeatable(300, || {
            let key = EnvironmentKey::generate().unwrap();
            block_on(kek(PASSPHRASE, cost).wrap(&key, context)).unwrap()
        })
    };
    let cheap = wrap(PassphraseCost::cheap_for_tests(), &prod);
    let lanes = wrap(PassphraseCost::new(256, 2, 4).unwrap(), &whole);
    let changed = |at: usize, by: u8| {
        let mut bytes = cheap.bytes().to_vec();
        bytes[at] ^= by;
        WrappedKey::new(cheap.kek().clone(), bytes)
    };
    let cases = vec![
        case("one lane", PASSPHRASE, &cheap, &prod),
        case(
            "four lanes, for the realm that spans environments",
            PASSPHRASE,
            &lanes,
            &whole,
        ),
        case("another passphrase", "correct horse battery staple", &cheap, &prod),
        case("changed salt", PASSPHRASE, &changed(0, 1), &prod),
        case("changed cost", PASSPHRASE, &changed(23, 2), &prod),
        case("too much memory", PASSPHRASE, &changed(16, 1), &prod),
        case("changed wrapped key", PASSPHRASE, &changed(28 + 115, 1), &prod),
        case("another environment", PASSPHRASE, &cheap, &whole),
    ];
    assert_eq!(cases.iter().filter(|case| case.key.is_some()).count(), 2);
    cases
}
