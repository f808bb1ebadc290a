//! Syslog over TLS (RFC 5425).

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::error::Error;

/// A connection with TLS.
pub(super) type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// The authorities that vouch for a receiver.
pub(super) struct Authorities(Arc<ClientConfig>);

impl Authorities {
    /// Reads authorities in PEM. Without any, the system's count.
    pub(super) fn read(pem: Option<&[u8]>) -> Result<Self, Error> {
        let wrong = |why: String| {
            Error::new(
                format!("cannot set up TLS for syslog: {why}"),
                "give a readable PEM file of certificates",
            )
        };
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| wrong(error.to_string()))?;
        let builder = match pem {
            None => builder
                .with_platform_verifier()
                .map_err(|error| wrong(error.to_string()))?,
            Some(pem) => {
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
                    roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
                }
                if roots.is_empty() {
                    return Err(wrong("the file of authorities holds no certificate".to_owned()));
                }
                builder.with_root_certificates(roots)
            }
        };
        Ok(Self(Arc::new(builder.with_no_client_auth())))
    }

    /// Makes a connection one with TLS, and completes its handshake.
    pub(super) fn connect(&self, host: &str, mut stream: TcpStream) -> io::Result<TlsStream> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let mut connection = ClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        Ok(StreamOwned::new(connection, stream))
    }
}
