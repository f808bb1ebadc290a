//! Each way in which KMS fails has its own error, and is tried again only if that may help.

use std::time::Instant;

use super::kms_stub::Fault;
use super::*;
use crate::KekRefusal;

#[test]
fn a_refusal_is_told_apart_and_not_tried_again() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (key, wrapped) = wrapped(&kek).await;
        for (fault, expected) in [
            (Fault::ACCESS_DENIED, KekRefusal::AccessDenied),
            (Fault::DISABLED, KekRefusal::Disabled),
            (Fault::PENDING_DELETION, KekRefusal::PendingDeletion),
            (Fault::PENDING_IMPORT, KekRefusal::InvalidState),
            (Fault::NOT_FOUND, KekRefusal::NotFound),
            (Fault::KEY_USAGE, KekRefusal::KeyUsage),
            (Fault::BAD_TOKEN, KekRefusal::Credentials),
            (Fault::BAD_SIGNATURE, KekRefusal::Credentials),
            (Fault::VALIDATION, KekRefusal::Request),
        ] {
            stub.heals();
            stub.fails("Encrypt", fault.clone());
            stub.fails("Decrypt", fault.clone());
            let before = stub.calls().len();
            let to_wrap = kek.wrap(&key, &context("prod")).await.unwrap_err();
            let to_unwrap = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            for error in [to_wrap, to_unwrap] {
                let Error::KekRefused { kek: named, why, .. } = &error else {
                    panic!("{fault:?}: {error:?}");
                };
                assert_eq!((named.as_str(), *why), (kek.id.as_str(), expected), "{fault:?}");
                assert!(said(&error).contains("Exception (status 400)"), "{}", said(&error));
            }
            assert_eq!(stub.calls().len() - before, 2, "{fault:?} was tried again");
        }
        stub.heals();
        opens(&kek, &wrapped).await;
    });
}

#[test]
fn what_is_not_of_this_key_or_context_does_not_open() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        let in_dev = kek.unwrap(&wrapped, &context("dev")).await.unwrap_err();
        assert!(matches!(in_dev, Error::Open), "{in_dev:?}");
        for fault in [Fault::INVALID_CIPHERTEXT, Fault::INCORRECT_KEY] {
            stub.fails_once("Decrypt", fault);
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::Open), "{error:?}");
        }
        assert_eq!(stub.count("Decrypt"), 3);
    });
}

#[test]
fn what_may_pass_is_tried_again_with_a_cap_and_is_then_unavailable() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        for fault in [
            Fault::THROTTLED,
            Fault::INTERNAL,
            Fault::DEPENDENCY_TIMEOUT,
            Fault::Body(500, ""),
            Fault::Body(502, "<html>bad gateway</html>"),
            Fault::Body(503, "{}"),
        ] {
            stub.heals();
            stub.fails("Decrypt", fault.clone());
            let before = stub.calls().len();
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::KekUnavailable { .. }), "{fault:?}: {error:?}");
            assert_eq!(stub.calls().len() - before, 4, "{fault:?}");
        }
        stub.heals();
        stub.fails_once("Decrypt", Fault::THROTTLED);
        opens(&kek, &wrapped).await;
    });
}

#[test]
fn a_key_that_is_not_available_is_unavailable_at_the_first_try() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (key, wrapped) = wrapped(&kek).await;
        stub.fails("Decrypt", Fault::KEY_UNAVAILABLE);
        stub.fails("Encrypt", Fault::KEY_UNAVAILABLE);
        let before = stub.calls().len();
        let to_unwrap = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        let to_wrap = kek.wrap(&key, &context("prod")).await.unwrap_err();
        for error in [to_unwrap, to_wrap] {
            assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
            assert!(said(&error).contains("KeyUnavailableException"), "{}", said(&error));
        }
        assert_eq!(stub.calls().len() - before, 2);
    });
}

#[test]
fn a_clock_that_is_wrong_is_unavailable_and_said() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.fails("Decrypt", Fault::CLOCK_SKEW);
        let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        assert!(said(&error).contains("Signature expired"), "{}", said(&error));
    });
}

#[test]
fn nothing_outlasts_the_deadline() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect_within(&stub, SHORT).await;
        let (_, wrapped) = wrapped(&kek).await;
        let long = Duration::from_secs(20);
        for fault in [
            Fault::Silent(long),
            Fault::Paced(Duration::from_millis(200)),
            Fault::HangsUp,
        ] {
            stub.heals();
            stub.fails("Decrypt", fault.clone());
            let started = Instant::now();
            let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
            assert!(matches!(error, Error::KekUnavailable { .. }), "{fault:?}: {error:?}");
            assert!(
                started.elapsed() < SHORT + Duration::from_millis(500),
                "{fault:?}: {:?}",
                started.elapsed()
            );
        }
        stub.heals();
        opens(&kek, &wrapped).await;
    });
}

#[test]
fn a_server_that_speaks_no_tls_is_unavailable() {
    run(async {
        let stub = KmsStub::start();
        let endpoint = stub.endpoint().replace("http:", "https:");
        let error = AwsKms::connect("alias/ibyok", options(&endpoint).deadline(SHORT))
            .await
            .unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        assert!(stub.calls().is_empty());
    });
}

#[test]
fn a_silent_connection_leaves_time_for_another() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect_within(&stub, SHORT).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.fails_once("Decrypt", Fault::Silent(Duration::from_secs(20)));
        opens(&kek, &wrapped).await;
    });
}

#[test]
fn a_kms_that_goes_away_and_comes_back_is_found_again() {
    run(async {
        let mut stub = KmsStub::start();
        let kek = connect_within(&stub, SHORT).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.stop();
        let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        stub.resume();
        opens(&kek, &wrapped).await;
    });
}
