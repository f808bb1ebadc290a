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

/// A token key that is ready for use: the state of HMAC after it has taken the key in.
///
/// Each MAC then costs two hash blocks instead of four. The state is as secret as the key. It is wiped when it is dropped.
pub struct TokenKey(Hmac<Sha256>);

impl TokenKey {
    /// Takes in a token key.
    #[must_use]
    pub fn new(key: &SecretBox<[u8; 32]>) -> Self {
        Self(keyed(key.expose_secret()))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

/// One MAC of the chain. A holder of the last one can use and narrow the token.
pub(super) struct TokenMac(Zeroizing<[u8; 32]>);

impl TokenMac {
    pub(super) const LEN: usize = 32;

    /// The MAC of a token without restrictions.
    pub(super) fn root(token_key: &TokenKey, id: TokenId, epoch: u32) -> Self {
        let parts: [&[u8]; 4] = [TOKEN_LABEL, &id.tag(), &id.bytes(), &epoch.to_be_bytes()];
        Self::compute(token_key.0.clone(), &parts)
    }

    /// The MAC after one more restriction.
    pub(super) fn extended(&self, restriction: &[u8]) -> Self {
        Self::compute(keyed(&self.0), &[restriction])
    }

    pub(super) fn chain(&self, token_key: &TokenKey) -> Chain {
        let whole = Self::compute(token_key.0.clone(), &[CHAIN_LABEL, self.0.as_slice()]);
        let [a, b, c, d, e, f, g, h, ..] = *whole.0;
        Chain([a, b, c, d, e, f, g, h])
    }

    /// Returns true if both are the same, in a time that does not depend on where they differ.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&*other.0).into()
    }

    pub(super) fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    pub(super) fn expose(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    fn compute(mut hmac: Hmac<Sha256>, parts: &[&[u8]]) -> Self {
        for part in parts {
            hmac.update(part);
        }
        let mut output = hmac.finalize().into_bytes();
        let mut mac = Self(Zeroizing::new([0; Self::LEN]));
        mac.0.copy_from_slice(&output);
        output.as_mut_slice().zeroize();
        mac
    }
}

/// HMAC with a key that it has taken in.
fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads keys shorter than its block with zeros; done here, no length can be wrong.
    let mut block = Zeroizing::new([0_u8; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new((&*block).into())
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

#[cfg(test)]
mod tests {
    use hmac::EagerHash;
    use zeroize::ZeroizeOnDrop;

    use super::*;

    #[test]
    fn the_state_that_holds_a_token_key_is_wiped_when_it_is_dropped() {
        fn is_wiped<T: ZeroizeOnDrop>() {}
        // HMAC is two states of the hash.
        is_wiped::<<Sha256 as EagerHash>::Core>();
        let key = TokenKey::new(&SecretBox::new(Box::new([7; 32])));
        assert_eq!(format!("{key:?}"), "TokenKey(..)");
    }
}
