//! Settings as every AWS tool finds them.

use super::alone::{given, run_again};
use super::*;
use crate::KekRefusal;

fn in_this_module(test: &str) -> String {
    format!("{}::{test}", module_path!())
}

#[test]
fn endpoint_region_and_credentials_come_from_the_environment() {
    if let Some(key) = given() {
        run(async {
            let kek = AwsKms::connect(&key, AwsKmsOptions::new()).await.unwrap();
            let (_, wrapped) = wrapped(&kek).await;
            opens(&kek, &wrapped).await;
        });
        return;
    }
    let stub = KmsStub::start();
    let name = in_this_module("endpoint_region_and_credentials_come_from_the_environment");
    let endpoint = stub.endpoint();
    let environment = [
        ("AWS_ENDPOINT_URL_KMS", endpoint.as_str()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
    ];
    let output = run_again(&name, "alias/ibyok", &environment);
    assert!(output.status.success(), "{output:?}");
    let signed_by: Vec<String> = stub.calls().into_iter().map(|call| call.access_key).collect();
    assert_eq!(signed_by, ["AKIDENV"; 3]);

    // Without a region, the ARN's; with another, a refusal without a call.
    let [endpoint, _, id, secret] = environment;
    assert!(run_again(&name, ARN, &[endpoint, id, secret]).status.success());
    assert_eq!(stub.calls().len(), 6);
    let output = run_again(&name, ARN, &[endpoint, id, secret, ("AWS_REGION", "us-east-1")]);
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("KekUnusable"),
        "{output:?}"
    );
    assert_eq!(stub.calls().len(), 6);
}

#[test]
fn a_profile_with_a_credential_process_is_used() {
    if let Some(key) = given() {
        run(async {
            let options = AwsKmsOptions::new().profile("ibyok");
            AwsKms::connect(&key, options).await.unwrap();
        });
        return;
    }
    let stub = KmsStub::start();
    let directory = tempfile::tempdir().unwrap();
    let answer = directory.path().join("answer.json");
    let credentials =
        serde_json::json!({ "Version": 1, "AccessKeyId": "AKIDPROCESS", "SecretAccessKey": SECRET_ACCESS_KEY });
    std::fs::write(&answer, credentials.to_string()).unwrap();
    let config = directory.path().join("config");
    let profile = format!(
        "[profile ibyok]\nregion = {REGION}\ncredential_process = cat {}\n",
        answer.display()
    );
    std::fs::write(&config, profile).unwrap();
    let environment = [
        ("AWS_CONFIG_FILE", config.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_KMS", &stub.endpoint()),
    ];
    let output = run_again(
        &in_this_module("a_profile_with_a_credential_process_is_used"),
        "alias/ibyok",
        &environment,
    );
    assert!(output.status.success(), "{output:?}");
    assert_eq!(stub.calls()[0].access_key, "AKIDPROCESS");
}

#[test]
fn a_proxy_for_plain_http_gets_no_key() {
    if let Some(key) = given() {
        let error = run(AwsKms::connect(&key, AwsKmsOptions::new().region(REGION))).unwrap_err();
        let Error::KekRefused { why, .. } = &error else {
            panic!("{error:?}");
        };
        assert_eq!(*why, KekRefusal::PlainHttp);
        return;
    }
    let (stub, proxy) = (KmsStub::start(), KmsStub::start());
    let environment = [
        ("AWS_ENDPOINT_URL_KMS", stub.endpoint()),
        ("AWS_ACCESS_KEY_ID", "AKIDENV".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ("http_proxy", proxy.endpoint()),
        ("no_proxy", String::new()),
        ("NO_PROXY", String::new()),
    ];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let output = run_again(&in_this_module("a_proxy_for_plain_http_gets_no_key"), ARN, &environment);
    assert!(output.status.success(), "{output:?}");
    assert!(stub.calls().is_empty() && proxy.calls().is_empty());
}

#[test]
fn without_credentials_it_is_unavailable_and_says_so() {
    if let Some(key) = given() {
        let error = run(AwsKms::connect(&key, AwsKmsOptions::new().region(REGION))).unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        assert!(said(&error).contains("credential"), "{}", said(&error));
        return;
    }
    let stub = KmsStub::start();
    let environment = [("AWS_ENDPOINT_URL_KMS", stub.endpoint())];
    let environment = environment.each_ref().map(|(name, value)| (*name, value.as_str()));
    let output = run_again(
        &in_this_module("without_credentials_it_is_unavailable_and_says_so"),
        "alias/ibyok",
        &environment,
    );
    assert!(output.status.success(), "{output:?}");
    assert!(stub.calls().is_empty());
}
