//! One tenant of a vault, for handlers of requests.

use ibyok_audit::Action;

use crate::base::context::RequestContext;
use crate::base::error::Result;
use crate::gate::principal::Asking;
use crate::model::key_ref::KeyRef;
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::token::AccessToken;
use crate::records::environments::no_namespace;
use crate::retrieve::Released;
use crate::vault::Vault;
use crate::vault::session::Session;

/// A vault confined to one namespace, for a handler of a tenant's requests. It has none of the powers of an operator.
///
/// A token of another tenant is refused here as one that the vault never issued, so that a request routed to the wrong tenant
/// learns and reads nothing.
///
/// ```
/// # use ibyok_core::{AccessToken, Error, RequestContext, Vault};
/// /// Answers `GET /{tenant}/keys/{environment}/{name}`; every argument is what the client sent.
/// async fn handle(
///     vault: &Vault,
///     tenant: &str,
///     (environment, name): (&str, &str),
///     token: AccessToken,
/// ) -> Result<Vec<u8>, Error> {
///     let tenant = vault.tenant(tenant)?;
///     let key = tenant.key(environment, name)?; // a part never becomes two, nor another namespace
///     let released = tenant.retrieve(&token, &key, &RequestContext::default()).await?;
///     Ok(released.bytes()?.to_vec())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Tenant {
    vault: Vault,
    namespace: Namespace,
}

impl Vault {
    /// Returns the vault confined to the namespace of this name.
    ///
    /// The store is not asked: a namespace that does not exist refuses every token.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) for a text that is no name of a namespace.
    pub fn tenant(&self, name: impl AsRef<str>) -> Result<Tenant> {
        Ok(Tenant {
            vault: self.clone(),
            namespace: name.as_ref().parse()?,
        })
    }
}

impl Tenant {
    /// The tenant's namespace.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Makes a reference to a key of this tenant from the texts of an environment and of a name or id.
    ///
    /// # Errors
    /// As [`KeyRef::from_parts`].
    pub fn key(&self, environment: impl AsRef<str>, name_or_id: impl AsRef<str>) -> Result<KeyRef> {
        let key = KeyRef::from_parts(environment, name_or_id)?;
        Ok(key.in_namespace(self.namespace.clone()))
    }

    /// Retrieves a key for the holder of one of this tenant's tokens: see [`Vault::retrieve`].
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::Error::Unauthenticated) for a token of another tenant; else as [`Vault::retrieve`].
    pub async fn retrieve(&self, token: &AccessToken, key: &KeyRef, context: &RequestContext) -> Result<Released> {
        let asking = Asking::Token(token.clone(), Some(self.namespace.clone()));
        let inner = &self.vault.inner;
        inner
            .retriever
            .retrieve(Action::KeyRetrieve, &asking, key, context)
            .await
    }

    /// Returns the session of the holder of one of this tenant's tokens: every other verb, within the token's grant.
    ///
    /// Each verb refuses a token of another tenant with [`Error::Unauthenticated`](crate::Error::Unauthenticated).
    #[must_use]
    pub fn as_token(&self, token: &AccessToken) -> Session {
        let mut session = self.vault.as_token(token);
        if let Asking::Token(_, only) = &mut session.asking {
            *only = Some(self.namespace.clone());
        }
        session
    }

    /// Returns the names of the tenant's environments, in order. They are in the clear in the store; nothing is recorded.
    ///
    /// # Errors
    /// [`Error::NotFound`](crate::Error::NotFound) if there is no such namespace,
    /// [`Error::Unavailable`](crate::Error::Unavailable).
    pub async fn environments(&self) -> Result<Vec<EnvironmentName>> {
        let inner = &self.vault.inner;
        inner.records.hold_lease().await?;
        if inner.records.realms_of(&self.namespace).await?.is_empty() {
            return Err(no_namespace(&self.namespace));
        }
        inner.records.environment_names(&self.namespace).await
    }
}
