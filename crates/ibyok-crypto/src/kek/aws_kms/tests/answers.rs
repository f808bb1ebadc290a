//! Answers that no KMS should give.

use super::kms_stub::Fault;
use super::*;
use crate::{KekId, Keyring};

#[test]
fn an_answer_about_another_key_or_of_another_length_is_not_used() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        for fault in [
            Fault::OtherKey,
            Fault::Without("KeyId"),
            Fault::Without("Plaintext"),
            Fault::Bytes(0),
            Fault::Bytes(16),
            Fault::Bytes(31),
            Fault::Bytes(33),
            Fault::Bytes(4096),
        ] {
            stub.fails_once("Decrypt", fault.clone());
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::KekAnswer { .. }), "{fault:?}: {error:?}");
        }
        opens(&kek, &wrapped).await;
    });
}

#[test]
fn nothing_is_wrapped_by_a_wrong_answer() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (key, _) = wrapped(&kek).await;
        for fault in [
            Fault::OtherKey,
            Fault::Without("KeyId"),
            Fault::Without("CiphertextBlob"),
            Fault::Bytes(0),
            Fault::Bytes(6145),
        ] {
            stub.fails_once("Encrypt", fault.clone());
            let error = kek.wrap(&key, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::KekAnswer { .. }), "{fault:?}: {error:?}");
        }
    });
}

#[test]
fn an_answer_that_cannot_be_read_is_unavailable_and_not_repeated_in_the_error() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        for (status, body) in [
            (200, "<html>SENTINEL</html>"),
            (200, r#"{"KeyId":"x","Plaintext":"SENTINEL"#),
            (200, r#"{"KeyId":"x","Plaintext":"SENTINEL!!"}"#),
            (200, r#"{"KeyId":"x","Plaintext":["SENTINEL"]}"#),
            (200, "[]"),
            (500, "<html>SENTINEL</html>"),
        ] {
            stub.heals();
            stub.fails("Decrypt", Fault::Body(status, body));
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::KekUnavailable { .. }), "{body}: {error:?}");
            let shown = format!("{} {error:?}", said(&error));
            assert!(!shown.contains("SENTINEL"), "{shown}");
        }
    });
}

#[test]
fn a_redirect_is_not_followed() {
    run(async {
        let (stub, elsewhere) = (KmsStub::start(), KmsStub::start());
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.fails("Decrypt", Fault::RedirectTo(elsewhere.endpoint()));
        let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        assert!(said(&error).contains("307"), "{}", said(&error));
        assert!(elsewhere.calls().is_empty());
    });
}

#[test]
fn what_names_another_key_is_refused_without_a_call() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        let before = stub.calls().len();
        for other in [
            &ARN.replace("1234abcd-12", "1234abcd-13"),
            &ARN.replace("central", "west"),
            "alias/ibyok",
        ] {
            let renamed = WrappedKey::new(KekId::new("aws-kms", other).unwrap(), wrapped.bytes().to_vec());
            let error = kek.unwrap(&renamed, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::UnknownKek { .. }), "{error:?}");
        }
        let ring = Keyring::new(std::sync::Arc::new(kek));
        let renamed = WrappedKey::new(KekId::new("aws-kms", "arn:x").unwrap(), wrapped.bytes().to_vec());
        let error = ring.unwrap(&renamed, &context("prod")).await.unwrap_err();
        assert!(matches!(error, Error::UnknownKek { .. }), "{error:?}");
        assert_eq!(stub.calls().len(), before);
    });
}

#[test]
fn bytes_that_kms_would_not_take_do_not_open_and_are_not_sent() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        for len in [0, 6145, WrappedKey::LIMIT] {
            let wrapped = WrappedKey::new(kek.id.clone(), vec![7; len]);
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::Open), "{error:?}");
        }
        assert_eq!(stub.count("Decrypt"), 0);
    });
}

#[test]
fn every_call_names_the_key_and_the_context_and_this_program() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        opens(&kek, &wrapped).await;
        for call in stub.calls().iter().filter(|call| call.operation != "DescribeKey") {
            let vault = VaultId::from_bytes([1; 16]).to_string();
            let expected = serde_json::json!({ "vault": vault, "namespace": "acme", "environment": "prod" });
            assert_eq!(call.body["EncryptionContext"], expected, "{call:?}");
            assert_eq!(call.body["KeyId"], ARN);
            assert_eq!(call.body["EncryptionAlgorithm"], "SYMMETRIC_DEFAULT");
            assert_eq!(call.access_key, "AKIDEXAMPLE");
            assert!(call.user_agent.contains("app/ibyok"), "{}", call.user_agent);
        }
        assert_eq!(
            (stub.count("Encrypt"), stub.count("Decrypt"), stub.count("DescribeKey")),
            (1, 1, 1)
        );
    });
}

/// A key of bytes of its own for each number, and the same wrapped.
async fn numbered(kek: &AwsKms, number: u8) -> WrappedKey {
    let key = EnvironmentKey::init_with_mut(|bytes| bytes.fill(number));
    kek.wrap(&key, &context("prod")).await.unwrap()
}

#[test]
fn many_at_once_each_get_their_own_key() {
    run(async {
        let stub = KmsStub::start();
        let kek = std::sync::Arc::new(connect(&stub).await);
        let mut calls = tokio::task::JoinSet::new();
        for number in 0..64 {
            let kek = std::sync::Arc::clone(&kek);
            calls.spawn(async move {
                let wrapped = numbered(&kek, number).await;
                let opened = kek.unwrap(&wrapped, &context("prod")).await.unwrap();
                assert_eq!(opened.expose_secret(), &[number; 32]);
            });
        }
        assert_eq!(calls.join_all().await.len(), 64);
    });
}

#[test]
fn an_answer_to_a_call_that_was_given_up_is_not_given_to_the_next() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (given_up, next) = (numbered(&kek, 1).await, numbered(&kek, 2).await);
        let mut dropped = 0;
        for step in 0..40 {
            stub.fails_once("Decrypt", Fault::Paced(Duration::from_micros(50)));
            let patience = Duration::from_micros(step * 250);
            let context = context("prod");
            let call = kek.unwrap(&given_up, &context);
            dropped += u32::from(tokio::time::timeout(patience, call).await.is_err());
            stub.heals();
            let opened = kek.unwrap(&next, &context).await.unwrap();
            assert_eq!(opened.expose_secret(), &[2; 32], "after {patience:?}");
        }
        assert!(dropped > 5, "only {dropped} calls were given up");
    });
}
