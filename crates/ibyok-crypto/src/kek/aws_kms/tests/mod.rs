//! [`AwsKms`] over a stub of KMS, and over moto.

mod alone;
mod answers;
mod conformance;
mod connecting;
mod credentials;
mod environment;
#[path = "../../../../tests/kms_stub/mod.rs"]
mod kms_stub;
#[cfg(feature = "moto")]
mod moto;
mod page;
mod refusals;
mod sentinel;

use std::future::Future;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use self::kms_stub::{ARN, KmsStub, REGION};
use super::{AwsKms, AwsKmsOptions};
use crate::{EnvironmentKey, Error, Kek, KekContext, VaultId, WrappedKey};

/// Short, so that what waits for it does not hold up the tests.
const SHORT: Duration = Duration::from_millis(900);
/// A secret that must appear nowhere.
const SECRET_ACCESS_KEY: &str = "SENTINEL-secret-access-key";

/// Runs a test that needs a runtime.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(test)
}

fn options(endpoint: &str) -> AwsKmsOptions {
    let secret = SecretString::from(SECRET_ACCESS_KEY);
    let options = AwsKmsOptions::new().region(REGION).endpoint(endpoint);
    options.credentials("AKIDEXAMPLE", &secret, None)
}

async fn connect(stub: &KmsStub) -> AwsKms {
    AwsKms::connect(ARN, options(&stub.endpoint())).await.unwrap()
}

async fn connect_within(stub: &KmsStub, deadline: Duration) -> AwsKms {
    let options = options(&stub.endpoint()).deadline(deadline);
    AwsKms::connect(ARN, options).await.unwrap()
}

fn context(environment: &str) -> KekContext {
    KekContext::new(VaultId::from_bytes([1; 16]), "acme", Some(environment))
}

/// A key of fixed bytes, and the same wrapped for `prod`.
async fn wrapped(kek: &AwsKms) -> (EnvironmentKey, WrappedKey) {
    let key = EnvironmentKey::init_with_mut(|bytes| bytes.fill(0xA7));
    let wrapped = kek.wrap(&key, &context("prod")).await.unwrap();
    (key, wrapped)
}

/// That `unwrap` gives the key of [`wrapped`].
async fn opens(kek: &AwsKms, wrapped: &WrappedKey) {
    let opened = kek.unwrap(wrapped, &context("prod")).await.unwrap();
    assert_eq!(opened.expose_secret(), &[0xA7; 32]);
}

/// Returns the message of an error, with all its causes.
fn said(error: &Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
