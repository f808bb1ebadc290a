//! The key of the MACs that the lines of a log carry.

use std::fmt;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretBox};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::cut::cut;

/// The member that carries a line's MAC: the last one.
const MEMBER: &[u8] = br#","mac":""#;

/// The number of bytes of HMAC-SHA-256 that a line carries.
const MAC: usize = 16;

/// The text behind the MAC.
const END: &[u8] = br#""}"#;

/// Separates this key from every other use of a log's seed.
const LABEL: &[u8] = b"ibyok audit line key v1";

/// The key of the MACs that the lines of a log carry.
///
/// A signature covers lines some time after they were written. So an attacker who can write to the directory can
/// chain lines to the end of a log that no process writes. Without this key the attacker cannot give them a MAC: no
/// reader that has the key takes them for the log's, and no writer signs them.
///
/// Held as the state of HMAC that has taken the key in, which a line then need not do. The state is as secret as the key, and is wiped
/// when the last clone is dropped.
#[derive(Clone)]
pub struct LineKey(Arc<Hmac<Sha256>>);

impl LineKey {
    /// The key with these bytes.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "taking it over wipes it")]
    pub fn new(key: SecretBox<[u8; 32]>) -> Self {
        Self(Arc::new(keyed(key.expose_secret())))
    }

    /// The key that follows from the seed of a log's signing key.
    pub(crate) fn of_seed(seed: &[u8; 32]) -> Self {
        let derived = SecretBox::init_with_mut(|key: &mut [u8; 32]| {
            let mut hmac = keyed(seed);
            hmac.update(LABEL);
            let bytes = Zeroizing::new(<[u8; 32]>::from(hmac.finalize().into_bytes()));
            key.copy_from_slice(bytes.as_slice());
        });
        Self::new(derived)
    }

    /// Ends the line that begins at `start` and lacks its last brace.
    pub(crate) fn seal(&self, out: &mut Vec<u8>, start: usize) {
        let mac = self.mac(out.get(start..).unwrap_or_default());
        out.extend_from_slice(MEMBER);
        let mut hex = [0; 2 * MAC];
        HEXLOWER.encode_mut(&mac, &mut hex);
        out.extend_from_slice(&hex);
        out.extend_from_slice(END);
    }

    /// Returns true if a line, given without its newline, carries its MAC under this key.
    #[must_use]
    pub fn fits(&self, line: &[u8]) -> bool {
        let Some((said, mac)) = split(line) else { return false };
        let Ok(given) = HEXLOWER.decode(mac) else { return false };
        let mut hmac = self.hmac();
        hmac.update(said);
        given.len() == MAC && hmac.verify_truncated_left(&given).is_ok()
    }

    /// A MAC of bytes other than a line's, under a separate label.
    pub(crate) fn tag(&self, label: &[u8], bytes: &[u8]) -> [u8; MAC] {
        self.mac(&[label, b"\n", bytes].concat())
    }

    /// Returns true if this is that MAC, in hex.
    pub(crate) fn is_tag(&self, label: &[u8], bytes: &[u8], given: &str) -> bool {
        let mut hmac = self.hmac();
        hmac.update(&[label, b"\n", bytes].concat());
        let given = HEXLOWER.decode(given.as_bytes()).unwrap_or_default();
        given.len() == MAC && hmac.verify_truncated_left(&given).is_ok()
    }

    fn mac(&self, bytes: &[u8]) -> [u8; MAC] {
        let mut hmac = self.hmac();
        hmac.update(bytes);
        cut(hmac.finalize().into_bytes().into())
    }

    fn hmac(&self) -> Hmac<Sha256> {
        Hmac::clone(&self.0)
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to the block. Padded here, no length can be wrong.
    let mut block = Zeroizing::new([0; 64]);
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::new((&*block).into())
}

impl fmt::Debug for LineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LineKey(..)")
    }
}

/// A line up to its MAC, and the MAC.
fn split(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = line.strip_suffix(END)?;
    let (head, mac) = rest.split_at_checked(rest.len().checked_sub(2 * MAC)?)?;
    Some((head.strip_suffix(MEMBER)?, mac))
}

/// A line without its MAC and its last brace.
pub(crate) fn said(line: &[u8]) -> &[u8] {
    split(line).map_or_else(|| line.strip_suffix(b"}").unwrap_or(line), |(said, _)| said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_that_holds_the_key_is_wiped_when_it_is_dropped() {
        fn is_wiped<T: zeroize::ZeroizeOnDrop>() {}
        // HMAC is two states of the hash.
        is_wiped::<<Sha256 as hmac::EagerHash>::Core>();
    }

    #[test]
    fn a_line_fits_the_key_that_sealed_it_and_no_change_of_it_does() {
        let key = LineKey::new(SecretBox::new(Box::new([1; 32])));
        let other = LineKey::new(SecretBox::new(Box::new([2; 32])));
        let mut line = br#"{"v":1,"seq":3"#.to_vec();
        key.seal(&mut line, 0);
        assert!(key.fits(&line) && !other.fits(&line));
        assert_eq!(said(&line), br#"{"v":1,"seq":3"#);
        for at in 0..line.len() {
            let mut changed = line.clone();
            changed[at] ^= 1;
            assert!(!key.fits(&changed), "changed at {at}");
            assert!(!key.fits(&line[..at]), "cut at {at}");
        }
        assert!(!key.fits(br#"{"v":1,"seq":3}"#));
        assert_eq!(format!("{key:?}"), "LineKey(..)");
    }
}
