//! A vault in a directory, made as `ibyok init` makes one, and servers for it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use ibyok_benches::Result;
use ibyok_core::{Environments, Grant, KeyRef, Scope, Scopes, Secret, TokenRequest};
use ibyok_settings::{Given, Locations, Settings};
use tempfile::TempDir;

use crate::process::{Server, free_address};

/// The number of keys in the vault.
const KEYS: usize = 100;

/// The number of bytes of a value.
const VALUE: usize = 64;

/// A vault and a token for it.
pub(crate) struct Site {
    home: TempDir,
    token: String,
}

impl Site {
    pub(crate) async fn new() -> Result<Self> {
        let home = TempDir::with_prefix("ibyok-bench-")?;
        let locations = Locations::new(home.path().join("data"), home.path().join("config"));
        let settings = Settings::resolve(&Given::default(), &BTreeMap::new(), &locations)?;
        let (vault, _) = settings.create("bench", None).await?;
        let operator = vault.operator("bench");
        for number in 0..KEYS {
            let key: KeyRef = format!("prod/key-{number}").parse()?;
            operator
                .keys()
                .set(&key, Secret::init_with_mut(VALUE, |value| value.fill(b'k')))
                .await?;
        }
        let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
        let token = operator.tokens().issue(TokenRequest::new("worker", grant)).await?.token;
        vault.close().await?;
        Ok(Site {
            token: token.expose().to_owned(),
            home,
        })
    }

    /// Returns the values of `XDG_DATA_HOME` and `XDG_CONFIG_HOME`.
    pub(crate) fn homes(&self) -> [(&'static str, PathBuf); 2] {
        let home = self.home.path();
        [
            ("XDG_DATA_HOME", home.join("data")),
            ("XDG_CONFIG_HOME", home.join("config")),
        ]
    }

    /// Starts `ibyok-server` on this vault.
    pub(crate) fn serve(&self, durability: &str) -> Result<Server> {
        let address = free_address()?;
        Server::start("server", address, |command| {
            command.envs(self.homes()).args(["--listen", &address.to_string()]);
            command.args(["--durability", durability]);
        })
    }

    /// Runs `ibyok get` for a key here, as its operator.
    pub(crate) fn get(&self) -> Result<()> {
        let mut command = Command::new(std::env::current_exe()?);
        command
            .env(crate::ROLE, "cli")
            .envs(self.homes())
            .env_remove("IBYOK_TOKEN");
        command.args(["get", "prod/key-7"]).current_dir(self.home.path());
        let output = command.stdin(Stdio::null()).output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        }
        Ok(())
    }

    /// The bytes of a request for a key's value.
    pub(crate) fn request(&self, address: SocketAddr) -> String {
        self.request_of("/api/v1/keys/prod/key-7/value", address)
    }

    /// The bytes of a request for the same value by the routes of Vault's clients.
    pub(crate) fn vault_request(&self, address: SocketAddr) -> String {
        self.request_of("/v1/secret/data/prod/key-7", address)
    }

    fn request_of(&self, path: &str, address: SocketAddr) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\nuser-agent: bench\r\n\r\n",
            self.token
        )
    }
}
