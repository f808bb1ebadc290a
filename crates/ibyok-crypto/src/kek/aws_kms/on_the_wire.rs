//! Additions to the SDK's handling of a request.

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
    /// Allowed by name.
    plain_http: bool,
    /// The hosts that are reached without the proxy for plain HTTP, if there is one.
    past_the_proxy: Option<String>,
}

/// The request would cross a network as plain HTTP.
#[derive(Debug, thiserror::Error)]
#[error("plain HTTP to another machine")]
pub(super) struct PlainHttp;

impl NothingInTheClear {
    pub(super) fn new(plain_http: bool) -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let proxy = ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"]
            .into_iter()
            .find_map(set);
        let without = ["no_proxy", "NO_PROXY"].into_iter().find_map(set);
        Self {
            plain_http,
            past_the_proxy: proxy.map(|_| without.unwrap_or_default()),
        }
    }

    fn allows(&self, url: &str) -> bool {
        self.plain_http || is_https(url) || loopback(url).is_some_and(|host| self.is_direct(host))
    }

    /// Returns true if the request to this host passes no proxy. A network in `NO_PROXY` is not understood, and so
    /// does not count.
    fn is_direct(&self, host: &str) -> bool {
        let listed = |hosts: &String| hosts.split(',').any(|one| one.trim() == "*" || one.trim() == host);
        self.past_the_proxy.as_ref().is_none_or(listed)
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
        if !self.allows(request.uri()) {
            return Err(PlainHttp.into());
        }
        // The SDK traces requests with their bodies, and that of Encrypt holds a key. It cannot print a body behind a trait; that its own
        // wrappers happen to hide it as well is nothing that it promises.
        let body = std::mem::replace(request.body_mut(), SdkBody::taken());
        *request.body_mut() = SdkBody::from_body_1_x(body);
        Ok(())
    }
}

fn is_https(url: &str) -> bool {
    let scheme = url.split_once("://").map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// The host of a URL, if it is this machine.
fn loopback(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let host = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next()?,
    };
    let loopback = host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    (loopback || host.eq_ignore_ascii_case("localhost")).then_some(host)
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
    use super::NothingInTheClear;

    fn allows(past_the_proxy: Option<&str>, url: &str) -> bool {
        let rule = NothingInTheClear {
            plain_http: false,
            past_the_proxy: past_the_proxy.map(str::to_owned),
        };
        rule.allows(url)
    }

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
            assert!(allows(None, here), "{here}");
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
            assert!(!allows(None, elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn a_proxy_for_plain_http_is_another_machine() {
        for (past_the_proxy, allowed) in [
            ("", false),
            ("example.com", false),
            ("localhost", false),
            ("example.com, 127.0.0.1", true),
            ("*", true),
        ] {
            assert_eq!(
                allows(Some(past_the_proxy), "http://127.0.0.1:4566/"),
                allowed,
                "{past_the_proxy}"
            );
            assert!(allows(Some(past_the_proxy), "https://kms.example/"));
        }
    }
}
