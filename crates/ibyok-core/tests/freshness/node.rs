//! A vault in files, whose store and floors can be copied, harmed and put back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_core::{
    AccessToken, Code, Environments, FileSink, FileStore, Grant, KeyRef, LocalKek, RequestContext, Scope, Secret,
    Session, TokenRequest, Vault, audit::SinkDurability, keys::KeyEdit,
};

pub(crate) struct Node {
    pub(crate) scratch: tempfile::TempDir,
    /// The directory of logs, of which a second node has another.
    pub(crate) audit: PathBuf,
    token: String,
}

pub(crate) fn key() -> KeyRef {
    "prod/openai".parse().unwrap()
}

impl Node {
    /// A vault with two versions of a key, a limited key, a mode, a limit, and a token that reads.
    pub(crate) async fn new() -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let kek = LocalKek::create_file(&scratch.path().join("kek")).unwrap();
        let audit = scratch.path().join("audit");
        let vault = Vault::builder()
            .store(FileStore::open(scratch.path().join("vault.db")).await.unwrap())
            .kek(kek)
            .audit(sink(&audit).await)
            .create()
            .await
            .unwrap();
        let operator = vault.operator("test");
        for value in ["one", "two"] {
            operator.keys().set(&key(), secret(value)).await.unwrap();
        }
        let mut edit = KeyEdit::default();
        edit.limit = Some(Some("60/min".parse().unwrap()));
        operator.keys().edit(&key(), &edit).await.unwrap();
        operator
            .limits()
            .set(&"prod".parse().unwrap(), Some("600/min".parse().unwrap()))
            .await
            .unwrap();
        let grant = Grant::new([Scope::KeysRead].into(), Environments::named(["prod"]));
        let issued = operator
            .tokens()
            .issue(TokenRequest::new("worker", grant))
            .await
            .unwrap();
        let node = Node {
            token: issued.token.expose().to_owned(),
            scratch,
            audit,
        };
        node.close(vault).await;
        node
    }

    pub(crate) fn from_parts(scratch: tempfile::TempDir, token: AccessToken) -> Self {
        Node {
            audit: scratch.path().join("audit"),
            token: token.expose().to_owned(),
            scratch,
        }
    }

    /// Opens the vault, and rebuilds its floors from the files that are there.
    pub(crate) async fn open_rebuilding(&self) -> Vault {
        let builder = Vault::builder()
            .store(FileStore::open(self.store()).await.unwrap())
            .kek(LocalKek::from_file(&self.scratch.path().join("kek")).unwrap())
            .audit(sink(&self.audit).await);
        builder.rebuild_floors().open().await.unwrap()
    }

    pub(crate) async fn try_open(&self) -> ibyok_core::Result<Vault> {
        Vault::builder()
            .store(FileStore::open(self.store()).await.unwrap())
            .kek(LocalKek::from_file(&self.scratch.path().join("kek")).unwrap())
            .audit(sink(&self.audit).await)
            .open()
            .await
    }

    pub(crate) async fn open(&self) -> Vault {
        self.try_open().await.unwrap()
    }

    /// Opens the vault, does something as its operator, and closes it.
    pub(crate) async fn with<T>(&self, act: impl AsyncFnOnce(&Session) -> T) -> T {
        let vault = self.open().await;
        let done = act(&vault.operator("test")).await;
        self.close(vault).await;
        done
    }

    /// Closes a vault, and waits until its store is closed as well: its last connection goes a moment later.
    pub(crate) async fn close(&self, vault: Vault) {
        vault.close().await.unwrap();
        drop(vault);
        for _ in 0..400 {
            if !beside(&self.store(), "-wal").exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.scratch.path().join("vault.db")
    }

    pub(crate) fn floors(&self) -> PathBuf {
        self.audit.join("floors")
    }

    /// Copies the store as it is now, with the content of its `-wal` file. No process writes to it.
    pub(crate) fn copy_store(&self) -> Copy {
        copy(&self.store())
    }

    /// Puts an older store back.
    pub(crate) fn put_store_back(&self, copy: &Copy) {
        put_copy(&self.store(), copy);
    }

    pub(crate) fn token(&self) -> AccessToken {
        AccessToken::from(self.token.as_str())
    }

    /// The value that the token reads.
    pub(crate) async fn reads(&self, vault: &Vault) -> Result<String, Code> {
        let nowhere = RequestContext::default();
        let released = vault.retrieve(&self.token(), &key(), &nowhere).await;
        released
            .map(|released| released.text().unwrap().to_owned())
            .map_err(|error| error.code())
    }

    pub(crate) async fn value(&self, vault: &Vault) -> Result<String, Code> {
        let released = vault.operator("test").retrieve(&key()).await;
        released
            .map(|released| released.text().unwrap().to_owned())
            .map_err(|error| error.code())
    }
}

async fn sink(audit: &Path) -> FileSink {
    // The slot of a vault that was just closed is free a moment later.
    tokio::time::sleep(Duration::from_millis(5)).await;
    FileSink::builder(audit)
        .durability(SinkDurability::Written)
        .open()
        .await
        .unwrap()
}

pub(crate) fn secret(value: &str) -> Secret {
    Secret::copy_of(value.as_bytes())
}

/// The bytes of an SQLite file, and of its `-wal` file if there is one.
pub(crate) type Copy = (Vec<u8>, Option<Vec<u8>>);

pub(crate) fn copy(path: &Path) -> Copy {
    (std::fs::read(path).unwrap(), std::fs::read(beside(path, "-wal")).ok())
}

pub(crate) fn put_copy(path: &Path, (main, wal): &Copy) {
    put(path, main);
    if let Some(wal) = wal {
        std::fs::write(beside(path, "-wal"), wal).unwrap();
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Puts a file in place, without the files that SQLite keeps with it.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    remove(path);
    std::fs::write(path, bytes).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

pub(crate) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        std::fs::remove_file(beside(path, suffix)).ok();
    }
}
