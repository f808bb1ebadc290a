//! Certificates for servers on loopback, by `openssl`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use super::{Directory, output, postgres};

/// An authority and a server's certificate that it signed, for 127.0.0.1.
pub struct Certificates(Directory);

impl Certificates {
    /// Makes new ones.
    pub fn new() -> Self {
        let certificates = Certificates(Directory::new("tls"));
        fs::set_permissions(certificates.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(certificates.path("names"), "subjectAltName=IP:127.0.0.1").unwrap();
        let request = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
        certificates.openssl(&format!(
            "{request} -x509 -days 30 -subj /CN=authority -keyout authority.key -out authority.pem"
        ));
        certificates.openssl(&format!(
            "{request} -subj /CN=server -keyout server.key -out server.csr"
        ));
        certificates.openssl(
            "x509 -req -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -days 30 -extfile names -out server.pem",
        );
        let key = certificates.path("server.key");
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        postgres::own(&key);
        certificates
    }

    /// The path of `authority.pem`, `server.pem` or `server.key`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as text.
    pub fn shown(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn openssl(&self, arguments: &str) {
        output(
            Command::new("openssl")
                .args(arguments.split(' '))
                .current_dir(self.0.path()),
        );
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}
