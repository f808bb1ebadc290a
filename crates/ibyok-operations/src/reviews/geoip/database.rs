//! A file in the format MaxMind DB, and the countries in it.

#[cfg(test)]
mod mmdb;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use ibyok_core::audit::review::{Countries, Country};
use ibyok_core::errors::{Part, quoted};
use ibyok_core::{Error, Result};
use maxminddb::{MaxMindDbError, Reader, path};

/// The largest file that is read, in bytes: more than the largest with cities that is published for many.
const FILE_MAX: u64 = 256 << 20;

/// The length of a file's end that may be metadata, by the format.
const METADATA_MAX: u64 = 128 << 10;

/// Kinds of databases that hold the country of an address, by a part of their names.
const TELLS_COUNTRIES: [&str; 3] = ["Country", "City", "Enterprise"];

/// A file in the format MaxMind DB that holds countries, such as GeoLite2 Country or City.
///
/// Each review reads the file again and keeps it in memory only for its own time. So an updated file is used at the
/// next review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeoIp {
    path: PathBuf,
}

impl GeoIp {
    /// Names the file at this path. Checks its form, and not yet its content.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming it, for a file that cannot be read, is no MaxMind DB, holds no countries, or is
    /// larger than 256 MiB.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self> {
        let geoip = GeoIp { path: path.into() };
        match geoip.look() {
            Ok(()) => Ok(geoip),
            Err(why) => Err(Error::invalid(
                format!("the GeoIP database {} {why}", quoted(&geoip.path.to_string_lossy())),
                "set `geoip` to a readable MaxMind database (.mmdb) of countries or cities, or unset it",
            )),
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the metadata of the file, which are at its end.
    fn look(&self) -> std::result::Result<(), Flaw> {
        let (mut file, length) = self.open()?;
        let tail = length.min(METADATA_MAX);
        file.seek(SeekFrom::Start(length - tail))?;
        // The rest is left as zeros, which take no memory as long as nothing looks at them: a program that does not review reads
        // no hundred megabytes at its start.
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| Flaw::TooLarge)?];
        let start = usize::try_from(length - tail).map_err(|_| Flaw::TooLarge)?;
        file.read_exact(bytes.get_mut(start..).unwrap_or_default())?;
        sound(Reader::from_source(bytes)).map(|_| ())
    }

    fn open(&self) -> std::result::Result<(File, u64), Flaw> {
        // Before it is opened: a pipe would wait for its writer.
        if !std::fs::metadata(&self.path)?.is_file() {
            return Err(Flaw::NoFile);
        }
        let file = File::open(&self.path)?;
        let length = file.metadata()?.len();
        if length > FILE_MAX {
            return Err(Flaw::TooLarge);
        }
        Ok((file, length))
    }

    /// Reads all of it.
    ///
    /// # Errors
    /// [`Error::Unavailable`] for a file that has changed since and no longer has that form.
    pub(crate) fn load(&self) -> Result<Database> {
        let read = || {
            let (file, length) = self.open()?;
            let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(|_| Flaw::TooLarge)?);
            file.take(FILE_MAX).read_to_end(&mut bytes)?;
            sound(Reader::from_source(bytes))
        };
        let reader = read().map_err(|flaw| self.unavailable(flaw))?;
        Ok(Database {
            of: self.clone(),
            reader: Arc::new(reader),
            damage: Arc::default(),
        })
    }

    fn unavailable(&self, why: impl fmt::Display) -> Error {
        let named = quoted(&self.path.to_string_lossy());
        Error::unavailable(Part::GeoIp, format!("{named} {why}"))
    }
}

fn sound(reader: std::result::Result<Reader<Vec<u8>>, MaxMindDbError>) -> std::result::Result<Reader<Vec<u8>>, Flaw> {
    let reader = reader.map_err(|error| Flaw::NoDatabase(error.to_string()))?;
    let kind = &reader.metadata().database_type;
    if TELLS_COUNTRIES.iter().any(|part| kind.contains(part)) {
        Ok(reader)
    } else {
        Err(Flaw::OtherKind(quoted(kind)))
    }
}

/// The reason for which a file is not used.
enum Flaw {
    Unreadable(std::io::Error),
    NoFile,
    TooLarge,
    NoDatabase(String),
    OtherKind(String),
}

impl From<std::io::Error> for Flaw {
    fn from(error: std::io::Error) -> Self {
        Flaw::Unreadable(error)
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Unreadable(error) => write!(f, "cannot be read: {error}"),
            Flaw::NoFile => f.write_str("is no file"),
            Flaw::TooLarge => write!(f, "is larger than {} MiB", FILE_MAX >> 20),
            Flaw::NoDatabase(error) => write!(f, "is no MaxMind DB: {}", error.escape_default()),
            Flaw::OtherKind(kind) => write!(f, "tells no countries: it is of the kind {kind}"),
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    of: GeoIp,
    reader: Arc<Reader<Vec<u8>>>,
    damage: Arc<OnceLock<String>>,
}

impl Database {
    fn look_up(&self, address: IpAddr) -> std::result::Result<Option<Country>, MaxMindDbError> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(address)?;
        let letters = found.decode_path::<&str>(&path!["country", "iso_code"])?;
        Ok(letters.and_then(Country::parse))
    }

    /// Checks that no lookup met damage.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if a lookup did: an address without a country may only seem to have none.
    pub(crate) fn was_sound(&self) -> Result<()> {
        match self.damage.get() {
            None => Ok(()),
            Some(damage) => Err(self.of.unavailable(format_args!(
                "is damaged, or of another form: {}",
                damage.escape_default()
            ))),
        }
    }
}

impl Countries for Database {
    fn country(&self, address: IpAddr) -> Option<Country> {
        self.look_up(address).unwrap_or_else(|error| {
            self.damage.get_or_init(|| error.to_string());
            None
        })
    }
}
