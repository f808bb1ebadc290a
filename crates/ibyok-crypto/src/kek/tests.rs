//! Ids, contexts and rings. The promises of every KEK are in the suite.

use async_trait::async_trait;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::*;
use crate::conformance::block_on;
use crate::{EnvironmentKey, Error, Secret, VaultId, random};

fn context() -> KekContext {
    KekContext::new(VaultId::from_bytes([1; 16]), "acme", Some("prod"))
}

fn passphrase(text: &str) -> PassphraseKek {
    PassphraseKek::new(Secret::copy_of(text.as_bytes()), PassphraseCost::cheap_for_tests())
}

#[test]
fn the_encryption_context_names_vault_namespace_and_realm() {
    let pairs = |context: KekContext| {
        context
            .encryption_context()
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
    };
    let vault = VaultId::from_bytes([0; 16]);
    assert_eq!(
        pairs(KekContext::new(vault, "acme", Some("prod"))),
        ["environment=prod", "namespace=acme", "vault=0000000000000000000000"]
    );
    assert_eq!(
        pairs(KekContext::new(vault, "acme", None)),
        ["namespace=acme", "realm=whole", "vault=0000000000000000000000"]
    );
}

#[test]
fn an_id_is_a_kind_and_a_name() {
    let id: KekId = "aws-kms:arn:aws:kms:eu-central-1:1:key/x".parse().unwrap();
    assert_eq!((id.kind(), id.name()), ("aws-kms", "arn:aws:kms:eu-central-1:1:key/x"));
    let long = format!("a:{}", "x".repeat(KekId::LIMIT));
    for wrong in [
        "",
        "local",
        ":x",
        "local:",
        "local:a b",
        "local:\u{e9}",
        "local:\n",
        &long,
    ] {
        assert!(wrong.parse::<KekId>().is_err(), "{wrong}");
    }
}

#[test]
fn one_derivation_serves_every_realm_and_a_restart_keeps_the_salt() {
    let kek = passphrase("open sesame");
    let key = EnvironmentKey::generate().unwrap();
    let one = block_on(kek.wrap(&key, &context())).unwrap();
    let two = block_on(kek.wrap(&key, &KekContext::new(context().vault(), "acme", None))).unwrap();
    assert_eq!((one.kek(), &one.bytes()[..28]), (two.kek(), &two.bytes()[..28]));
    assert_eq!(kek.describe().id(), Some(one.kek()));

    let again = passphrase("open sesame");
    assert_eq!(again.describe().id(), None);
    assert_eq!(
        block_on(again.unwrap(&one, &context())).unwrap().expose_secret(),
        key.expose_secret()
    );
    assert_eq!(block_on(again.wrap(&key, &context())).unwrap().kek(), one.kek());
}

#[test]
fn a_wrong_passphrase_is_told_from_damage() {
    let kek = passphrase("open sesame");
    let wrapped = block_on(kek.wrap(&EnvironmentKey::generate().unwrap(), &context())).unwrap();
    let wrong = block_on(passphrase("open sesam").unwrap(&wrapped, &context()));
    assert!(matches!(wrong, Err(Error::KekDenied { .. })), "{wrong:?}");
    let mut bytes = wrapped.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let damaged = block_on(kek.unwrap(&WrappedKey::new(wrapped.kek().clone(), bytes), &context()));
    assert!(matches!(damaged, Err(Error::Open)), "{damaged:?}");
}

#[test]
fn a_salt_or_cost_that_opened_nothing_is_not_used_to_wrap() {
    let kek = passphrase("open sesame");
    let key = EnvironmentKey::generate().unwrap();
    let foreign = block_on(passphrase("another").wrap(&key, &context())).unwrap();
    block_on(kek.unwrap(&foreign, &context())).unwrap_err();
    let wrapped = block_on(kek.wrap(&key, &context())).unwrap();
    assert_ne!(wrapped.bytes()[..16], foreign.bytes()[..16]);

    let stronger = PassphraseCost::new(128, 2, 1).unwrap();
    let upgraded = PassphraseKek::new(Secret::copy_of(b"open sesame"), stronger);
    block_on(upgraded.unwrap(&wrapped, &context())).unwrap();
    let rewrapped = block_on(upgraded.wrap(&key, &context())).unwrap();
    assert_eq!(rewrapped.bytes()[16..28], [0, 0, 0, 128, 0, 0, 0, 2, 0, 0, 0, 1]);
}

