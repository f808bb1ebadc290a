//! The KEKs of a vault that is being put together.

use std::sync::Arc;

use ibyok_crypto::{Kek, Keyring};

use crate::model::name::EnvironmentName;
use crate::opening::builder::VaultBuilder;
use crate::records::keks::KekSource;

/// The KEKs of a builder before any is given.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct NoKeks;

impl From<NoKeks> for Keyring {
    fn from(_: NoKeks) -> Self {
        Keyring::default()
    }
}

impl<S, K: Into<Keyring>, L> VaultBuilder<S, K, L> {
    /// Sets the KEK that wraps the keys of every environment that has none of its own ([`VaultBuilder::kek_for`]), and of the
    /// realm that spans environments.
    pub fn kek(self, kek: impl Kek + 'static) -> VaultBuilder<S, Keyring, L> {
        self.shared_kek(Arc::new(kek))
    }

    /// Sets the KEK as [`VaultBuilder::kek`] does, for one that others hold as well.
    pub fn shared_kek(self, kek: Arc<dyn Kek>) -> VaultBuilder<S, Keyring, L> {
        self.on_ring(|ring| ring.with_first(kek))
    }

    /// Gives an environment a KEK of its own, in every namespace. No other KEK opens the environment then, and this one opens no
    /// other environment. A node that has only this KEK serves this environment alone, and needs its own audit log.
    ///
    /// ```
    /// # use ibyok_core::{FileSink, LocalKek, MemoryStore, Vault};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let place = tempfile::tempdir()?;
    /// let vault = Vault::builder()
    ///     .store(MemoryStore::new())
    ///     .kek(LocalKek::generate()?)
    ///     .kek_for("prod".parse()?, LocalKek::generate()?)
    ///     .audit(FileSink::open(place.path().join("audit")).await?)
    ///     .create()
    ///     .await?;
    /// let status = vault.status().await?;
    /// assert_ne!(status.environments["dev"], status.environments["prod"]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn kek_for(self, environment: EnvironmentName, kek: impl Kek + 'static) -> VaultBuilder<S, Keyring, L> {
        self.on_ring(|ring| ring.with_kek_for(environment.as_str(), Arc::new(kek)))
    }

    /// Sets all KEKs at once, for a caller that put them together.
    pub fn keyring(self, keyring: Keyring) -> VaultBuilder<S, Keyring, L> {
        self.on_ring(|_| keyring)
    }

    fn on_ring(self, change: impl FnOnce(Keyring) -> Keyring) -> VaultBuilder<S, Keyring, L> {
        VaultBuilder {
            store: self.store,
            keks: change(self.keks.into()),
            audit: self.audit,
            options: self.options,
        }
    }
}

impl<S, L> VaultBuilder<S, Keyring, L> {
    /// Adds a KEK that unwraps the keys that it wrapped, and wraps no new ones. It opens no environment that has KEKs of its own.
    pub fn also_kek(mut self, kek: impl Kek + 'static) -> Self {
        self.keks = self.keks.with(Arc::new(kek));
        self
    }

    /// Adds a KEK that unwraps the keys of an environment, next to the environment's own KEK.
    pub fn also_kek_for(mut self, environment: EnvironmentName, kek: impl Kek + 'static) -> Self {
        self.keks = self.keks.with_kek_for(environment.as_str(), Arc::new(kek));
        self
    }
}

impl<S, K, L> VaultBuilder<S, K, L> {
    /// Sets the source of the KEKs while the vault is open, so that a program follows a change of the KEK without a restart.
    pub fn kek_source(mut self, source: impl KekSource + 'static) -> Self {
        self.options.kek_source = Some(Arc::new(source));
        self
    }
}
