//! TLS: the certificate and key of the server, which are replaced while it runs.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use ibyok_core::{Error, Result};
use ibyok_settings::TlsFiles;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ResolvesServerCert;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::TlsAcceptor;

/// The protocol of the server, for ALPN.
const PROTOCOL: &[u8] = b"http/1.1";

/// The TLS of a server: TLS 1.2 and 1.3 with the defaults of rustls. A clone is the same one.
///
/// ```no_run
/// use ibyok_server::{Limits, Tls};
/// use ibyok_settings::{Given, Locations, Settings};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let locations = Locations::new("/var/lib", "/etc");
/// let settings = Settings::resolve(&Given::default(), &Default::default(), &locations)?;
/// let mut limits = Limits::default();
/// limits.tls = settings.tls.map(Tls::load).transpose()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsFiles,
    current: RwLock<Arc<ServerConfig>>,
}

impl Tls {
    /// Reads the certificates and the key.
    ///
    /// # Errors
    /// [`Error::Invalid`] if a file cannot be read, holds nothing of its kind, or if the key is not that of the first certificate.
    pub fn load(files: TlsFiles) -> Result<Self> {
        let current = RwLock::new(Arc::new(config(&files)?));
        Ok(Tls(Arc::new(Inner { files, current })))
    }

    /// Reads the files again. New connections get the new certificate, and open ones keep theirs.
    ///
    /// # Errors
    /// As [`Tls::load`]; the server then keeps the certificate that it has.
    pub fn reload(&self) -> Result<()> {
        let new = Arc::new(config(&self.0.files)?);
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let current = self.0.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.0.files).finish()
    }
}

fn config(files: &TlsFiles) -> Result<ServerConfig> {
    let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
    let chain = certificates(files)?;
    let key = key(files)?;
    let wrong = |error: rustls::Error| {
        Error::invalid(
            format!(
                "cannot use `{}` with the key `{}`: {error}",
                files.certificates.display(),
                files.key.display()
            ),
            "put the server's own certificate first in the file, and give the key that belongs to it",
        )
    };
    let certified = CertifiedKey::from_der(chain, key, &provider).map_err(wrong)?;
    let resolver: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(certified));
    let builder = ServerConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(wrong)?;
    let mut config = builder.with_no_client_auth().with_cert_resolver(resolver);
    config.alpn_protocols = vec![PROTOCOL.to_vec()];
    Ok(config)
}

fn certificates(files: &TlsFiles) -> Result<Vec<CertificateDer<'static>>> {
    let text = files.read_certificates()?;
    let path = files.certificates.display();
    let none = |why: String| {
        Error::invalid(
            format!("`{path}` holds no certificates: {why}"),
            "give a PEM file with `-----BEGIN CERTIFICATE-----`",
        )
    };
    let read: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let chain = read.map_err(|error| none(error.to_string()))?;
    match chain.is_empty() {
        true => Err(none("there is none in the file".to_owned())),
        false => Ok(chain),
    }
}

fn key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>> {
    let text = files.read_key()?;
    PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| {
        // The library's words may repeat a part of the file.
        Error::invalid(
            format!("`{}` holds no private key that can be read", files.key.display()),
            "give a PEM file with an unencrypted key (PKCS #8, SEC 1 or PKCS #1)",
        )
    })
}