#[test]
fn a_cost_out_of_bounds_is_refused_before_any_work() {
    let kek = passphrase("open sesame");
    let wrapped = block_on(kek.wrap(&EnvironmentKey::generate().unwrap(), &context())).unwrap();
    for cost in [
        [0, 1, 1],
        [7, 1, 1],
        [1_048_577, 1, 1],
        [64, 0, 1],
        [64, 17, 1],
        [64, 1, 0],
        [64, 1, 5],
        [u32::MAX; 3],
    ] {
        let mut bytes = wrapped.bytes().to_vec();
        bytes.splice(16..28, cost.iter().flat_map(|number| number.to_be_bytes()));
        let result = block_on(kek.unwrap(&WrappedKey::new(wrapped.kek().clone(), bytes), &context()));
        assert!(matches!(result, Err(Error::Cost { .. })), "{cost:?}: {result:?}");
        assert!(PassphraseCost::new(cost[0], cost[1], cost[2]).is_err());
    }
    assert!(PassphraseCost::new(1_048_576, 16, 4).is_ok());
}

#[test]
fn many_foreign_salts_do_not_push_out_the_one_in_use() {
    let kek = passphrase("open sesame");
    let key = EnvironmentKey::generate().unwrap();
    let ours = block_on(kek.wrap(&key, &context())).unwrap();
    for salt in 0..20 {
        let mut bytes = ours.bytes().to_vec();
        bytes[..16].fill(salt);
        block_on(kek.unwrap(&WrappedKey::new(ours.kek().clone(), bytes), &context())).unwrap_err();
    }
    assert_eq!(kek.describe().id(), Some(ours.kek()));
    assert_eq!(block_on(kek.wrap(&key, &context())).unwrap().kek(), ours.kek());
}

#[test]
fn two_passphrases_on_one_ring_are_both_tried() {
    let key = EnvironmentKey::generate().unwrap();
    let wrapped = block_on(passphrase("old").wrap(&key, &context())).unwrap();
    let ring = Keyring::new(Arc::new(passphrase("new"))).with(Arc::new(passphrase("old")));
    assert_eq!(
        block_on(ring.unwrap(&wrapped, &context())).unwrap().expose_secret(),
        key.expose_secret()
    );
    let denied = block_on(Keyring::new(Arc::new(passphrase("new"))).unwrap(&wrapped, &context()));
    assert!(matches!(denied, Err(Error::KekDenied { .. })));
}

#[test]
fn a_ring_calls_no_kek_that_the_wrapped_key_does_not_name() {
    #[derive(Debug)]
    struct NeverCalled;

    #[async_trait]
    impl Kek for NeverCalled {
        async fn wrap(&self, _: &EnvironmentKey, _: &KekContext) -> Result<WrappedKey, Error> {
            panic!("wrap was called")
        }

        async fn unwrap(&self, _: &WrappedKey, _: &KekContext) -> Result<EnvironmentKey, Error> {
            panic!("unwrap was called")
        }

        fn describe(&self) -> KekDescription {
            KekDescription::new("never", None)
        }

        fn accepts(&self, _: &KekId) -> bool {
            false
        }
    }

    let wrapped = WrappedKey::new("aws-kms:arn:x".parse().unwrap(), vec![7; 100]);
    match block_on(Keyring::new(Arc::new(NeverCalled)).unwrap(&wrapped, &context())) {
        Err(Error::UnknownKek { named }) => assert_eq!(named, "aws-kms:arn:x"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn without_random_bytes_nothing_is_wrapped() {
    let key = EnvironmentKey::generate().unwrap();
    for draws in 0..2 {
        let (result, struck) =
            random::fixture::failing_after(draws, || block_on(passphrase("x").wrap(&key, &context())));
        assert!(struck && matches!(result, Err(Error::Random)));
    }
    let (result, struck) = random::fixture::failing_after(0, LocalKek::generate);
    assert!(struck && matches!(result, Err(Error::Random)));
}

#[test]
fn debug_shows_no_key_and_no_passphrase() {
    let local = LocalKek::copy_of(&[7; 32]);
    assert_eq!(format!("{local:?}"), format!("LocalKek({}, ..)", local.id()));
    assert_eq!(format!("{:?}", passphrase("open sesame")), "PassphraseKek(..)");
    let ring = Keyring::new(Arc::new(passphrase("open sesame")));
    assert_eq!(format!("{ring:?}"), "Keyring { rest: [PassphraseKek(..)], of: {} }");
}

#[test]
fn the_recommended_cost_is_the_rfcs() {
    let cost = PassphraseCost::default();
    assert_eq!(
        Ok(cost),
        PassphraseCost::new(65_536, 3, 4).map_err(|error| error.to_string())
    );
}
