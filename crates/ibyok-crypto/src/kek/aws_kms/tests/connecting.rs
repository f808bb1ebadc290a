//! The names by which a key may be given, and the keys that are allowed.

use super::kms_stub::{Fault, StubKey};
use super::*;
use crate::{KekRefusal, conformance};

const OTHER: &str = "arn:aws:kms:eu-central-1:111122223333:key/mrk-00000000000000000000000000000002";

async fn connect_to(key: &str, stub: &KmsStub) -> Result<AwsKms, Error> {
    AwsKms::connect(key, options(&stub.endpoint())).await
}

#[test]
fn id_arn_alias_and_alias_arn_lead_to_one_pinned_arn() {
    run(async {
        let stub = KmsStub::start();
        let id = ARN.split_once("key/").unwrap().1;
        let alias_arn = ARN.replace(&format!("key/{id}"), "alias/ibyok");
        for given in [id, ARN, "alias/ibyok", &alias_arn] {
            let kek = connect_to(given, &stub).await.unwrap();
            assert_eq!(kek.describe().to_string(), format!("aws-kms:{ARN}"));
            assert_eq!(kek.describe().note(), None);
        }
        assert_eq!(stub.calls().len(), 4);
    });
}

#[test]
fn an_alias_that_moves_later_changes_nothing() {
    run(async {
        let stub = KmsStub::start();
        stub.add(StubKey::symmetric(OTHER));
        let kek = connect_to("alias/ibyok", &stub).await.unwrap();
        let (_, wrapped) = wrapped(&kek).await;
        stub.moves_alias("alias/ibyok", OTHER);
        opens(&kek, &wrapped).await;
        let anew = connect_to("alias/ibyok", &stub).await.unwrap();
        assert!(!anew.accepts(wrapped.kek()));
    });
}

#[test]
fn a_key_that_cannot_wrap_is_refused_with_what_to_use() {
    run(async {
        let stub = KmsStub::start();
        let key = StubKey::symmetric(OTHER);
        for (key, expected) in [
            (
                StubKey {
                    spec: "RSA_2048",
                    ..key.clone()
                },
                "asymmetric",
            ),
            (
                StubKey {
                    spec: "ECC_NIST_P256",
                    usage: "SIGN_VERIFY",
                    ..key.clone()
                },
                "ENCRYPT_DECRYPT",
            ),
            (
                StubKey {
                    spec: "HMAC_256",
                    usage: "GENERATE_VERIFY_MAC",
                    ..key.clone()
                },
                "ENCRYPT_DECRYPT",
            ),
            (
                StubKey {
                    manager: "AWS",
                    ..key.clone()
                },
                "AWS manages it",
            ),
        ] {
            let stub_of_it = KmsStub::start();
            stub_of_it.add(key);
            let error = connect_to(OTHER, &stub_of_it).await.unwrap_err();
            assert!(matches!(error, Error::KekUnusable { .. }), "{error:?}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(matches!(
            connect_to(OTHER, &stub).await,
            Err(Error::KekRefused {
                why: KekRefusal::NotFound,
                ..
            })
        ));
    });
}

#[test]
fn another_region_and_a_malformed_name_are_refused_without_a_call() {
    run(async {
        let stub = KmsStub::start();
        for given in [
            ARN.replace("eu-central-1", "us-east-1"),
            "arn:aws:kms:us-east-1:111122223333:alias/ibyok".to_owned(),
            ARN.replace("kms", "s3"),
            ARN.replace("111122223333", "1"),
            "arn:aws:kms".to_owned(),
            "not a key".to_owned(),
            String::new(),
        ] {
            let error = connect_to(&given, &stub).await.unwrap_err();
            assert!(matches!(error, Error::KekUnusable { .. }), "{given}: {error:?}");
        }
        let nowhere = options(&stub.endpoint()).region("not/a.region");
        let error = AwsKms::connect(ARN, nowhere).await.unwrap_err();
        assert!(error.to_string().contains("AWS_REGION"), "{error}");
        assert!(stub.calls().is_empty());
    });
}

#[test]
fn a_whole_arn_needs_no_describe_key_and_that_is_said() {
    run(async {
        let mut stub = KmsStub::start();
        stub.fails("DescribeKey", Fault::ACCESS_DENIED);
        let kek = connect_to(ARN, &stub).await.unwrap();
        assert_eq!(kek.describe().note(), Some("not checked: kms:DescribeKey is denied"));
        let (_, wrapped) = wrapped(&kek).await;
        opens(&kek, &wrapped).await;

        let by_alias = connect_to("alias/ibyok", &stub).await.unwrap_err();
        let Error::KekRefused { why, .. } = &by_alias else {
            panic!("{by_alias:?}");
        };
        assert_eq!(*why, KekRefusal::AccessDenied);

        stub.stop();
        let options = options(&stub.endpoint()).deadline(SHORT);
        let down = AwsKms::connect(ARN, options.clone()).await.unwrap();
        assert_eq!(down.describe().note(), Some("not checked: KMS did not answer"));
        let by_alias = AwsKms::connect("alias/ibyok", options).await.unwrap_err();
        assert!(matches!(by_alias, Error::KekUnavailable { .. }), "{by_alias:?}");

        stub.resume();
        opens(&down, &wrapped).await;
    });
}

#[test]
fn an_answer_about_another_key_is_refused() {
    run(async {
        let stub = KmsStub::start();
        for body in [
            r#"{"KeyMetadata":{"KeyId":"x","Arn":"arn:aws:kms:eu-central-1:111122223333:key/x","KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}"#,
            r#"{"KeyMetadata":{"KeyId":"x","Arn":"garbage","KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT"}}"#,
            r#"{"KeyMetadata":{"KeyId":"x"}}"#,
        ] {
            stub.heals();
            stub.fails("DescribeKey", Fault::Body(200, body));
            let error = connect_to(ARN, &stub).await.unwrap_err();
            assert!(matches!(error, Error::KekAnswer { .. }), "{body}: {error:?}");
        }
    });
}

#[test]
fn plain_http_to_another_machine_is_refused_unless_allowed_by_name() {
    run(async {
        let options = options("http://kms.invalid:1").deadline(SHORT);
        let error = AwsKms::connect("alias/ibyok", options.clone()).await.unwrap_err();
        let Error::KekRefused { why, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*why, KekRefusal::PlainHttp);
        let allowed = AwsKms::connect("alias/ibyok", options.allow_plain_http())
            .await
            .unwrap_err();
        assert!(matches!(allowed, Error::KekUnavailable { .. }), "{allowed:?}");
    });
}

#[test]
fn an_endpoint_that_is_no_url_is_refused_and_not_taken_for_an_outage() {
    run(async {
        for endpoint in ["garbage", "https://"] {
            let error = AwsKms::connect(ARN, options(endpoint)).await.unwrap_err();
            let Error::KekRefused { why, .. } = &error else {
                panic!("{endpoint}: {error:?}");
            };
            assert_eq!(*why, KekRefusal::Settings, "{endpoint}");
        }
    });
}

#[test]
fn without_a_runtime_it_is_an_error_and_no_panic() {
    let stub = KmsStub::start();
    let error = conformance::block_on(connect_to(ARN, &stub)).unwrap_err();
    assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
    let kek = run(connect(&stub));
    let wrapped = WrappedKey::new(kek.id.clone(), vec![7; 100]);
    let error = conformance::block_on(kek.unwrap(&wrapped, &context("prod"))).unwrap_err();
    assert!(said(&error).contains("runtime"), "{}", said(&error));
}
