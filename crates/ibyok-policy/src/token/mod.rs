//! Access tokens: minted with the token key, narrowed without it.

use std::fmt;

use secrecy::SecretBox;

use crate::{Error, Restriction};
use mac::TokenMac;

mod attributes;
mod base62;
mod form;
mod id;
mod mac;
mod reader;

pub use form::Malformed;
pub use id::{TokenId, TokenIdText};
pub use mac::{Chain, TokenKey};

/// An access token as it was presented: its form is right, and nothing else is known yet.
///
/// It holds the secret that makes it usable, which is wiped when it is dropped and never shown by `Debug`. Believe
/// its own statements only after [`verify`](Self::verify).
pub struct Token {
    id: TokenId,
    epoch: u32,
    entries: Vec<Entry>,
    mac: TokenMac,
}

/// One restriction: its exact bytes, which the MAC covers, and their meaning.
struct Entry {
    bytes: Box<[u8]>,
    restriction: Restriction,
}

impl Token {
    /// The first characters of every token.
    pub const PREFIX: &'static str = "ibyok_";

    /// The longest text to read as a token, in bytes.
    pub const MAX_LEN: usize = 1_200;

    /// The largest number of restrictions that a token carries.
    pub const MAX_RESTRICTIONS: usize = 8;

    /// The largest size of all restrictions of a token, in bytes, their types and lengths included.
    pub const MAX_RESTRICTION_BYTES: usize = 512;

    /// Reads a token. Needs no key and no storage; takes time in proportion to at most [`Self::MAX_LEN`].
    ///
    /// There is exactly one text for each token: a text that parses prints as itself.
    ///
    /// # Errors
    /// [`Malformed`] with the fault in the text.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        form::parse(text)
    }

    /// The public id.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The epoch of the token's secret.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// The restrictions it claims to carry, oldest first. Unverified: for display by its holder.
    pub fn restrictions(&self) -> impl ExactSizeIterator<Item = &Restriction> {
        self.entries.iter().map(|entry| &entry.restriction)
    }

    /// The token as text. This is the secret.
    #[must_use]
    pub fn expose(&self) -> SecretBox<String> {
        form::print(self)
    }

    /// Verifies that this token was minted with this key, and then only narrowed. Compares in constant time.
    ///
    /// # Errors
    /// [`Unauthenticated`] for every fault of the token.
    pub fn verify(&self, token_key: &SecretBox<[u8; 32]>) -> Result<Verified, Unauthenticated> {
        self.verify_with(&TokenKey::new(token_key))
    }

    /// As [`Token::verify`], with a key that is ready for use: for a verifier that holds the key for many tokens.
    ///
    /// # Errors
    /// [`Unauthenticated`] for every fault of the token.
    pub fn verify_with(&self, token_key: &TokenKey) -> Result<Verified, Unauthenticated> {
        let mut macs = Vec::with_capacity(self.entries.len());
        let mut last = TokenMac::root(token_key, self.id, self.epoch);
        for entry in &self.entries {
            let next = last.extended(&entry.bytes);
            macs.push(std::mem::replace(&mut last, next));
        }
        if !last.is(&self.mac) {
            return Err(Unauthenticated);
        }
        let chain = last.chain(token_key);
        Ok(Verified {
            id: self.id,
            epoch: self.epoch,
            restrictions: self.restrictions().cloned().collect(),
            ancestors: macs.iter().map(|mac| mac.chain(token_key)).collect(),
            chain,
        })
    }

    /// A narrower token, made without any key. The token itself stays as it is.
    ///
    /// # Errors
    /// [`Error::TooManyRestrictions`], [`Error::RestrictionsTooLong`], [`Error::RestrictionEmpty`] for one that
    /// restricts nothing, [`Error::RestrictionUnknown`], [`Error::EnvironmentName`].
    pub fn attenuate(&self, restriction: &Restriction) -> Result<Self, Error> {
        if self.entries.len() >= Self::MAX_RESTRICTIONS {
            return Err(Error::TooManyRestrictions);
        }
        let added = form::entry(restriction)?;
        let mac = self.mac.extended(&added.bytes);
        let kept = self.entries.iter().map(|entry| Entry {
            bytes: entry.bytes.clone(),
            restriction: entry.restriction.clone(),
        });
        let entries: Vec<Entry> = kept.chain([added]).collect();
        let bytes = entries.iter().map(|entry| entry.bytes.len()).sum();
        if bytes > Self::MAX_RESTRICTION_BYTES {
            return Err(Error::RestrictionsTooLong { bytes });
        }
        Ok(Self {
            id: self.id,
            epoch: self.epoch,
            entries,
            mac,
        })
    }
}

/// Makes a token without restrictions. The same input makes the same token: nothing about it need be stored.
#[must_use]
pub fn mint(token_key: &SecretBox<[u8; 32]>, id: TokenId, epoch: u32) -> Token {
    Token {
        id,
        epoch,
        entries: Vec::new(),
        mac: TokenMac::root(&TokenKey::new(token_key), id, epoch),
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("epoch", &self.epoch)
            .field("restrictions", &self.entries.len())
            .finish_non_exhaustive()
    }
}

/// A token whose MAC is right: this realm's key minted it, and holders could only narrow it. Made by
/// [`Token::verify`] alone.
///
/// That it is not revoked, and of the current epoch, only its record can say.
#[derive(Debug)]
#[must_use]
pub struct Verified {
    id: TokenId,
    epoch: u32,
    restrictions: Vec<Restriction>,
    ancestors: Vec<Chain>,
    chain: Chain,
}

impl Verified {
    /// The public id.
    #[must_use]
    pub const fn id(&self) -> TokenId {
        self.id
    }

    /// The epoch of the token's secret, to be compared with the record's.
    #[must_use]
    pub const fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Every restriction, oldest first. All of them go to [`decide`](crate::decide()).
    #[must_use]
    pub fn restrictions(&self) -> &[Restriction] {
        &self.restrictions
    }

    /// The name of exactly this token, also of one that was never attenuated.
    #[must_use]
    pub const fn chain(&self) -> Chain {
        self.chain
    }

    /// Returns the names of the tokens that this one was attenuated from, the minted one first; empty if it is the
    /// minted one. Revoking a child by its chain refuses every token that has the child here.
    #[must_use]
    pub fn ancestors(&self) -> &[Chain] {
        &self.ancestors
    }
}

/// The token was not made with this key, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the token does not belong to this realm")]
#[expect(clippy::exhaustive_structs, reason = "it holds no more detail, on purpose")]
pub struct Unauthenticated;
