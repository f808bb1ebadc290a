//! Restoring a backup: checked whole before anything is replaced, and the old store is kept.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_core::audit::{is_written, logs_in};
use ibyok_core::backups::{Backup, BackupInfo, Progress, Settled, changes_since, restore_records};
use ibyok_core::secrecy::ExposeSecret as _;
use ibyok_core::store::{ChangeNumber, FileStore};
use ibyok_core::{
    Error, Kek, LocalKek, Namespace, Result, Secret, Store, Vault, errors::Part, kek::Keyring, status::vault_in,
};

use crate::create::only_here;
use crate::directory;
use crate::given::Given;
use crate::keks::ring_of;
use crate::passphrase::Passphrase;
use crate::settings::{FILE, Settings};

/// The endings of the files that SQLite keeps for one database.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// The file of floors in the directory of the audit logs.
const FLOORS: &str = "floors";

/// A restore: the backup, the caller, and the losses that the caller accepts.
#[derive(Clone, Copy)]
#[expect(clippy::exhaustive_structs, reason = "a caller names every part")]
pub struct Restore<'a> {
    /// The backup.
    pub backup: &'a Backup,
    /// The operator, for the audit log.
    pub actor: &'a str,
    /// True if changes since the backup may be lost.
    pub accept_rollback: bool,
    /// Asks for the passphrase of the KEK.
    pub passphrase: Option<Passphrase<'a>>,
    /// Is told the number of records so far.
    pub progress: Progress<'a>,
}

impl std::fmt::Debug for Restore<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Restore")
            .field("backup", self.backup)
            .field("accept_rollback", &self.accept_rollback)
            .finish_non_exhaustive()
    }
}

/// The result of a restore.
#[derive(Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The contents of the backup.
    pub info: BackupInfo,
    /// The number of records in the store now.
    pub records: u64,
    /// The changes since the backup.
    pub settled: Settled,
    /// The file of the store that was there before.
    pub kept: Option<PathBuf>,
    /// The KEK's file, if the restore wrote it from the backup.
    pub kek_file: Option<PathBuf>,
}

impl Settings {
    /// Restores a backup into the store that the settings name. The whole file is checked before anything is replaced. Everything that was
    /// revoked, disabled or removed since, as far as this place knows, is taken away again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a backup that is damaged, changed, newer or of another vault; [`Error::Conflict`] if a process of this machine has
    /// the vault open; [`Error::Precondition`] if changes since would be lost and that is not accepted; [`Error::Kek`], [`Error::Unavailable`].
    pub async fn restore(&self, restore: Restore<'_>) -> Result<Restored> {
        directory::make(&self.directory)?;
        let _only = only_here(&self.directory)?;
        self.refuse_other_vault(restore.backup).await?;
        self.refuse_moved().await?;
        self.refuse_users().await?;
        self.refuse_users_of_home().await?;
        self.fetch_logs().await?;
        let (keks, kek_bytes) = self.keks_to_restore(restore).await?;
        let info = restore.backup.verify(&keks.all, restore.progress).await?;
        let kek_file = match &kek_bytes {
            Some(bytes) => Some(self.write_kek(restore.backup.vault(), bytes)?),
            None => None,
        };
        let outcome = match self.store {
            None => self.restore_file(restore, info, &keks).await,
            Some(_) => self.restore_server(restore, info, &keks).await,
        };
        let mut restored = outcome.inspect_err(|_| {
            if let Some(made) = &kek_file {
                remove(made).unwrap_or_else(|error| tracing::warn!(%error, "cannot remove the KEK again"));
            }
        })?;
        restored.kek_file = kek_file;
        self.restore_settings(restore.backup)?;
        Ok(restored)
    }

    fn write_kek(&self, vault: &str, bytes: &Secret) -> Result<PathBuf> {
        let place = self.place(vault).of(None);
        let place = self.kek_place(vault).unwrap_or(place);
        if let Some(parent) = place.parent() {
            directory::make(parent)?;
        }
        directory::write_file(&place, bytes.expose_secret())?;
        Ok(place)
    }

