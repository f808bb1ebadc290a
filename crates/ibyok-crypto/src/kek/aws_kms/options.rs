//! The options of the client that a program sets by itself. The client finds the rest as every AWS tool does.

use std::fmt;
use std::time::Duration;

use aws_sdk_kms::config::{Credentials, SharedCredentialsProvider};
use secrecy::{ExposeSecret, SecretString};

/// The options with which [`AwsKms`](crate::AwsKms) reaches KMS.
///
/// The client finds the rest as every AWS tool does: `AWS_REGION`, `AWS_PROFILE`, `AWS_ENDPOINT_URL_KMS` and their
/// like, the shared files, a web identity, a container's or an instance's role, a `credential_process`. (Single
/// sign-on only through the last.)
#[derive(Clone)]
pub struct AwsKmsOptions {
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) profile: Option<String>,
    pub(super) credentials: Option<SharedCredentialsProvider>,
    pub(super) deadline: Duration,
    pub(super) plain_http: bool,
}

impl AwsKmsOptions {
    /// The default of the longest time for a call, with its retries.
    pub const DEADLINE: Duration = Duration::from_secs(3);

    /// Everything as it is found.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            region: None,
            endpoint: None,
            profile: None,
            credentials: None,
            deadline: Self::DEADLINE,
            plain_http: false,
        }
    }

    /// Sets the region. The default is the configured region, or else that of the key's ARN.
    #[must_use]
    pub fn region(mut self, region: &str) -> Self {
        self.region = Some(region.to_owned());
        self
    }

    /// The URL of the service, as `AWS_ENDPOINT_URL_KMS`: for a VPC endpoint, or a test.
    #[must_use]
    pub fn endpoint(mut self, url: &str) -> Self {
        self.endpoint = Some(url.to_owned());
        self
    }

    /// The profile in the shared files, as `AWS_PROFILE`.
    #[must_use]
    pub fn profile(mut self, name: &str) -> Self {
        self.profile = Some(name.to_owned());
        self
    }

    /// Sets credentials that the program already has; they are not renewed.
    ///
    /// The AWS SDK wipes its copies of their secret parts.
    #[must_use]
    pub fn credentials(
        mut self,
        access_key_id: &str,
        secret: &SecretString,
        session_token: Option<&SecretString>,
    ) -> Self {
        let token = session_token.map(|token| token.expose_secret().to_owned());
        let given = Credentials::new(access_key_id, secret.expose_secret(), token, None, "ibyok");
        self.credentials = Some(SharedCredentialsProvider::new(given));
        self
    }

    /// Sets the longest time for a call, with its retries.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Allows an endpoint of `http://` on another machine, where every key crosses the network in the clear: for tests.
    #[must_use]
    pub const fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }
}

impl Default for AwsKmsOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for AwsKmsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKmsOptions")
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .field("profile", &self.profile)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
