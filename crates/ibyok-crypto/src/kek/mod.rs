//! Key-encryption keys: what wraps environment keys.

mod keyring;
mod local;
mod passphrase;
mod passphrase_cost;

use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::str::FromStr;

use async_trait::async_trait;

pub use self::keyring::Keyring;
pub use self::local::LocalKek;
pub use self::passphrase::PassphraseKek;
pub use self::passphrase_cost::PassphraseCost;
use crate::format::Purpose;
use crate::place::{Place, WHOLE};
use crate::realm::ENVIRONMENT_KEY_RECORD;
use crate::seal::{self, Slot};
use crate::{EnvironmentKey, Error, RealmTag, VaultId, base62};

/// A key-encryption key: wraps environment keys and unwraps them.
///
/// # Contract
/// - What `wrap` gave under a context, `unwrap` opens under an equal one, for as long as the KEK exists and after any restart.
/// - Under another context, or with any byte changed or missing, `unwrap` refuses. It never gives a key that was not wrapped.
/// - The wrapped bytes tell nothing about the key.
/// - The [`KekId`] in a wrapped key is one that this KEK, and no other, accepts (for a passphrase: that only the right one opens).
/// - `unwrap` of a key that names a KEK which this one does not accept refuses without using the key material or calling anybody.
///
/// # Errors
/// [`Error::Open`] for bytes that do not open, [`Error::UnknownKek`] for another's, [`Error::KekDenied`] for a refusal that will stay, and
/// [`Error::KekUnavailable`] for a failure that may pass. No message holds key bytes.
///
/// # Cancellation
/// Dropping the future gives up the call and nothing else.
///
/// # Writing your own
/// Bind the whole of [`KekContext::encryption_context`]. Read the key's bytes with `secrecy::ExposeSecret`, and hand them back through
/// [`EnvironmentKey::init_with_mut`]. Then run the suite of the feature `conformance` over it.
#[async_trait]
pub trait Kek: Debug + Send + Sync {
    /// Wraps a key for a context.
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error>;

    /// Opens what `wrap` gave under an equal context.
    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error>;

    /// What it is, for people. Never a secret, and never a call.
    fn describe(&self) -> KekDescription;

    /// Whether a wrapped key of this id is for this KEK to unwrap. Never a call.
    fn accepts(&self, id: &KekId) -> bool;
}

/// What a wrapped environment key is bound to: nothing that a rewrap changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KekContext {
    vault: VaultId,
    namespace: String,
    environment: Option<String>,
}

impl KekContext {
    /// The context of a realm; `environment` is `None` for the one that spans environments.
    #[must_use]
    pub fn new(vault: VaultId, namespace: &str, environment: Option<&str>) -> Self {
        Self {
            vault,
            namespace: namespace.to_owned(),
            environment: environment.map(str::to_owned),
        }
    }

    /// The vault.
    #[must_use]
    pub const fn vault(&self) -> VaultId {
        self.vault
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The environment, if it is one.
    #[must_use]
    pub fn environment(&self) -> Option<&str> {
        self.environment.as_deref()
    }

    /// The pairs that a KMS binds: `vault`, `namespace`, and `environment` or `realm=whole`.
    #[must_use]
    pub fn encryption_context(&self) -> BTreeMap<String, String> {
        let realm = self
            .environment
            .as_ref()
            .map_or(("realm", WHOLE), |name| ("environment", name));
        let vault = self.vault.to_string();
        [("vault", vault.as_str()), ("namespace", &self.namespace), realm]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    }

    /// Where a KEK of ours wraps for this context: the record id is the KEK's own id.
    fn place(&self, kek: [u8; 16]) -> Place<'_> {
        let environment = self.environment().unwrap_or(WHOLE);
        Place::new(
            self.vault,
            RealmTag::NONE,
            ENVIRONMENT_KEY_RECORD,
            kek,
            &self.namespace,
            environment,
        )
    }
}

