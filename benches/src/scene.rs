//! A vault with as many keys as are asked for, and a token that may read them.

use std::error::Error;

use ibyok_core::{
    AccessToken, Environments, FileSink, FileStore, Grant, KeyRef, LocalKek, MemoryStore, RequestContext, Scope,
    Scopes, Secret, TokenRequest, Vault,
    audit::SinkDurability,
    clock::{Clock, SystemClock},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// A benchmark that cannot be set up ends.
pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The number of keys written at a time.
const WRITERS: usize = 64;

/// The backing of the sealed records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backing {
    /// In memory.
    Memory,
    /// In a file, in a directory of its own.
    File,
}

impl Backing {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Backing::Memory => "memory",
            Backing::File => "file",
        }
    }
}

/// A vault with keys in `prod`, and a token for them. Its directory goes when it is dropped.
#[derive(Debug)]
pub struct Scene {
    /// The vault.
    pub vault: Vault,
    /// May read every key of `prod`.
    pub token: AccessToken,
    /// Every key of the vault.
    pub keys: Vec<KeyRef>,
    /// The context that a server would give of a request: an address, a request id, and a user agent.
    pub context: RequestContext,
    _directory: TempDir,
}

impl Scene {
    /// A new vault with `keys` keys of `bytes` bytes each.
    ///
    /// # Errors
    /// The errors of the vault, its store or its log.
    pub async fn new(backing: Backing, durability: SinkDurability, keys: usize, bytes: usize) -> Result<Self> {
        Self::with_clock(backing, durability, (keys, bytes), SystemClock::default()).await
    }

    /// As [`Scene::new`], with a clock of the caller's: a profiler may not know how the machine's is read.
    ///
    /// # Errors
    /// As [`Scene::new`].
    pub async fn with_clock(
        backing: Backing,
        durability: SinkDurability,
        (keys, bytes): (usize, usize),
        clock: impl Clock + 'static,
    ) -> Result<Self> {
        let directory = TempDir::with_prefix("ibyok-bench-")?;
        let place = directory.path();
        let sink = FileSink::builder(place.join("audit")).durability(durability);
        let builder = Vault::builder()
            .clock(clock)
            .kek(LocalKek::generate()?)
            .audit(sink.open().await?);
        let vault = match backing {
            Backing::Memory => builder.store(MemoryStore::new()).create().await?,
            Backing::File => {
                builder
                    .store(FileStore::open(place.join("vault.db")).await?)
                    .create()
                    .await?
            }
        };
        let keys = fill(&vault, keys, bytes).await?;
        let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
        let token = vault
            .operator("bench")
            .tokens()
            .issue(TokenRequest::new("worker", grant))
            .await?
            .token;
        let context = RequestContext::default()
            .from_address([127, 0, 0, 1].into())
            .user_agent("ibyok-bench")
            .request_id("b7f3c1de-5a0e-4b8e-9a51-2f6c0d6c7e11");
        Ok(Scene {
            vault,
            token,
            keys,
            context,
            _directory: directory,
        })
    }

    /// Retrieves the key of a number, counted around.
    ///
    /// # Errors
    /// The errors of the vault.
    pub async fn retrieve(&self, number: usize) -> Result<usize> {
        let key = self
            .keys
            .get(number % self.keys.len().max(1))
            .ok_or("a scene without keys")?;
        let released = self.vault.retrieve(&self.token, key, &self.context).await?;
        Ok(released.bytes()?.len())
    }
}

async fn fill(vault: &Vault, count: usize, bytes: usize) -> Result<Vec<KeyRef>> {
    let mut keys: Vec<KeyRef> = Vec::with_capacity(count);
    let mut writing = JoinSet::new();
    for number in 0..count {
        let key: KeyRef = format!("prod/key-{number:07}").parse()?;
        keys.push(key.clone());
        let operator = vault.operator("bench");
        let value = Secret::init_with_mut(bytes, |value| value.fill(b'k'));
        writing.spawn(async move { operator.keys().set(&key, value).await });
        if writing.len() >= WRITERS
            && let Some(written) = writing.join_next().await
        {
            written??;
        }
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    Ok(keys)
}
