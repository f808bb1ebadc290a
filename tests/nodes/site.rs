//! Nodes on a store, and the calls to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ibyok_core::{
    AccessToken, Code, Environments, Error, FileSink, Grant, Kek, KeyRef, LocalKek, RequestContext, Result, Scope,
    Scopes, Secret, Session, Store, TokenRequest, Vault, VaultBuilder, kek::Keyring,
};
use tempfile::TempDir;

/// The name of the operator.
const OPERATOR: &str = "os:test@nodes";

/// The KEK and the log directories of nodes.
pub struct Site {
    scratch: TempDir,
    kek: Arc<dyn Kek>,
    nodes: AtomicU32,
}

/// One server's vault.
#[derive(Clone)]
pub struct Node {
    pub vault: Vault,
    /// The directory of the node's own log.
    pub log: PathBuf,
}

/// A builder that lacks nothing.
pub type Builder = VaultBuilder<Arc<dyn Store>, Keyring, FileSink>;

impl Site {
    /// With a local KEK.
    pub fn new() -> Self {
        Self::with(Arc::new(LocalKek::generate().expect("a KEK")))
    }

    /// With this KEK.
    pub fn with(kek: Arc<dyn Kek>) -> Self {
        Site {
            scratch: TempDir::new().expect("a temporary directory"),
            kek,
            nodes: AtomicU32::new(0),
        }
    }

    /// The next node's builder on the store that a URL names, and the place of its log.
    pub async fn builder(&self, url: &str) -> Result<(Builder, PathBuf)> {
        self.builder_with(url, Arc::clone(&self.kek)).await
    }

    /// The same with another KEK.
    pub async fn builder_with(&self, url: &str, kek: Arc<dyn Kek>) -> Result<(Builder, PathBuf)> {
        let number = self.nodes.fetch_add(1, Ordering::Relaxed);
        let log = self.scratch.path().join(format!("node-{number}"));
        Ok((self.builder_at(url, kek, &log).await?, log))
    }

    async fn builder_at(&self, url: &str, kek: Arc<dyn Kek>, log: &Path) -> Result<Builder> {
        let sink = FileSink::builder(log).open().await?;
        let store = ibyok_storage::open(url).await?;
        let builder = Vault::builder().shared_store(store).shared_kek(kek).audit(sink);
        Ok(builder.opened_by(OPERATOR))
    }

    /// Makes the vault.
    pub async fn create(&self, url: &str) -> Node {
        let (builder, log) = self.builder(url).await.expect("a store");
        let vault = builder.create().await.expect("a vault");
        Node { vault, log }
    }

    /// Opens it on one more node.
    pub async fn open(&self, url: &str) -> Result<Node> {
        let (builder, log) = self.builder(url).await?;
        let vault = builder.open().await?;
        Ok(Node { vault, log })
    }

    /// Opens a node whose log is beside another's, in the same place; in its stead, once that one is closed.
    pub async fn open_beside(&self, url: &str, node: &Node) -> Result<Node> {
        let builder = self.builder_at(url, Arc::clone(&self.kek), &node.log).await?;
        let (vault, log) = (builder.open().await?, node.log.clone());
        Ok(Node { vault, log })
    }

    /// The same on a node that keeps no record in memory, and asks the store each time.
    pub async fn open_without_cache(&self, url: &str) -> Result<Node> {
        let (builder, log) = self.builder(url).await?;
        let vault = builder.cache_bytes(0).open().await?;
        Ok(Node { vault, log })
    }
}

impl Node {
    pub fn operator(&self) -> Session {
        self.vault.operator(OPERATOR)
    }

    /// Stores a value.
    pub async fn set(&self, reference: &str, value: &str) -> Result<u32> {
        let written = self.operator().keys().set(&key(reference), secret(value)).await?;
        Ok(written.version)
    }

    /// The value that a token gets.
    pub async fn get(&self, token: &AccessToken, reference: &str) -> Result<String> {
        let context = RequestContext::default();
        let released = self.vault.retrieve(token, &key(reference), &context).await?;
        Ok(released.text()?.to_owned())
    }

    /// A new token that reads an environment.
    pub async fn token(&self, name: &str, environment: &str) -> AccessToken {
        let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList]);
        let grant = Grant::new(scopes, Environments::named([environment]));
        let issued = self.operator().tokens().issue(TokenRequest::new(name, grant)).await;
        issued.expect("a token").token
    }

    /// Verifies the node's log, and returns the number of retrievals that it shows as allowed.
    pub async fn allowed(&self) -> usize {
        let report = self.operator().audit().verify(&[]).await.expect("a report");
        assert!(report.ok, "{report:?}");
        let lines = ibyok_tests::audit_lines(&self.log);
        let allowed = lines
            .iter()
            .filter(|line| line.text("action") == "key.retrieve" && line.text("outcome") == "allowed");
        allowed.count()
    }

    pub async fn revoke(&self, name: &str) -> Result<()> {
        self.operator()
            .tokens()
            .revoke(name, ibyok_core::tokens::Descendants::Revoke)
            .await
            .map(|_| ())
    }

    /// Asks until the value is served again, and gives how long that took.
    ///
    /// # Panics
    /// If it is not within `patience`.
    pub async fn serves_again(&self, token: &AccessToken, reference: &str, patience: Duration) -> Duration {
        let begun = Instant::now();
        loop {
            match self.get(token, reference).await {
                Ok(_) => return begun.elapsed(),
                Err(error) => {
                    assert!(
                        begun.elapsed() < patience,
                        "not served after {patience:?}: {}",
                        said(&error)
                    );
                }
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub fn key(reference: &str) -> KeyRef {
    reference.parse().expect("a reference")
}

pub fn secret(text: &str) -> Secret {
    Secret::copy_of(text.as_bytes())
}

/// An error with all that lies under it.
pub fn said(error: &Error) -> String {
    let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Returns the code of an outcome that is an error.
pub fn code<T>(outcome: &Result<T>) -> Option<Code> {
    outcome.as_ref().err().map(Error::code)
}

/// Fails unless it was refused for want of a part, saying which.
#[track_caller]
pub fn unavailable<T>(outcome: Result<T>) -> String {
    match outcome {
        Ok(_) => panic!("it was done"),
        Err(error) => {
            let said = said(&error);
            assert!(matches!(error.code(), Code::Unavailable | Code::Kek), "{said}");
            // A KEK that refuses is not there again in a second.
            let refuses = matches!(error, Error::Kek { .. });
            let wait = error.retry_after().expect("when to try again");
            assert_eq!(wait > Duration::from_secs(10), refuses, "{said}");
            said
        }
    }
}
