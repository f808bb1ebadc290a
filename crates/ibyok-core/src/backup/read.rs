//! Checking a backup, and reading its contents.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use ibyok_crypto::{Kek, Keyring, Secret, VaultId};
use ibyok_storage::{Expect, MemoryStore, RecordId, Revision, Store, Stored};
use jiff::Timestamp;

use super::frames::{Frame, FrameReader, damaged, unread};
use super::manifest::{BackupInfo, Head, has_mac};
use super::sweep::{Swept, Take};
use crate::base::error::{Error, Part, Result};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::{RealmName, read_realm};

/// The name of the file of settings in a backup.
pub(crate) const SETTINGS: &str = "vault.toml";

/// The name of the KEK's file in a backup.
pub(crate) const KEK: &str = "kek";

/// The bytes that are read at a time.
const BUFFER: usize = 1 << 18;

/// The records that are handed out at a time.
const PART: usize = 500;

/// The bytes of records that are handed out at a time.
const PART_BYTES: usize = 4 << 20;

/// A backup in a file. Its contents are believed only after [`Backup::verify`].
#[derive(Clone, Debug)]
pub struct Backup {
    path: PathBuf,
    head: Head,
}

/// A function that is told the number of records so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Send + Sync);

impl Backup {
    /// Opens a backup, and reads its beginning.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no file; [`Error::Invalid`] for a file that is no backup, or has a newer format;
    /// [`Error::Unavailable`] if it cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        let Frame::Head(head) = reader(path)?.next()? else {
            return Err(damaged("its beginning is missing"));
        };
        let head = serde_json::from_slice(&head).map_err(|_| damaged("its beginning does not parse"))?;
        Ok(Backup {
            path: path.to_owned(),
            head,
        })
    }

    /// The id of the vault that the backup is of, as the file says.
    #[must_use]
    pub fn vault(&self) -> &str {
        &self.head.vault
    }

    /// The time at which the backup was begun, as the file says.
    #[must_use]
    pub fn created(&self) -> Timestamp {
        self.head.created
    }

    /// Refuses a backup of another vault than this one.
    ///
    /// # Errors
    /// [`Error::Invalid`], naming both.
    pub fn is_of(&self, vault: &str) -> Result<()> {
        if self.vault() == vault {
            return Ok(());
        }
        let what = format!("the backup is of another vault: `{}`, and not `{vault}`", self.vault());
        Err(Error::invalid(
            what,
            "give a backup of this vault, or another `--vault`",
        ))
    }

    /// Reads the whole file and checks that it is as it was written: by its digest, and by the MAC of the vault, which takes one of its KEKs.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that is truncated, damaged or was changed; [`Error::Kek`] if the KEK does not open the vault;
    /// [`Error::Unavailable`] if the file cannot be read.
    pub async fn verify(&self, keks: &[Arc<dyn Kek>], progress: Progress<'_>) -> Result<BackupInfo> {
        let read = self.scan(progress)?;
        let (first, others) = keks
            .split_first()
            .ok_or_else(|| Error::unavailable(Part::Kek, "no KEK was given"))?;
        let keyring = others
            .iter()
            .fold(Keyring::new(Arc::clone(first)), |ring, kek| ring.with(Arc::clone(kek)));
        let named = RealmName::parse(&read.info.realm).zip(vault_id(&read.info.vault));
        let (name, vault) = named.ok_or_else(|| damaged("its manifest names no realm"))?;
        let store = read.realms().await?;
        let realm = read_realm(vault, &store, &keyring, &name).await?;
        let realm = realm.ok_or_else(|| damaged("the environment key of its MAC is missing"))?;
        match has_mac(&realm, &read.manifest, &read.mac) {
            true => Ok(read.info),
            false => Err(Error::invalid(
                "the backup was changed after it was written: its MAC is not the vault's",
                "use another backup",
            )),
        }
    }

    /// Reads the whole file and checks what can be checked without a KEK: its form and its digest. Somebody who changed it on purpose
    /// could have made the digest again.
    ///
    /// # Errors
    /// As [`Backup::verify`].
    pub fn verify_digest(&self, progress: Progress<'_>) -> Result<BackupInfo> {
        Ok(self.scan(progress)?.info)
    }

    /// Returns a file in the backup: the vault's settings, or the KEK.
    ///
    /// # Errors
    /// As [`Backup::open`].
    pub fn kek(&self) -> Result<Option<Secret>> {
        self.file(KEK)
    }

    /// Returns the vault's file of settings, if the backup has it.
    ///
    /// # Errors
    /// As [`Backup::open`].
    pub fn settings(&self) -> Result<Option<Secret>> {
        self.file(SETTINGS)
    }

    /// Returns the floors in the backup, as [`FloorVerbs::import`](crate::floors::FloorVerbs::import) reads them: for a machine without a history.
    ///
    /// # Errors
    /// As [`Backup::open`].
    pub fn floors(&self) -> Result<Vec<u8>> {
        let (mut frames, mut text) = (reader(&self.path)?, Vec::new());
        loop {
            match frames.next()? {
                Frame::Floors(piece) => text.extend(piece),
                Frame::Head(_) | Frame::File(..) => {}
                // Floors come before the records.
                _ => return Ok(text),
            }
        }
    }

    fn file(&self, wanted: &str) -> Result<Option<Secret>> {
        let mut frames = reader(&self.path)?;
        loop {
            // Files come before everything else.
            match frames.next()? {
                Frame::Head(_) => {}
                Frame::File(name, bytes) if name == wanted => return Ok(Some(bytes)),
                Frame::File(..) => {}
                _ => return Ok(None),
            }
        }
    }

    /// Gives every record, in the order in which they were read. Only of a backup that was verified.
    pub(crate) async fn records(&self, to: &mut dyn Take) -> Result<()> {
        let mut frames = reader(&self.path)?;
        let (mut part, mut bytes): (Vec<Swept>, usize) = (Vec::new(), 0);
        loop {
            let record = match frames.next()? {
                Frame::Record(id, revision, body) => (id, Some(Stored::new(body, Revision::new(revision)))),
                Frame::Gone(id) => (id, None),
                Frame::End(_) => break,
                _ => continue,
            };
            bytes += record.1.as_ref().map_or(0, |stored| stored.bytes.len());
            part.push(record);
            if part.len() >= PART || bytes >= PART_BYTES {
                to.take(&part).await?;
                part.clear();
                bytes = 0;
            }
        }
        match part.is_empty() {
            true => Ok(()),
            false => to.take(&part).await,
        }
    }

    /// Reads everything once, and keeps the records of realms.
    fn scan(&self, progress: Progress<'_>) -> Result<Read> {
        let mut frames = reader(&self.path)?;
        let (mut roots, mut records) = (BTreeMap::new(), 0_u64);
        let mut manifest = None;
        loop {
            let (before, bytes) = (frames.frames, frames.bytes);
            match frames.next()? {
                Frame::Record(id, _, body) => {
                    records += 1;
                    if id.collection().kind().as_u8() == kind::REALM {
                        roots.insert(id, body);
                    }
                }
                Frame::Gone(id) => {
                    records += 1;
                    roots.remove(&id);
                }
                Frame::Manifest(bytes_of, digest) => {
                    let info: BackupInfo =
                        serde_json::from_slice(&bytes_of).map_err(|_| damaged("its manifest does not parse"))?;
                    let whole = info.sha256 == HEXLOWER.encode(&digest)
                        && (info.records, info.frames, info.bytes) == (records, before, bytes)
                        && info.vault == self.head.vault;
                    if !whole {
                        return Err(damaged("its contents do not match its digest"));
                    }
                    manifest = Some((info, bytes_of));
                }
                Frame::End(mac) => {
                    frames.ends()?;
                    let (info, manifest) = manifest.ok_or_else(|| damaged("its manifest is missing"))?;
                    return Ok(Read {
                        info,
                        manifest,
                        mac,
                        roots,
                    });
                }
                Frame::Head(_) | Frame::File(..) | Frame::Floors(_) => {}
            }
            if manifest.is_none() && records.is_multiple_of(256) {
                progress(records);
            }
        }
    }
}

/// A backup that was read once.
struct Read {
    info: BackupInfo,
    manifest: Vec<u8>,
    mac: [u8; 32],
    roots: BTreeMap<RecordId, Vec<u8>>,
}

impl Read {
    /// The environment key records, as a store.
    async fn realms(&self) -> Result<MemoryStore> {
        let store = MemoryStore::new();
        for (id, body) in &self.roots {
            store.put(id, body, Expect::Absent).await?;
        }
        Ok(store)
    }
}

fn vault_id(text: &str) -> Option<VaultId> {
    from_base62(text).map(VaultId::from_bytes)
}

fn reader(path: &Path) -> Result<FrameReader<BufReader<File>>> {
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::NotFound {
            what: format!("file `{}`", path.display()),
            hint: Some("check the path of the backup".into()),
        },
        _ => unread(&error),
    })?;
    let meta = file.metadata().map_err(|error| unread(&error))?;
    if !meta.is_file() {
        let what = format!("`{}` is not a regular file", path.display());
        return Err(Error::invalid(what, "give a file that `backup` wrote"));
    }
    FrameReader::begin(BufReader::with_capacity(BUFFER, file))
}
