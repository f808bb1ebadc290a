//! Credentials that run out while the program runs.

use std::sync::atomic::{AtomicUsize, Ordering};

use aws_credential_types::provider::future;
use aws_sdk_kms::config::{Credentials, ProvideCredentials, SharedCredentialsProvider};

use super::*;

/// Credentials whose access key counts how often they were asked for: `AKID0`, `AKID1`, …
#[derive(Debug, Default)]
struct Renewed(AtomicUsize);

impl ProvideCredentials for Renewed {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let access_key = format!("AKID{}", self.0.fetch_add(1, Ordering::SeqCst));
        future::ProvideCredentials::ready(Ok(Credentials::new(access_key, SECRET_ACCESS_KEY, None, None, "test")))
    }
}

async fn connect_renewing(stub: &KmsStub) -> AwsKms {
    let mut options = options(&stub.endpoint());
    options.credentials = Some(SharedCredentialsProvider::new(Renewed::default()));
    AwsKms::connect(ARN, options).await.unwrap()
}

#[test]
fn credentials_that_ran_out_are_read_anew_and_kept() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect_renewing(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.expires("AKID0");
        opens(&kek, &wrapped).await;
        opens(&kek, &wrapped).await;
        let signed_by: Vec<String> = stub.calls().into_iter().map(|call| call.access_key).collect();
        assert_eq!(signed_by, ["AKID0", "AKID0", "AKID0", "AKID1", "AKID1"]);
    });
}

#[test]
fn credentials_that_stay_expired_are_unavailable_after_one_renewal() {
    run(async {
        let stub = KmsStub::start();
        let kek = connect_renewing(&stub).await;
        let (_, wrapped) = wrapped(&kek).await;
        stub.expires("AKID0");
        stub.expires("AKID1");
        let error = kek.unwrap(&wrapped, &context("prod")).await.unwrap_err();
        assert!(matches!(error, Error::KekUnavailable { .. }), "{error:?}");
        assert!(said(&error).contains("expired"), "{}", said(&error));
        assert_eq!(stub.count("Decrypt"), 2);
        opens(&kek, &wrapped).await;
    });
}
