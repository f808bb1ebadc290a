//! Principals: an operator, or the holder of a valid access token.

use std::borrow::Cow;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_audit::{Principal as Who, PrincipalKind};
use ibyok_policy::{Environments, Restriction, TokenId, TokenIdText, Verified};
use jiff::Timestamp;

use crate::base::error::{Error, Result};
use crate::base::secret_text::{looks_like_a_token, without_secrets};
use crate::model::key_ref::KeyRef;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::{AccessToken, Through, TokenRecord};
use crate::model::which_version::WhichVersion;
use crate::realm::Realm;
use crate::records::cache::Held;

/// The principal that asks. Authentication makes one, and recovery with a constructor of its own: nobody else has its parts.
#[derive(Clone, Debug)]
pub(crate) enum Principal {
    /// An operator, who can open the vault.
    Operator(Operator),
    /// A valid access token.
    Token(Arc<Holder>),
}

/// An operator whose name was checked: a person or program that can open the vault.
#[derive(Clone, Debug)]
pub(crate) struct Operator(Actor);

impl Operator {
    /// # Errors
    /// [`Error::Invalid`] for a name that no operator may have.
    pub(super) fn established(actor: &Actor) -> Result<Self> {
        check_actor(&actor.name)?;
        Ok(Operator(actor.clone()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    /// True if it reads the audit log beyond its namespace.
    pub(crate) fn reads_whole_log(&self) -> bool {
        self.0.whole_log
    }
}

/// An operator as a caller names it.
#[derive(Clone, Debug)]
pub(crate) struct Actor {
    pub(crate) name: String,
    pub(crate) namespace: Namespace,
    /// True if it reads the audit log beyond its namespace.
    pub(crate) whole_log: bool,
}

/// The holder of a valid access token.
#[derive(Debug)]
pub(crate) struct Holder {
    id: TokenId,
    realm: Arc<Realm>,
    held: Arc<Held<TokenRecord>>,
    restrictions: Vec<Restriction>,
    epoch: u32,
    /// The texts that the log has of it, made once for all lines of a request.
    texts: Texts,
    /// The tokens that it descends from, as they were when it was found valid.
    ancestors: Vec<Arc<Held<TokenRecord>>>,
}

/// The id of a token and the hash of its exact form, as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Texts {
    id: TokenIdText,
    chain: [u8; 16],
}

impl Texts {
    pub(super) fn of(verified: &Verified) -> Self {
        let mut chain = [0; 16];
        HEXLOWER.encode_mut(&verified.chain().bytes(), &mut chain);
        Texts {
            id: verified.id().text(),
            chain,
        }
    }

    fn chain(&self) -> &str {
        // Every byte is a digit, so that this is never empty.
        std::str::from_utf8(&self.chain).unwrap_or_default()
    }

    /// The token as the log names it before its record is known to be valid.
    pub(super) fn who(&self) -> Who<'_> {
        Who::new(PrincipalKind::Token).id(self.id.as_str()).chain(self.chain())
    }
}

impl Holder {
    /// The holder of a token whose secret was verified, with its texts.
    pub(super) fn verified(
        (verified, texts): (&Verified, Texts),
        realm: Arc<Realm>,
        held: Arc<Held<TokenRecord>>,
    ) -> Self {
        let (id, epoch) = (verified.id(), verified.epoch());
        let mut restrictions = verified.restrictions().to_vec();
        restrictions.extend(held.record.grace_of(epoch).map(only_until));
        Holder {
            id,
            realm,
            held,
            restrictions,
            epoch,
            texts,
            ancestors: Vec::new(),
        }
    }

    /// The holder with the records of the tokens that it descends from.
    pub(super) fn with_ancestors(self, ancestors: Vec<Arc<Held<TokenRecord>>>) -> Arc<Self> {
        Arc::new(Holder { ancestors, ..self })
    }

    /// The record of a token that it descends from, as it was when the holder was found valid.
    ///
    /// # Errors
    /// [`Error::Integrity`] for a token that it does not descend from.
    pub(crate) fn ancestor(&self, id: &TokenId) -> Result<&TokenRecord> {
        let mut ancestors = self.held.record.parents.iter().zip(&self.ancestors);
        let found = ancestors.find(|(parent, _)| *parent == id);
        found
            .map(|(_, held)| &held.record)
            .ok_or_else(|| Error::integrity("the record of a token's ancestor"))
    }

    /// The holder as the log names it.
    pub(crate) fn who(&self) -> Who<'_> {
        self.texts.who().name(self.held.record.name.as_str())
    }

    pub(crate) fn id(&self) -> TokenId {
        self.id
    }

    pub(crate) fn realm(&self) -> &Arc<Realm> {
        &self.realm
    }

    pub(crate) fn held(&self) -> &Arc<Held<TokenRecord>> {
        &self.held
    }

    /// The restrictions of the token. Those of a secret that was superseded include the end of its grace, so that
    /// nothing it does reaches beyond that.
    pub(crate) fn restrictions(&self) -> &[Restriction] {
        &self.restrictions
    }

