//! Secrets that must appear nowhere.

use std::io;
use std::sync::{Arc, Mutex};

use aws_sdk_kms::primitives::Blob;
use data_encoding::{BASE64, HEXLOWER};
use tracing_subscriber::fmt::MakeWriter;

use super::alone::{given, run_again};
use super::kms_stub::Fault;
use super::*;

/// Everything that was traced.
#[derive(Clone, Default)]
struct Traced(Arc<Mutex<Vec<u8>>>);

impl io::Write for Traced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Traced {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[test]
fn no_trace_of_any_level_holds_a_key_or_a_secret() {
    if given().is_none() {
        let path = format!("{}::no_trace_of_any_level_holds_a_key_or_a_secret", module_path!());
        let output = run_again(&path, ARN, &[]);
        assert!(output.status.success(), "{output:?}");
        return;
    }
    let traced = Traced::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::TRACE);
    let subscriber = subscriber.with_ansi(false).with_writer(traced.clone()).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (key, wrapped) = wrapped(&kek).await;
        opens(&kek, &wrapped).await;
        stub.fails_once("Decrypt", Fault::INTERNAL);
        opens(&kek, &wrapped).await;
        for fault in [
            Fault::OtherKey,
            Fault::Bytes(31),
            Fault::Without("KeyId"),
            Fault::ACCESS_DENIED,
        ] {
            stub.fails_once("Decrypt", fault);
            kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        }
        for fault in [
            Fault::INTERNAL,
            Fault::HangsUp,
            Fault::ACCESS_DENIED,
            Fault::Body(200, "garbage"),
        ] {
            stub.fails("Encrypt", fault);
            kek.wrap(&key, &context("prod")).await.unwrap_err();
            stub.heals();
        }
        for endpoint in ["garbage", "http://kms.invalid:1"] {
            let broken = pointed_to(&stub, endpoint).await;
            broken.wrap(&key, &context("prod")).await.unwrap_err();
        }
    });
    let text = String::from_utf8(traced.0.lock().unwrap().clone()).unwrap();
    // Else this test would see nothing and pass.
    assert!(text.contains("transmitting request") && text.contains("TrentService.Encrypt"));
    let key = [0xA7; 32];
    let listed = format!("{key:?}");
    for secret in [
        BASE64.encode(&key),
        HEXLOWER.encode(&key),
        listed.trim_matches(['[', ']']).to_owned(),
        SECRET_ACCESS_KEY.to_owned(),
    ] {
        assert!(!text.contains(&secret), "a trace holds {secret}");
    }
}

/// Makes a KEK whose endpoint went wrong after it was connected: it is read again with the credentials.
async fn pointed_to(stub: &KmsStub, endpoint: &str) -> AwsKms {
    let mut kek = connect(stub).await;
    let wrong = options(endpoint).deadline(SHORT).connect(None).await.unwrap();
    kek.client = std::sync::RwLock::new(wrong.client);
    kek
}

#[test]
fn an_error_about_the_client_repeats_nothing_of_a_request() {
    run(async {
        let stub = KmsStub::start();
        for endpoint in [
            "garbage",
            "http://kms.invalid:1",
            "https://",
            "ftp://kms.invalid",
            "https://kms.invalid:99999",
        ] {
            let kek = pointed_to(&stub, endpoint).await;
            let key = EnvironmentKey::init_with_mut(|bytes| bytes.fill(0xA7));
            let error = kek.wrap(&key, &context("prod")).await.unwrap_err();
            let shown = format!("{} {error:?}", said(&error));
            assert!(!shown.contains(&BASE64.encode(&[0xA7; 32])), "{endpoint}: {shown}");
            assert!(
                matches!(error, Error::KekRefused { .. } | Error::KekUnavailable { .. }),
                "{endpoint}: {shown}"
            );
        }
    });
}

#[test]
fn debug_shows_neither_credentials_nor_more_than_the_id() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        assert_eq!(format!("{kek:?}"), format!("AwsKms(aws-kms:{ARN}, ..)"));
        let shown = format!("{:?}", options(&stub.endpoint()));
        assert!(!shown.contains("SENTINEL") && !shown.contains("AKID"), "{shown}");
        assert!(shown.contains(REGION), "{shown}");
    });
}

#[test]
fn what_a_service_says_is_one_line_of_bounded_length() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        let message: &str = "a\u{1b}[31m\nb".repeat(1000).leak();
        stub.fails(
            "Decrypt",
            Fault::Refuses {
                status: 400,
                code: "AccessDeniedException",
                message,
            },
        );
        let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        let shown = said(&error);
        assert!(shown.len() < 1200 && !shown.contains(char::is_control), "{shown}");
    });
}

/// Else moving it into wiped memory would leave a copy behind.
#[test]
fn a_plaintext_that_the_sdk_hands_over_has_no_other_owner() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        let request = kek
            .client()
            .decrypt()
            .key_id(ARN)
            .ciphertext_blob(Blob::new(wrapped.bytes()));
        let context = context("prod").encryption_context().into_iter().collect();
        let answer = request.set_encryption_context(Some(context)).send().await.unwrap();
        assert!(answer.plaintext.unwrap().into_bytes().is_unique());
    });
}