    /// A store that does not open is a reason to restore, and no obstacle.
    async fn refuse_other_vault(&self, backup: &Backup) -> Result<()> {
        match self.vault_there().await {
            Ok(Some(there)) => backup.is_of(&there),
            Ok(None) | Err(Error::Integrity { .. }) => Ok(()),
            Err(_) if self.store.is_none() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Refuses a store whose vault was moved to another one: restored here, the vault would be in two stores.
    async fn refuse_moved(&self) -> Result<()> {
        let path = self.store_file();
        if self.store.is_some() || !path.exists() {
            return Ok(());
        }
        let Ok(store) = FileStore::open(&path).await else {
            return Ok(());
        };
        let asked = store.changes(ChangeNumber::new(0)).await;
        store.abandon().await;
        match asked {
            Err(ibyok_core::store::Error::Sealed { why, .. }) => Err(Error::Conflict {
                what: format!("this store takes no restore: {why}"),
            }),
            // A store that does not answer is a reason to restore.
            _ => Ok(()),
        }
    }

    /// Refuses a vault that a process of this machine has open, by its store and by its log: the log may be in another directory.
    async fn refuse_users(&self) -> Result<()> {
        let path = self.store_file();
        if self.store.is_none() && FileStore::is_in_use(&path).await? {
            let what = format!(
                "a running process has `{}` open: stop every server and command of the vault, then restore",
                path.display()
            );
            return Err(Error::Conflict { what });
        }
        if !self.audit.is_dir() {
            return Ok(());
        }
        for log in logs_in(&self.audit)? {
            if is_written(&self.audit, &log)? {
                let what = format!(
                    "a running process has this vault open (audit log `{log}`): stop every server and command of the vault, then restore"
                );
                return Err(Error::Conflict { what });
            }
        }
        Ok(())
    }

    /// The KEKs of the backup's vault; with the bytes of the vault's own, if it is only in the backup.
    async fn keks_to_restore(&self, restore: Restore<'_>) -> Result<(Keks, Option<Secret>)> {
        let backup = restore.backup;
        let slots = self.slots_of(backup.vault(), restore.passphrase).await?;
        if !slots.is_empty() {
            let keks = Keks {
                ring: ring_of(&slots),
                all: slots.into_iter().filter_map(|slot| slot.kek).collect(),
            };
            return Ok((keks, None));
        }
        let Some(bytes) = backup.kek()? else {
            let place = self.kek_place(backup.vault()).unwrap_or_default();
            let source = format!("there is no KEK at `{}`, and none in the backup", place.display());
            return Err(Error::Kek { source: source.into() });
        };
        let kek = LocalKek::from_reader(&mut bytes.expose_secret());
        let kek = kek.map_err(|error| Error::Kek { source: error.into() })?;
        let kek: Arc<dyn Kek> = Arc::new(kek);
        let keks = Keks {
            ring: Keyring::new(Arc::clone(&kek)),
            all: vec![kek],
        };
        Ok((keks, Some(bytes)))
    }

    async fn restore_file(&self, restore: Restore<'_>, info: BackupInfo, keks: &Keks) -> Result<Restored> {
        let path = self.store_file();
        let staged = path.with_file_name("vault.db.restoring");
        remove_store(&staged)?;
        let filled = self.fill(restore, keks, &staged).await;
        let records = match filled {
            Ok(records) => records,
            Err(error) => {
                remove_store(&staged)?;
                return Err(error);
            }
        };
        let kept = set_aside(&path).await?;
        std::fs::rename(&staged, &path).map_err(|error| failed(&path, &error))?;
        sync_directory(&path)?;
        let store = FileStore::open(&path).await?;
        let settled = self.settle(restore, Arc::new(store.clone()), keks).await;
        store.abandon().await;
        match settled {
            Ok(settled) => Ok(Restored {
                info,
                records,
                settled,
                kept,
                kek_file: None,
            }),
            Err(Unsettled::NotBegun(error)) => {
                put_back(&path, kept.as_deref())?;
                Err(error)
            }
            Err(Unsettled::HalfWay(error)) => Err(error),
        }
    }

    /// Fills a new file from the backup, and compares it with what this place knows. Everything is on the disk when it returns.
    async fn fill(&self, restore: Restore<'_>, keks: &Keks, staged: &Path) -> Result<u64> {
        let store = FileStore::open(staged).await?;
        let filled = async {
            let records = restore_records(restore.backup, &store, restore.progress).await?;
            if vault_in(&store).await?.as_deref() != Some(restore.backup.vault()) {
                return Err(Error::invalid("the backup holds no whole vault", "use another backup"));
            }
            let since = changes_since(&store, &keks.all, &Namespace::default(), &self.audit).await?;
            if let Some(since) = since.filter(|_| !restore.accept_rollback) {
                since.refuse_losses()?;
            }
            store.checkpoint_truncate().await?;
            Ok(records)
        }
        .await;
        store.abandon().await;
        filled
    }

    async fn restore_server(&self, restore: Restore<'_>, info: BackupInfo, keks: &Keks) -> Result<Restored> {
        let store = self.open_store().await?;
        if vault_in(store.as_ref()).await?.is_some() {
            return Err(Error::Invalid {
                what: format!("the {} store holds this vault, and a restore replaces no records there", self.store_name()),
                hint: Some(
                    "set `IBYOK_STORE` to an empty schema or prefix (`?schema=NAME`, `?prefix=NAME`) and restore there; the old records stay"
                        .into(),
                ),
            });
        }
        let records = restore_records(restore.backup, store.as_ref(), restore.progress).await?;
        match self.settle(restore, Arc::clone(&store), keks).await {
            Ok(settled) => Ok(Restored {
                info,
                records,
                settled,
                kept: None,
                kek_file: None,
            }),
            Err(Unsettled::NotBegun(error) | Unsettled::HalfWay(error)) => Err(error),
        }
    }

    /// Opens the restored vault, and makes it the newest state.
    async fn settle(&self, restore: Restore<'_>, store: Arc<dyn Store>, keks: &Keks) -> Result<Settled, Unsettled> {
        // A machine whose audit directory is new or lost has no floors, and takes over those of the backup.
        let is_new = !self.audit.join(FLOORS).exists();
        let vault = self
            .open_restored(restore, store, keks)
            .await
            .map_err(Unsettled::NotBegun)?;
        let session = vault.operator(restore.actor);
        let taken = restore.backup.created();
        let mut settled = session.backups().settle(Some(taken), restore.accept_rollback).await;
        if is_new && settled.is_ok() {
            let floors = restore.backup.floors().map_err(Unsettled::HalfWay)?;
            if let Err(error) = session.floors().import(&mut floors.as_slice()).await {
                settled = Err(error);
            }
        }
        let closed = vault.close().await;
        match settled {
            Ok(settled) => closed.map(|()| settled).map_err(Unsettled::HalfWay),
            Err(error @ Error::Precondition { .. }) => Err(Unsettled::NotBegun(error)),
            Err(error) => Err(Unsettled::HalfWay(error)),
        }
    }

    async fn open_restored(&self, restore: Restore<'_>, store: Arc<dyn Store>, keks: &Keks) -> Result<Vault> {
        let sink = self.open_log_of(&store, &keks.ring).await?;
        let builder = self.plain_builder(store, keks.ring.clone(), sink, restore.actor)?;
        builder.restored().open().await
    }

    /// Writes the settings of the backup if there are none, and if they name this kind of store.
    fn restore_settings(&self, backup: &Backup) -> Result<()> {
        let path = self.directory.join(FILE);
        let Some(text) = backup.settings()?.filter(|_| !path.exists()) else {
            return Ok(());
        };
        directory::write_file(&path, text.expose_secret())?;
        let fits = Given::from_file(&path).is_ok_and(|given| {
            let store = given.store.filter(|store| store != "file");
            let kek_file = given.kek_file.is_none_or(|file| Path::new(&file).exists());
            store.is_none() == self.store.is_none() && kek_file
        });
        if !fits {
            // It was right on the machine of the backup, and would lead astray here.
            std::fs::remove_file(&path).map_err(|error| failed(&path, &error))?;
        }
        Ok(())
    }
}

/// The KEKs of the vault that is restored.
struct Keks {
    ring: Keyring,
    /// All of them, for a look at records of every environment.
    all: Vec<Arc<dyn Kek>>,
}

/// The reason why a restored store is not the newest state of the vault.
enum Unsettled {
    /// Nothing was accepted: the old store can take its place again.
    NotBegun(Error),
    /// The same command does the rest.
    HalfWay(Error),
}

/// Gives the present store a second name, so that it stays when another takes its place; `None` if there is none.
async fn set_aside(path: &Path) -> Result<Option<PathBuf>> {
    let time = ibyok_core::jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    if !path.exists() {
        // A write-ahead log without its file: SQLite would replay it into the file that takes the place.
        move_store_log(path, &free(path, &time)?)?;
        return Ok(None);
    }
    // Everything into the main file. A store that does not open keeps its other files.
    if let Ok(old) = FileStore::open(path).await {
        old.checkpoint_truncate().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the old store keeps its write-ahead log");
        });
        old.abandon().await;
    }
    let kept = free(path, &time)?;
    // Until the rename the store has both names, so that no crash leaves the vault without one.
    std::fs::hard_link(path, &kept)
        .or_else(|_| std::fs::copy(path, &kept).map(drop))
        .map_err(|error| failed(&kept, &error))?;
    move_store_log(path, &kept)?;
    Ok(Some(kept))
}

