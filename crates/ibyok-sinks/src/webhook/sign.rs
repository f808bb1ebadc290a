//! The signature of a batch, in the form that Stripe's webhooks have.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The header of the signature.
pub const SIGNATURE: &str = "Ibyok-Signature";

/// Returns the value of [`SIGNATURE`]: `t=SECONDS,v1=HEX`, with one `v1` for each secret.
///
/// `HEX` is HMAC-SHA-256 (RFC 2104) under the secret over the decimal `SECONDS` since 1970, a full stop, and the body. The time is
/// signed, so a receiver can refuse a body that somebody sends again later.
#[must_use]
pub fn signature<'a>(secrets: impl IntoIterator<Item = &'a [u8]>, seconds: u64, body: &[u8]) -> String {
    let mut header = format!("t={seconds}");
    for secret in secrets {
        // HMAC takes a key of any length, so this has no other case.
        let Ok(mut hmac) = Hmac::<Sha256>::new_from_slice(secret) else {
            continue;
        };
        hmac.update(format!("{seconds}.").as_bytes());
        hmac.update(body);
        header.push_str(",v1=");
        header.push_str(&HEXLOWER.encode(&hmac.finalize().into_bytes()));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_other_implementations() {
        // printf '1700000000.{"seq":1}\n' | openssl dgst -sha256 -hmac whsec-0123456789abcdef
        let header = signature([b"whsec-0123456789abcdef".as_slice()], 1_700_000_000, b"{\"seq\":1}\n");
        assert_eq!(
            header,
            "t=1700000000,v1=708261d8f721800148c7b57feb16b111fce0179e16cb4e7eee35fa24d69a633f"
        );
    }

    #[test]
    fn each_secret_signs() {
        let (one, two) = (b"one".as_slice(), b"two".as_slice());
        let both = signature([one, two], 1, b"x");
        let alone = signature([two], 1, b"x");
        assert!(both.starts_with("t=1,v1=") && both.ends_with(alone.trim_start_matches("t=1")));
        assert_eq!(both.matches("v1=").count(), 2);
    }
}
