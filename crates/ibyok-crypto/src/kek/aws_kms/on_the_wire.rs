//! What we add to the SDK's handling of a request.

use std::net::IpAddr;

use aws_sdk_kms::config::interceptors::{BeforeTransmitInterceptorContextMut, InterceptorContext};
use aws_sdk_kms::config::retry::{ClassifyRetry, RetryAction};
use aws_sdk_kms::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_kms::error::BoxError;
use aws_sdk_kms::operation::decrypt::DecryptError;
use aws_sdk_kms::operation::encrypt::EncryptError;
use aws_smithy_types::body::SdkBody;

/// Keeps keys out of traces, and off the network unless it is encrypted.
#[derive(Debug)]
pub(super) struct NothingInTheClear {
    plain_http: bool,
}

/// The endpoint is `http://` on another machine.
#[derive(Debug, thiserror::Error)]
#[error("the endpoint is plain HTTP on another machine")]
pub(super) struct PlainHttp;

impl NothingInTheClear {
    pub(super) const fn new(plain_http: bool) -> Self {
        Self { plain_http }
    }
}

impl Intercept for NothingInTheClear {
    fn name(&self) -> &'static str {
        "NothingInTheClear"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        if !self.plain_http && is_plain_http_elsewhere(request.uri()) {
            return Err(PlainHttp.into());
        }
        // The SDK traces requests with their bodies, and that of Encrypt holds a key; it cannot print a body behind a trait.
        let body = std::mem::replace(request.body_mut(), SdkBody::taken());
        *request.body_mut() = SdkBody::from_body_1_x(body);
        Ok(())
    }
}

/// Whether a request to this URL would cross a network unencrypted.
fn is_plain_http_elsewhere(url: &str) -> bool {
    let Some((scheme, rest)) = url.split_once("://") else {
        return true;
    };
    if scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    let loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    !(loopback || host.eq_ignore_ascii_case("localhost"))
}

/// KMS answers `KeyUnavailableException` with status 500, which the SDK would retry; it is about the key and stays for minutes.
#[derive(Debug)]
pub(super) struct KeyUnavailableIsFinal;

impl ClassifyRetry for KeyUnavailableIsFinal {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        let error = failed.and_then(|error| error.as_operation_error());
        let unavailable = error.is_some_and(|error| {
            let encrypt = error
                .downcast_ref()
                .is_some_and(EncryptError::is_key_unavailable_exception);
            encrypt
                || error
                    .downcast_ref()
                    .is_some_and(DecryptError::is_key_unavailable_exception)
        });
        if unavailable {
            RetryAction::RetryForbidden
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "KeyUnavailableIsFinal"
    }
}

#[cfg(test)]
mod tests {
    use super::is_plain_http_elsewhere;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for here in [
            "https://kms.eu-central-1.amazonaws.com/",
            "HTTPS://kms.example",
            "http://127.0.0.1:4566/",
            "http://127.8.8.8",
            "http://localhost:5000/",
            "http://[::1]:5000/",
            "http://user@localhost/",
        ] {
            assert!(!is_plain_http_elsewhere(here), "{here}");
        }
        for elsewhere in [
            "http://kms.example/",
            "http://10.0.0.1:4566",
            "http://localhost.example/",
            "http://127.0.0.1@kms.example/",
            "http://127.0.0.1.example/",
            "http://[2001:db8::1]/",
            "http://kms.example/?localhost",
            "kms.example",
            "",
        ] {
            assert!(is_plain_http_elsewhere(elsewhere), "{elsewhere}");
        }
    }
}
