//! The SDK's client, as we want it: few retries, short waits, and nothing of a key in a trace.

use std::time::Duration;

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{Builder, StalledStreamProtectionConfig};

use super::AwsKmsOptions;
use super::name::is_region;
use super::on_the_wire::{KeyUnavailableIsFinal, NothingInTheClear};

/// The first try and three more: with jittered waits of at most 0.1, 0.2 and 0.4 s.
const ATTEMPTS: u32 = 4;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// A client, and the region that it asks.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) client: Client,
    pub(super) region: String,
}

impl AwsKmsOptions {
    /// Reads settings and credentials again. `arn_region` is used if no region is configured. Returns `None` if there
    /// is no region at all.
    pub(super) async fn connect(&self, arn_region: Option<&str>) -> Option<Connected> {
        let region = self.find_region(arn_region).await.filter(|region| is_region(region))?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).region(Region::new(region.clone()));
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Ok(name) = AppName::new("ibyok") {
            loader = loader.app_name(name);
        }
        let mut settings = Builder::from(&loader.load().await);
        if let Some(endpoint) = &self.endpoint {
            settings = settings.endpoint_url(endpoint);
        }
        let settings = settings
            .retry_config(retries())
            .timeout_config(self.timeouts())
            // It watches for minutes over large bodies; ours are small, and have a deadline.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .retry_classifier(KeyUnavailableIsFinal)
            .interceptor(NothingInTheClear::new(self.plain_http))
            .build();
        Some(Connected {
            client: Client::from_conf(settings),
            region,
        })
    }

    async fn find_region(&self, arn_region: Option<&str>) -> Option<String> {
        if self.region.is_some() {
            return self.region.clone();
        }
        let mut profile = ProfileFileRegionProvider::builder();
        if let Some(name) = &self.profile {
            profile = profile.profile_name(name);
        }
        let configured =
            RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(profile.build());
        match (configured.region().await, arn_region) {
            (Some(region), _) => Some(region.to_string()),
            (None, Some(region)) => Some(region.to_owned()),
            // Only now the instance is asked: elsewhere nobody answers, and that takes a while.
            (None, None) => {
                let found = RegionProviderChain::default_provider().region().await;
                found.map(|region| region.to_string())
            }
        }
    }

    /// A connection that died silently must leave time for another try. The deadline itself is around the whole call, credentials included.
    fn timeouts(&self) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(self.deadline / 3)
            .operation_attempt_timeout(self.deadline / 2)
            .build()
    }
}

fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_WAIT)
        .with_max_backoff(LONGEST_WAIT)
}
