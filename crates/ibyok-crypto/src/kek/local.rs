//! A KEK of 32 bytes in a file.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;

use async_trait::async_trait;
use secrecy::{ExposeSecret, ExposeSecretMut, SecretBox};

use super::context::KekContext;
use super::contract::Kek;
use super::own::{unwrap_under, wrap_under};
use super::wrapped::{KekDescription, KekId, WrappedKey};
use crate::cipher::KEY_LEN;
use crate::key::{copy_box, random_box};
use crate::{EnvironmentKey, Error, derive};

/// The kind in its id.
const KIND: &str = "local";

/// A KEK of 32 random bytes, held in a file that only its owner may read.
///
/// Its id is `local:` and 22 characters of a hash of the key, so a key is known by itself wherever its file lies.
pub struct LocalKek {
    key: SecretBox<[u8; KEY_LEN]>,
    id: [u8; 16],
}

impl LocalKek {
    /// A new one, in memory only.
    ///
    /// # Errors
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        random_box().map(Self::of)
    }

    /// Reads one from a file of exactly 32 bytes.
    ///
    /// # Errors
    /// [`Error::KekFile`] if it is not a regular file, belongs to another user, may be read or written by group or others, or has another
    /// size; [`Error::KekFileAccess`] if it cannot be read.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let access = |source| Error::KekFileAccess {
            path: path.to_owned(),
            source,
        };
        let mut file = open_without_blocking(path).map_err(access)?;
        // Asked of the open file and not of the path, so that nobody can put another in between.
        if let Some(problem) = problem_of(&file).map_err(access)? {
            return Err(Error::KekFile {
                path: path.to_owned(),
                problem,
            });
        }
        match Self::from_reader(&mut file) {
            Err(Error::KekSize) => Err(Error::KekFile {
                path: path.to_owned(),
                problem: "does not hold exactly 32 bytes",
            }),
            Err(Error::Read(source)) => Err(access(source)),
            other => other,
        }
    }

    /// Reads one from a descriptor, which must end after 32 bytes. The bytes go straight to where they stay; a buffered reader keeps a copy.
    ///
    /// # Errors
    /// [`Error::KekSize`] for any other number of bytes, [`Error::Read`] if reading fails.
    pub fn from_reader(reader: &mut impl Read) -> Result<Self, Error> {
        let mut key = SecretBox::new(Box::new([0; KEY_LEN]));
        let sized = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::KekSize,
            _ => Error::Read(error),
        };
        reader.read_exact(key.expose_secret_mut()).map_err(sized)?;
        match reader.read_exact(&mut [0]) {
            Ok(()) => Err(Error::KekSize),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Self::of(key)),
            Err(error) => Err(Error::Read(error)),
        }
    }

    /// Makes a new one and a file of mode 0600 for it, which must not exist. It has reached the disk, name included, when this returns.
    ///
    /// # Errors
    /// [`Error::KekFileAccess`] if the file exists or cannot be written; [`Error::Random`].
    pub fn create_file(path: &Path) -> Result<Self, Error> {
        let kek = Self::generate()?;
        let access = |source| Error::KekFileAccess {
            path: path.to_owned(),
            source,
        };
        let mut file = create_private(path).map_err(access)?;
        if let Err(source) = write_durably(&mut file, kek.key.expose_secret(), path) {
            // Half a key must not stand in the way of the next attempt; if it cannot be removed, the first error says more.
            drop(std::fs::remove_file(path));
            return Err(access(source));
        }
        Ok(kek)
    }

    /// Its id: public, and the same wherever the key lies.
    #[must_use]
    pub fn id(&self) -> KekId {
        KekId::of_bytes(KIND, self.id)
    }

    fn of(key: SecretBox<[u8; KEY_LEN]>) -> Self {
        let id = derive::kek_id(key.expose_secret());
        Self { key, id }
    }

    /// One of given bytes, wiped by the caller.
    #[must_use]
    pub fn copy_of(bytes: &[u8; KEY_LEN]) -> Self {
        Self::of(copy_box(bytes))
    }
}

#[async_trait]
impl Kek for LocalKek {
    async fn wrap(&self, key: &EnvironmentKey, context: &KekContext) -> Result<WrappedKey, Error> {
        Ok(WrappedKey::new(
            self.id(),
            wrap_under(self.key.expose_secret(), self.id, key, context)?,
        ))
    }

    async fn unwrap(&self, wrapped: &WrappedKey, context: &KekContext) -> Result<EnvironmentKey, Error> {
        if !self.accepts(wrapped.kek()) {
            return Err(Error::UnknownKek {
                named: wrapped.kek().to_string(),
            });
        }
        unwrap_under(self.key.expose_secret(), self.id, wrapped.bytes(), context)
    }

    fn describe(&self) -> KekDescription {
        KekDescription::new(KIND, Some(self.id()))
    }

    fn accepts(&self, id: &KekId) -> bool {
        *id == self.id()
    }
}

impl fmt::Debug for LocalKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalKek({}, ..)", self.id())
    }
}

fn write_durably(file: &mut File, key: &[u8], path: &Path) -> io::Result<()> {
    file.write_all(key)?;
    file.sync_all()?;
    sync_directory_of(path)
}

#[cfg(unix)]
fn open_without_blocking(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;

    // A FIFO would otherwise hold us until somebody writes to it.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

#[cfg(not(unix))]
fn open_without_blocking(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(unix)]
fn problem_of(file: &File) -> io::Result<Option<&'static str>> {
    use std::os::unix::fs::MetadataExt;

    let metadata = file.metadata()?;
    Ok(if !metadata.is_file() {
        Some("is not a regular file")
    } else if metadata.uid() != rustix::process::geteuid().as_raw() {
        Some("belongs to another user: use your own copy")
    } else if metadata.mode() & 0o077 != 0 {
        Some("other users can read or change it: run `chmod 600` on it")
    } else {
        None
    })
}

#[cfg(not(unix))]
fn problem_of(file: &File) -> io::Result<Option<&'static str>> {
    Ok((!file.metadata()?.is_file()).then_some("is not a regular file"))
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path)
}

#[cfg(unix)]
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or_else(|| Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory_of(_: &Path) -> io::Result<()> {
    Ok(())
}
