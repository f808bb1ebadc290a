//! The files of a server's certificates and private key.

use std::path::{Path, PathBuf};

use ibyok_core::{Error, Result};
use zeroize::Zeroizing;

use crate::secret_file;

/// The largest file of certificates that is read, in bytes.
const CERTIFICATES_MAX: u64 = 1 << 20;

/// The files for TLS, in PEM. A program reads them again to replace the certificate while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificates: the server's own first, then those of the authorities between it and a root.
    pub certificates: PathBuf,
    /// The private key. Only its owner may read the file.
    pub key: PathBuf,
}

impl TlsFiles {
    /// The files that settings name: both, or none.
    pub(crate) fn resolve(certificates: Option<&str>, key: Option<&str>) -> Result<Option<Self>> {
        let lonely = |given: &str, missing: &str| {
            Error::invalid(
                format!("`{given}` is set, and `{missing}` is not"),
                "set both: the PEM files of the certificates and of the private key",
            )
        };
        match (certificates, key) {
            (None, None) => Ok(None),
            (Some(certificates), Some(key)) => Ok(Some(TlsFiles {
                certificates: certificates.into(),
                key: key.into(),
            })),
            (Some(_), None) => Err(lonely("tls_cert", "tls_key")),
            (None, Some(_)) => Err(lonely("tls_key", "tls_cert")),
        }
    }

    /// Reads the text of the certificates.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the file cannot be read or is larger than 1 MiB.
    pub fn read_certificates(&self) -> Result<String> {
        let unreadable = |why: String| unreadable(&self.certificates, "tls_cert", &why);
        let length = std::fs::metadata(&self.certificates).map_err(|error| unreadable(error.to_string()))?;
        if length.len() > CERTIFICATES_MAX {
            return Err(unreadable("it is larger than 1 MiB".to_owned()));
        }
        std::fs::read_to_string(&self.certificates).map_err(|error| unreadable(error.to_string()))
    }

    /// Reads the text of the private key.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the file cannot be read, or if others own or may read it.
    pub fn read_key(&self) -> Result<Zeroizing<String>> {
        secret_file::read(&self.key, "tls_key")
    }
}

fn unreadable(path: &Path, setting: &str, why: &str) -> Error {
    Error::invalid(
        format!("cannot read `{}`, the file in `{setting}`: {why}", path.display()),
        "check the path, and that you may read the file",
    )
}