    pub(crate) fn epoch(&self) -> u32 {
        self.epoch
    }

    /// True if a newer secret was given out, so that this one is only in its grace.
    pub(crate) fn is_superseded(&self) -> bool {
        self.held.record.grace_of(self.epoch).is_some()
    }

    /// Returns the holder with the secret that it was just given for its token.
    pub(crate) fn renewed(&self, epoch: u32) -> Self {
        Holder {
            id: self.id,
            realm: Arc::clone(&self.realm),
            held: Arc::clone(&self.held),
            restrictions: Vec::new(),
            epoch,
            texts: self.texts,
            ancestors: self.ancestors.clone(),
        }
    }

    /// True if it holds the token as it was minted: only a grace restricts it.
    pub(crate) fn is_whole(&self) -> bool {
        self.restrictions.len() == usize::from(self.is_superseded())
    }

    /// The secret of another token through which this one was gained.
    pub(crate) fn through(&self) -> Option<Through> {
        self.held.record.through_of(self.epoch)
    }

    /// True if the token's realm, grant and restrictions all name an environment.
    pub(crate) fn reaches(&self, environment: &EnvironmentName) -> bool {
        let name = environment.as_str();
        let realm = self
            .realm
            .name
            .environment
            .as_ref()
            .is_none_or(|own| own == environment);
        let grant = match &self.held.record.grant.environments {
            Environments::All => true,
            Environments::Named(names) => names.contains(name),
        };
        let restricted =
            |r: &Restriction| r.is_understood() && r.environments.as_ref().is_none_or(|n| n.contains(name));
        realm && grant && self.restrictions.iter().all(restricted)
    }
}

/// The restriction of a secret that was superseded: it permits everything, until its end.
fn only_until(ends: Timestamp) -> Restriction {
    let mut restriction = Restriction::default();
    restriction.expires = Some(ends);
    restriction
}

impl Principal {
    /// The process that completes a change which a crash cut short: it acts for the operator who opened the vault.
    pub(crate) fn of_recovery(actor: &str, namespace: &Namespace) -> Self {
        Principal::Operator(Operator(Actor {
            name: actor.to_owned(),
            namespace: namespace.clone(),
            whole_log: false,
        }))
    }

    /// True if it may read pending versions alone.
    pub(crate) fn is_pending_only(&self) -> bool {
        self.holder().is_some_and(|holder| {
            holder.held().record.grant.pending_only || holder.restrictions().iter().any(|r| r.pending_only)
        })
    }

    /// Reads a reference that names no version: it means the current one, or the pending one for a principal that may
    /// read no other.
    pub(crate) fn meaning<'r>(&self, reference: &'r KeyRef) -> Cow<'r, KeyRef> {
        if reference.version().is_current() && self.is_pending_only() {
            Cow::Owned(reference.clone().at_version(WhichVersion::Pending))
        } else {
            Cow::Borrowed(reference)
        }
    }

    /// The namespace that the principal acts in unless another is named.
    pub(crate) fn namespace(&self) -> &Namespace {
        match self {
            Principal::Operator(operator) => operator.namespace(),
            Principal::Token(holder) => &holder.realm().name.namespace,
        }
    }

    /// The name that records keep of the principal: the operator's name or the token's id.
    pub(crate) fn by(&self) -> String {
        match self {
            Principal::Operator(operator) => operator.name().to_owned(),
            Principal::Token(holder) => holder.id().to_string(),
        }
    }

    pub(crate) fn holder(&self) -> Option<&Arc<Holder>> {
        match self {
            Principal::Operator(_) => None,
            Principal::Token(holder) => Some(holder),
        }
    }

    /// The principal as the log names it.
    pub(crate) fn who(&self) -> Who<'_> {
        match self {
            Principal::Operator(operator) => Who::new(PrincipalKind::Operator).id(without_secrets(operator.name())),
            Principal::Token(holder) => holder.who(),
        }
    }
}

/// The credentials with which a caller asks.
#[derive(Debug)]
pub(crate) enum Asking {
    Operator(Actor),
    /// With a token, which has to be one of the namespace if one is given.
    Token(AccessToken, Option<Namespace>),
}

impl Asking {
    pub(crate) fn again(&self) -> Self {
        match self {
            Asking::Operator(actor) => Asking::Operator(actor.clone()),
            Asking::Token(token, only) => Asking::Token(token.clone(), only.clone()),
        }
    }
}

/// The longest name of an operator, in bytes.
const ACTOR_MAX: usize = 256;

/// Checks the name that an operator acts under: the log would otherwise say that nobody did it, or that a token did.
pub(crate) fn check_actor(name: &str) -> Result<()> {
    let fine = !name.trim().is_empty() && name.len() <= ACTOR_MAX && !name.chars().any(char::is_control);
    if !fine || name.parse::<TokenId>().is_ok() || looks_like_a_token(name) {
        return Err(Error::invalid_name(
            "operator name",
            name,
            "1 to 256 bytes without control characters, and not in the form of a token or a token's id",
        ));
    }
    Ok(())
}
