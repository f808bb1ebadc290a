//! The meaning of KMS's answers, by the documented error codes.

use std::error::Error as StdError;
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::error::{ConnectorError, ProvideErrorMetadata, SdkError};

use super::on_the_wire::PlainHttp;
use crate::{Error, KekRefusal};

/// The maximum number of characters kept of the service's message.
const SAID_LIMIT: usize = 600;

/// Why a call gave nothing.
#[derive(Debug)]
pub(super) enum Failure {
    /// This key did not wrap the bytes under this context.
    Open,
    /// The credentials have run out, as far as KMS knows.
    Expired(Said),
    /// Asking again does not help.
    Refused(KekRefusal, Said),
    /// Asking later may.
    Unavailable(Said),
}

/// The message of the service or the client: one line, of bounded length.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Said(String);

impl Said {
    fn new(text: &str) -> Self {
        let visible = |one: char| if one.is_control() { ' ' } else { one };
        Self(text.chars().take(SAID_LIMIT).map(visible).collect())
    }

    /// The message about a call that outlasted the deadline.
    pub(super) fn nothing_within(deadline: Duration) -> Self {
        Self(format!(
            "no answer within {deadline:?}: is KMS reachable from here, and are there AWS credentials?"
        ))
    }

    /// The message for a situation in which the SDK would panic.
    pub(super) fn no_runtime() -> Self {
        Self::new("there is no Tokio runtime here")
    }

    /// An answer without the requested data.
    pub(super) fn nothing_of(what: &str) -> Self {
        Self(format!("an answer that says nothing of {what}"))
    }

    /// The subject, an error, and its causes, joined by colons.
    fn chain(what: &str, error: &dyn StdError) -> Self {
        let mut text = what.to_owned();
        let mut under = Some(error);
        while let Some(cause) = under {
            let said = cause.to_string();
            // Wrappers often repeat what they wrap.
            if !text.ends_with(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            under = cause.source();
        }
        Self::new(&text)
    }
}

impl Failure {
    /// As the crate's error, about this KEK.
    pub(super) fn of(self, kek: &str) -> Error {
        let kek = kek.to_owned();
        match self {
            Self::Open => Error::Open,
            Self::Refused(why, said) => Error::KekRefused {
                kek,
                why,
                source: said.into(),
            },
            Self::Expired(said) | Self::Unavailable(said) => Error::KekUnavailable {
                kek,
                source: said.into(),
            },
        }
    }
}

impl<E: StdError + ProvideErrorMetadata + 'static> From<SdkError<E>> for Failure {
    fn from(error: SdkError<E>) -> Self {
        match &error {
            SdkError::ServiceError(answer) => {
                let status = answer.raw().status().as_u16();
                of_service(answer.err().meta().code(), answer.err().meta().message(), status)
            }
            SdkError::TimeoutError(_) => Self::Unavailable(Said::new("no answer in time")),
            SdkError::ResponseError(_) => Self::Unavailable(Said::new("an answer that cannot be read")),
            SdkError::DispatchFailure(sending) => sending.as_connector_error().map_or_else(settings, of_sending),
            _ => settings(),
        }
    }
}

/// Returns the failure of a request that got no answer.
///
/// Repeats only text that is known to hold no part of a request or an answer. In the error about an endpoint that is
/// no URL, the SDK prints the whole request, including the key of an Encrypt.
fn of_sending(connector: &ConnectorError) -> Failure {
    let causes = || std::iter::successors(Some(connector as &(dyn StdError + 'static)), |&error| error.source());
    if causes().any(<dyn StdError>::is::<PlainHttp>) {
        return Failure::Refused(KekRefusal::PlainHttp, Said::new("nothing was sent"));
    }
    if let Some(credentials) = causes().find(|error| error.is::<CredentialsError>()) {
        return Failure::Unavailable(Said::chain("no AWS credentials", credentials));
    }
    if connector.is_timeout() {
        return Failure::Unavailable(Said::new("no answer in time"));
    }
    // A kind that the HTTP client gave: a connection that broke.
    if connector.is_io() || connector.as_other().is_some() {
        return Failure::Unavailable(Said::chain("no connection", connector));
    }
    settings()
}

fn settings() -> Failure {
    Failure::Refused(KekRefusal::Settings, Said::new("nothing was sent"))
}

/// By the codes of the KMS API reference, those that all AWS services share, and the status where there is none.
fn of_service(code: Option<&str>, message: Option<&str>, status: u16) -> Failure {
    let text = message.unwrap_or("no message");
    let said = Said::new(&format!(
        "{} (status {status}): {text}",
        code.unwrap_or("an answer without a code")
    ));
    let refused = |why| Failure::Refused(why, Said::new(&said.0));
    match code.unwrap_or_default() {
        "InvalidCiphertextException" | "IncorrectKeyException" => Failure::Open,
        "AccessDeniedException" | "AccessDenied" => refused(KekRefusal::AccessDenied),
        "DisabledException" => refused(KekRefusal::Disabled),
        // KMS has no separate code for it, and it is the one state in which the operator loses the vault by waiting.
        "KMSInvalidStateException" if text.contains("pending deletion") => refused(KekRefusal::PendingDeletion),
        "KMSInvalidStateException" => refused(KekRefusal::InvalidState),
        "NotFoundException" => refused(KekRefusal::NotFound),
        "InvalidKeyUsageException" => refused(KekRefusal::KeyUsage),
        "ExpiredTokenException" | "ExpiredToken" => Failure::Expired(said),
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "SignatureDoesNotMatch" => refused(KekRefusal::Credentials),
        "InvalidSignatureException" if is_about_the_clock(text) => Failure::Unavailable(said),
        "InvalidSignatureException" => refused(KekRefusal::Credentials),
        "KeyUnavailableException" | "RequestTimeTooSkewed" | "RequestExpired" => Failure::Unavailable(said),
        code if is_throttling(code) || !(400..500).contains(&status) || code.is_empty() => Failure::Unavailable(said),
        _ => refused(KekRefusal::Request),
    }
}

/// Returns true if an error is about the clock. The SDK sets its clock by the service's and tries again, so an error
/// that remains may still pass.
fn is_about_the_clock(text: &str) -> bool {
    text.contains("Signature expired") || text.contains("Signature not yet current")
}

fn is_throttling(code: &str) -> bool {
    ["Throttl", "TooManyRequests", "LimitExceeded", "SlowDown"]
        .iter()
        .any(|part| code.contains(part))
}