/// Returns a name for the store that is set aside, which nothing has: two restores may begin in one second.
fn free(path: &Path, time: &str) -> Result<PathBuf> {
    let first = format!("vault.db.before-restore-{time}");
    let others = (2..1000).map(|number| format!("{first}-{number}"));
    let is_free = |kept: &PathBuf| {
        ENDINGS
            .iter()
            .all(|end| std::fs::symlink_metadata(with(kept, end)).is_err())
    };
    std::iter::once(first.clone())
        .chain(others)
        .map(|name| path.with_file_name(name))
        .find(is_free)
        .ok_or_else(|| failed(path, &io::Error::from(io::ErrorKind::AlreadyExists)))
}

fn move_store_log(path: &Path, kept: &Path) -> Result<()> {
    for ending in ["-wal", "-shm"] {
        let (from, to) = (with(path, ending), with(kept, ending));
        match std::fs::rename(&from, &to) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&from, &error)),
            _ => {}
        }
    }
    Ok(())
}

/// Puts the old store back, or removes the restored one where there was none.
fn put_back(path: &Path, kept: Option<&Path>) -> Result<()> {
    remove_store_log(path)?;
    match kept {
        Some(kept) => {
            for ending in ENDINGS {
                match std::fs::rename(with(kept, ending), with(path, ending)) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(path, &error)),
                    _ => {}
                }
            }
        }
        None => remove_store(path)?,
    }
    sync_directory(path)
}

fn remove_store(path: &Path) -> Result<()> {
    ENDINGS.iter().try_for_each(|ending| remove(&with(path, ending)))
}

/// Removes the write-ahead log of a store that is closed: SQLite would replay it into the file that takes the place.
fn remove_store_log(path: &Path) -> Result<()> {
    remove(&with(path, "-wal"))?;
    remove(&with(path, "-shm"))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path, &error)),
        _ => Ok(()),
    }
}

fn with(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    let synced = std::fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|error| failed(directory, &error))
}

fn failed(path: &Path, error: &io::Error) -> Error {
    Error::unavailable(Part::Backup, format!("`{}`: {error}", path.display()))
}
