//! Scopes, grants, restrictions, access tokens and decisions of IBYOK.
//!
//! A **grant** holds the rights that a token was given, and a **restriction** the rights that a holder took away
//! again. [`decide()`] answers whether a request passes both and the token's realm. A **token** is an id, an epoch
//! and restrictions under a chain of MACs: a holder of the realm's token key can [`mint`] and verify it, and every
//! holder of the token can narrow it offline.
//!
//! ```
//! use ibyok_policy::{
//!     Decision, Environments, Grant, RealmScope, Request, Restriction, Scope, Scopes, Token, TokenId, decide, mint,
//! };
//! use secrecy::{ExposeSecret, SecretBox};
//!
//! // The vault mints a token and keeps its grant.
//! let token_key = SecretBox::new(Box::new([7_u8; 32]));
//! let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
//! let token = mint(&token_key, TokenId::new(*b"Ab3dEf9h", [1; 16])?, 1);
//!
//! // Its holder narrows it, without the vault.
//! let mut only_openai = Restriction::default();
//! only_openai.keys = Some(vec!["openai".parse()?]);
//! let narrower = token.attenuate(&only_openai)?.expose();
//!
//! // The vault reads the presented token, verifies it, and decides.
//! let presented = Token::parse(narrower.expose_secret())?;
//! let verified = presented.verify(&token_key)?;
//! let realm = RealmScope { namespace: "default", environment: Some("dev") };
//! let request = Request {
//!     scope: Scope::KeysRead,
//!     namespace: "default",
//!     environment: Some("dev"),
//!     key: Some("openai"),
//!     pending: false,
//!     source: None,
//!     at: "2026-11-24T12:00:00Z".parse()?,
//! };
//! assert_eq!(decide(&realm, &grant, verified.restrictions(), &request), Decision::Allow);
//! let other = Request { key: Some("stripe"), ..request };
//! assert!(!decide(&realm, &grant, verified.restrictions(), &other).is_allow());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Everything here is pure: data in, decision out. There is no I/O, no clock and no randomness; the time of a
//! request is a part of it, and the caller makes ids. This crate does not know whether a token was revoked,
//! does not count uses against a [`Rate`], and does not know what a key is.
//!
//! The form of a token is documented byte for byte in `docs/tokens.md`, with vectors in `vectors/token.json`.
#![forbid(unsafe_code)]

mod decide;
mod environment;
mod error;
mod grant;
mod limits;
mod network;
mod pattern;
mod rate;
mod request;
mod restriction;
mod scope;
mod setters;
mod token;
mod within;

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
#[cfg(all(test, not(feature = "fuzzing")))]
mod fuzzing;

pub use decide::{Decision, Reason, decide, may_list, may_rotate_itself, source_allowed, valid_at};
pub use environment::Environments;
pub use error::Error;
pub use grant::Grant;
pub use pattern::Pattern;
pub use rate::{Per, Rate};
pub use request::{RealmScope, Request};
pub use restriction::Restriction;
pub use scope::{Scope, Scopes};
pub use token::{Chain, Malformed, Token, TokenId, TokenIdText, TokenKey, Unauthenticated, Verified, mint};
pub use within::{Validity, in_sight, within};
