//! The chain of MACs (Birgisson et al. 2014, "Macaroons"), over HMAC-SHA-256 (RFC 2104).
//!
//! ```text
//! mac_0 = HMAC(token key, "ibyok/token/1" ‖ tag (8) ‖ id (16) ‖ epoch (4, big-endian))
//! mac_i = HMAC(mac_{i-1}, type ‖ length ‖ bytes of restriction i, exactly as the token holds them)
//! chain = HMAC(token key, "ibyok/chain/1" ‖ mac_i), its first 8 bytes
//! ```
//!
//! Both labels are 13 bytes and differ, so no input of one is an input of the other.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac as _};
use secrecy::{ExposeSecret, SecretBox};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::id::TokenId;

const TOKEN_LABEL: &[u8; 13] = b"ibyok/token/1";
const CHAIN_LABEL: &[u8; 13] = b"ibyok/chain/1";

/// One MAC of the chain. A holder of the last one can use and narrow the token.
pub(super) struct TokenMac(SecretBox<[u8; 32]>);

impl TokenMac {
    pub(super) const LEN: usize = 32;

    /// The MAC of a token without restrictions.
    pub(super) fn root(token_key: &SecretBox<[u8; 32]>, id: TokenId, epoch: u32) -> Self {
        Self::compute(token_key, &[TOKEN_LABEL, &id.tag(), &id.bytes(), &epoch.to_be_bytes()])
    }

    /// The MAC after one more restriction.
    pub(super) fn extended(&self, restriction: &[u8]) -> Self {
        Self::compute(&self.0, &[restriction])
    }

    pub(super) fn chain(&self, token_key: &SecretBox<[u8; 32]>) -> Chain {
        let whole = Self::compute(token_key, &[CHAIN_LABEL, self.0.expose_secret()]);
        let [a, b, c, d, e, f, g, h, ..] = *whole.0.expose_secret();
        Chain([a, b, c, d, e, f, g, h])
    }

    /// Returns true if both are the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.expose_secret().ct_eq(other.0.expose_secret()).into()
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(SecretBox::init_with_mut(|mac: &mut [u8; Self::LEN]| {
            mac.copy_from_slice(bytes);
        }))
    }

    pub(super) fn expose(&self) -> &[u8; Self::LEN] {
        self.0.expose_secret()
    }

    fn compute(key: &SecretBox<[u8; 32]>, parts: &[&[u8]]) -> Self {
        // HMAC pads keys shorter than its block with zeros; done here, no length can be wrong.
        let mut block = Zeroizing::new([0_u8; 64]);
        for (to, from) in block.iter_mut().zip(key.expose_secret()) {
            *to = *from;
        }
        let mut hmac = Hmac::<Sha256>::new((&*block).into());
        for part in parts {
            hmac.update(part);
        }
        let mut output = hmac.finalize().into_bytes();
        let mac = Self(SecretBox::init_with_mut(|mac: &mut [u8; Self::LEN]| {
            mac.copy_from_slice(&output);
        }));
        output.as_mut_slice().zeroize();
        mac
    }
}

/// A short name for one exact token, restrictions included: a keyed hash of its MAC, 8 bytes, printed as 16
/// hexadecimal digits. It distinguishes attenuated children in a log, and reveals nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Chain([u8; 8]);

impl Chain {
    /// Its 8 bytes.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 8] {
        self.0
    }
}

impl From<[u8; 8]> for Chain {
    fn from(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({self})")
    }
}
