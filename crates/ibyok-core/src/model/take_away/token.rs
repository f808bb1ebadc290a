//! Changes that take something of a token away.

use std::fmt;
use std::str::FromStr;

use super::numbered;
use crate::model::key::Stamp;
use crate::model::token::{Revocation, TokenRecord};

/// A change that takes something of a token away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenTakeAway {
    Revoke {
        keep_children: bool,
    },
    /// Takes away the secret of every epoch before this one, at once or after a grace.
    Supersede {
        epoch: u32,
        at_once: bool,
    },
}

impl fmt::Display for TokenTakeAway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenTakeAway::Revoke { keep_children: false } => f.write_str("revoke-token"),
            TokenTakeAway::Revoke { keep_children: true } => f.write_str("revoke-token:keep-children"),
            TokenTakeAway::Supersede { epoch, at_once: true } => write!(f, "supersede-token:{epoch}"),
            TokenTakeAway::Supersede { epoch, at_once: false } => write!(f, "supersede-token-later:{epoch}"),
        }
    }
}

impl FromStr for TokenTakeAway {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "revoke-token" => return Ok(TokenTakeAway::Revoke { keep_children: false }),
            "revoke-token:keep-children" => return Ok(TokenTakeAway::Revoke { keep_children: true }),
            _ => {}
        }
        let (word, epoch) = numbered(text)?;
        match word {
            "supersede-token" => Ok(TokenTakeAway::Supersede { epoch, at_once: true }),
            "supersede-token-later" => Ok(TokenTakeAway::Supersede { epoch, at_once: false }),
            _ => Err(()),
        }
    }
}

impl TokenRecord {
    /// Takes something away. Returns false if it is away already.
    pub(crate) fn take_away(&mut self, what: TokenTakeAway, stamp: &Stamp) -> bool {
        match what {
            TokenTakeAway::Revoke { keep_children } => self.revoke(keep_children, stamp),
            TokenTakeAway::Supersede { epoch, at_once } => self.supersede(epoch, at_once),
        }
    }

    fn revoke(&mut self, keep_children: bool, stamp: &Stamp) -> bool {
        let before = self.revoked.as_ref();
        // A revocation that kept the children can still become one that does not.
        if before.is_some_and(|revoked| keep_children || !revoked.keep_children) {
            return false;
        }
        self.revoked = Some(Revocation {
            stamp: stamp.clone(),
            keep_children,
        });
        true
    }

    /// After a crash in the middle of a rotation nobody has the new secret. If the old secret was to end at once, it
    /// ends anyway. If it had a grace, the rotation is not made, so that programs with the token continue until
    /// it is rotated again.
    fn supersede(&mut self, epoch: u32, at_once: bool) -> bool {
        if !at_once || self.epoch >= epoch {
            return false;
        }
        (self.epoch, self.older, self.through) = (epoch, None, None);
        true
    }
}
