//! Nodes on a store: each a vault of its own with its own log, as servers have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ibyok_benches::Result;
use ibyok_core::{
    AccessToken, Environments, FileSink, Grant, Kek, KeyRef, RequestContext, Scope, Scopes, Secret, Store,
    TokenRequest, Vault, VaultBuilder, audit::SinkDurability, kek::Keyring,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A builder that lacks nothing.
pub(crate) type Builder = VaultBuilder<Arc<dyn Store>, Keyring, FileSink>;

/// The store, the KEK and the log directory of nodes.
pub(crate) struct Place {
    url: String,
    kek: Arc<dyn Kek>,
    logs: TempDir,
    nodes: AtomicUsize,
}

impl Place {
    pub(crate) fn new(url: String, kek: Arc<dyn Kek>) -> Result<Self> {
        Ok(Place {
            url,
            kek,
            logs: TempDir::with_prefix("ibyok-bench-")?,
            nodes: AtomicUsize::new(0),
        })
    }

    /// Returns the next node's builder. Its log is written and not synced, so that the benchmark does not measure the
    /// disk.
    pub(crate) async fn builder(&self) -> Result<Builder> {
        let number = self.nodes.fetch_add(1, Ordering::Relaxed);
        let log = FileSink::builder(self.logs.path().join(number.to_string())).durability(SinkDurability::Written);
        let store = ibyok_storage::open(&self.url).await?;
        Ok(Vault::builder()
            .shared_store(store)
            .shared_kek(Arc::clone(&self.kek))
            .audit(log.open().await?))
    }
}

/// A node, and who asks it for which keys.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) vault: Vault,
    pub(crate) asker: Arc<Asker>,
}

/// The holder of a token.
pub(crate) struct Asker {
    token: AccessToken,
    keys: Vec<KeyRef>,
}

impl Asker {
    /// Makes keys in these environments, and a token for all of them.
    pub(crate) async fn new(vault: &Vault, environments: &[&str], keys: usize) -> Result<Arc<Self>> {
        let names = (0..keys).flat_map(|number| environments.iter().map(move |name| format!("{name}/key-{number}")));
        let keys: Vec<KeyRef> = names.map(|name| name.parse()).collect::<ibyok_core::Result<_>>()?;
        let mut writing = JoinSet::new();
        for key in keys.clone() {
            let operator = vault.operator("bench");
            let value = Secret::init_with_mut(64, |value| value.fill(b'k'));
            writing.spawn(async move { operator.keys().set(&key, value).await });
        }
        for written in writing.join_all().await {
            written?;
        }
        let grant = Grant::new(
            Scopes::from([Scope::KeysRead]),
            Environments::named(environments.to_vec()),
        );
        let request = TokenRequest::new("worker", grant);
        let token = vault.operator("bench").tokens().issue(request).await?.token;
        Ok(Arc::new(Asker { token, keys }))
    }
}

impl Node {
    /// Retrieves a key; numbers that follow each other meet every key.
    pub(crate) async fn retrieve(&self, number: usize) -> Result<usize> {
        let keys = &self.asker.keys;
        let key = keys.get(number % keys.len().max(1)).ok_or("there are no keys")?;
        let context = RequestContext::default();
        let released = self.vault.retrieve(&self.asker.token, key, &context).await?;
        Ok(released.bytes()?.len())
    }
}