/// Which KEK: its kind, a colon, and which of that kind: `local:…`, `passphrase:…`, `aws-kms:arn:…`. Public.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KekId(String);

impl KekId {
    /// The most bytes of an id.
    pub const LIMIT: usize = 1024;

    /// The id of a kind and a name within it.
    ///
    /// # Errors
    /// [`Error::InvalidName`] unless it is visible ASCII, at most [`KekId::LIMIT`] bytes, with a kind and a name.
    pub fn new(kind: &str, name: &str) -> Result<Self, Error> {
        format!("{kind}:{name}").parse()
    }

    fn of_bytes(kind: &str, id: [u8; 16]) -> Self {
        Self(format!("{kind}:{}", base62::print(id)))
    }

    /// What stands before the first colon.
    #[must_use]
    pub fn kind(&self) -> &str {
        self.0.split_once(':').map_or("", |(kind, _)| kind)
    }

    /// What stands after it.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or("", |(_, name)| name)
    }

    /// The whole.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KekId {
    type Err = Error;

    /// Reads what `Display` prints.
    fn from_str(text: &str) -> Result<Self, Error> {
        let formed = text
            .split_once(':')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if formed && text.len() <= Self::LIMIT && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::InvalidName { what: "KEK id" })
        }
    }
}

impl fmt::Display for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for KekId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KekId({})", self.0)
    }
}

/// An environment key as a KEK wrapped it, and which KEK that was.
#[derive(Clone, PartialEq, Eq)]
pub struct WrappedKey {
    kek: KekId,
    bytes: Vec<u8>,
}

impl WrappedKey {
    /// The most bytes that a KEK may make of a key; AWS KMS makes some 200.
    pub const LIMIT: usize = 8 * 1024;

    /// These bytes, wrapped by that KEK.
    #[must_use]
    pub const fn new(kek: KekId, bytes: Vec<u8>) -> Self {
        Self { kek, bytes }
    }

    /// The KEK that it names.
    #[must_use]
    pub const fn kek(&self) -> &KekId {
        &self.kek
    }

    /// The wrapped bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Debug for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WrappedKey({}, {} bytes)", self.kek, self.bytes.len())
    }
}

/// What a KEK is, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KekDescription {
    kind: String,
    id: Option<KekId>,
}

impl KekDescription {
    /// A kind, and the id where it is known without a call.
    #[must_use]
    pub fn new(kind: &str, id: Option<KekId>) -> Self {
        Self {
            kind: kind.to_owned(),
            id,
        }
    }

    /// `local`, `passphrase`, `aws-kms`, …
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The id under which it wraps; `None` for a passphrase that was not used yet.
    #[must_use]
    pub const fn id(&self) -> Option<&KekId> {
        self.id.as_ref()
    }
}

impl fmt::Display for KekDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_ref().map_or(self.kind.as_str(), KekId::as_str))
    }
}

/// Wraps under 32 bytes of ours, by the one construction.
fn wrap_under(kek: &[u8; 32], id: [u8; 16], key: &EnvironmentKey, context: &KekContext) -> Result<Vec<u8>, Error> {
    use secrecy::ExposeSecret;
    let place = context.place(id);
    seal::seal(kek, &Slot::new(Purpose::EnvironmentKey, 0, &place), key.expose_secret())
}

fn unwrap_under(kek: &[u8; 32], id: [u8; 16], wrapped: &[u8], context: &KekContext) -> Result<EnvironmentKey, Error> {
    use secrecy::ExposeSecret;
    let place = context.place(id);
    let opened = seal::open(kek, &Slot::new(Purpose::EnvironmentKey, 0, &place), wrapped)?;
    let bytes: &[u8; 32] = opened.expose_secret().try_into().map_err(|_| Error::Open)?;
    Ok(EnvironmentKey::init_with_mut(|key| key.copy_from_slice(bytes)))
}

#[cfg(test)]
mod tests;
