//! The keys by which presented tokens are verified, and the KEK's failure where there is none.

use std::sync::Arc;
use std::time::Duration;

use ibyok_policy::{TokenId, TokenKey};

use super::Records;
use crate::base::clock::Clock;
use crate::base::error::{Error, Part, Result};
use crate::model::token::AccessToken;
use crate::realm::token_keys::{FORMS, WITHOUT_CACHE};
use crate::realm::{Realm, RealmName};

/// A key that verifies tokens, and the realm if it was opened to get the key.
pub(crate) struct Verifier {
    pub(crate) key: Arc<TokenKey>,
    pub(crate) realm: Option<Arc<Realm>>,
}

/// The label of the hash of presented tokens.
pub(crate) const PRESENTED: &str = "ibyok verified token v1";

impl Records {
    /// The time for which a token key is held, and for which a KEK's refusal holds for strangers.
    pub(crate) fn token_key_period(&self) -> Duration {
        match self.key_cache_ttl.is_zero() {
            true => WITHOUT_CACHE,
            false => self.key_cache_ttl,
        }
    }

    /// Returns the key that verifies a presented token of a realm; `None` if there is no such realm, or if the caller
    /// looks the same as a stranger.
    ///
    /// # Errors
    /// `Error::Kek` or [`Error::Unavailable`] if the KEK does not open the realm, only for a token that verified
    /// before; [`Error::Unavailable`] if the store does not answer.
    pub(crate) async fn verifier(
        &self,
        name: &RealmName,
        id: TokenId,
        token: &AccessToken,
    ) -> Result<Option<Verifier>> {
        let now = self.clock.elapsed();
        if let Some(key) = self.realms.token_keys.held(name, now, self.token_key_period()) {
            return Ok(Some(Verifier { key, realm: None }));
        }
        let known = self.verified_before(id, token);
        if !known && self.realms.token_keys.is_refused(name, now) {
            return Ok(None);
        }
        match self.realm(name).await {
            Ok(realm) => Ok(realm.map(|realm| Verifier {
                key: Arc::new(TokenKey::new(realm.keys.token_key())),
                realm: Some(realm),
            })),
            Err(Error::Kek { .. } | Error::Unavailable { part: Part::Kek, .. }) if !known => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the KEK's failure to open a realm. Asks a KEK that refuses once in a period, and one that is unavailable once in a second.
    pub(crate) async fn kek_failure(&self, name: &RealmName) -> Option<Error> {
        let now = self.clock.elapsed();
        if self.realms.token_keys.readiness_waits(name, now)
            && let Some(error) = self.realms.last_failure(name).await
        {
            return Some(error);
        }
        if self
            .realms
            .token_keys
            .held(name, now, self.token_key_period())
            .is_some()
        {
            return None;
        }
        self.realm(name).await.err()
    }

    /// Remembers a presented token that verified.
    pub(crate) fn remember_verified(&self, id: TokenId, token: &AccessToken) {
        let (form, hash) = self.form_of(id, token);
        if self.realms.token_keys.verified.get(&form) != Some(hash) {
            self.realms.token_keys.verified.insert(form, hash);
        }
    }

    fn verified_before(&self, id: TokenId, token: &AccessToken) -> bool {
        let (form, hash) = self.form_of(id, token);
        self.realms.token_keys.verified.get(&form) == Some(hash)
    }

    fn form_of(&self, id: TokenId, token: &AccessToken) -> ((TokenId, u8), [u8; 32]) {
        // Keyed, so that the comparison reveals nothing about the token, by its time or otherwise.
        let hash = self.presented.hash(token.expose().as_bytes());
        let [first, ..] = hash;
        ((id, first % FORMS), hash)
    }
}
