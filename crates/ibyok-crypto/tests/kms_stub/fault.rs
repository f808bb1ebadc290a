//! Faults in an answer.

use std::time::Duration;

use super::http::Reply;

/// One thing that is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A refusal of KMS: its status, code and message.
    Refuses {
        status: u16,
        code: &'static str,
        message: &'static str,
    },
    /// The right answer, about another key.
    OtherKey,
    /// A plaintext or ciphertext of so many bytes.
    Bytes(usize),
    /// The right answer with a field left out.
    Without(&'static str),
    /// Exactly this status and body.
    Body(u16, &'static str),
    /// `307` to this URL.
    RedirectTo(String),
    /// No answer for so long, and then none.
    Silent(Duration),
    /// The right answer, with so long a wait before each byte.
    Paced(Duration),
    /// The connection is closed at once.
    HangsUp,
}

impl Fault {
    pub(crate) const ACCESS_DENIED: Self = refuses(
        400,
        "AccessDeniedException",
        "User: arn:aws:iam::111122223333:user/dev is not authorized to perform this on this resource",
    );
    pub(crate) const DISABLED: Self = refuses(400, "DisabledException", "the key is disabled.");
    pub(crate) const PENDING_DELETION: Self = refuses(400, "KMSInvalidStateException", "the key is pending deletion.");
    pub(crate) const PENDING_IMPORT: Self = refuses(400, "KMSInvalidStateException", "the key is pending import.");
    pub(crate) const NOT_FOUND: Self = refuses(400, "NotFoundException", "Invalid keyId");
    pub(crate) const KEY_USAGE: Self = refuses(400, "InvalidKeyUsageException", "key usage is SIGN_VERIFY");
    pub(crate) const KEY_UNAVAILABLE: Self = refuses(500, "KeyUnavailableException", "the key is not available");
    pub(crate) const INVALID_CIPHERTEXT: Self = refuses(400, "InvalidCiphertextException", "");
    pub(crate) const INCORRECT_KEY: Self = refuses(400, "IncorrectKeyException", "The key ID in the request is wrong");
    pub(crate) const THROTTLED: Self = refuses(400, "ThrottlingException", "Rate exceeded");
    pub(crate) const INTERNAL: Self = refuses(500, "KMSInternalException", "an internal exception");
    pub(crate) const DEPENDENCY_TIMEOUT: Self = refuses(503, "DependencyTimeoutException", "timed out");
    pub(crate) const EXPIRED_TOKEN: Self = refuses(
        400,
        "ExpiredTokenException",
        "The security token included in the request is expired",
    );
    pub(crate) const BAD_TOKEN: Self = refuses(
        400,
        "UnrecognizedClientException",
        "The security token included in the request is invalid.",
    );
    pub(crate) const BAD_SIGNATURE: Self = refuses(
        400,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided.",
    );
    pub(crate) const CLOCK_SKEW: Self = refuses(
        400,
        "InvalidSignatureException",
        "Signature expired: 20261124T120000Z is now earlier than 20261124T121000Z",
    );
    pub(crate) const VALIDATION: Self = refuses(400, "ValidationException", "1 validation error detected");

    /// The answer with this fault; `right` makes the one without.
    pub(crate) fn reply(self, right: impl FnOnce() -> Reply) -> Reply {
        match self {
            Self::Refuses { .. } => Reply::refusal(&self),
            Self::OtherKey => right().changed(|body| body["KeyId"] = super::ARN.replace("key/", "key/0").into()),
            Self::Bytes(len) => right().changed(|body| {
                let bytes = data_encoding::BASE64.encode(&vec![7; len]);
                let name = if body["Plaintext"].is_null() {
                    "CiphertextBlob"
                } else {
                    "Plaintext"
                };
                body[name] = bytes.into();
            }),
            Self::Without(name) => right().changed(|body| drop(body.as_object_mut().unwrap().remove(name))),
            Self::Body(status, body) => Reply::new(status, body.as_bytes()),
            Self::RedirectTo(url) => Reply::new(307, b"").with_header("Location", &url),
            Self::Silent(silence) => Reply::silent(silence),
            Self::Paced(pace) => right().paced(pace),
            Self::HangsUp => Reply::silent(Duration::ZERO),
        }
    }
}

const fn refuses(status: u16, code: &'static str, message: &'static str) -> Fault {
    Fault::Refuses { status, code, message }
}
