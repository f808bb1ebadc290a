//! The command line of the binary.

use clap::Parser;
use ibyok_settings::Given;

use crate::logging::LogLevel;

/// The IBYOK server: serves a vault over HTTP.
///
/// Each setting is a flag, else a variable, else a line of `vault.toml` in the vault's directory.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "ibyok-server", version)]
#[non_exhaustive]
pub struct Args {
    /// The vault's directory (IBYOK_VAULT)
    #[arg(long, value_name = "DIR")]
    pub vault: Option<String>,
    /// The store: `file` or a URL without a password (IBYOK_STORE)
    #[arg(long, value_name = "STORE")]
    pub store: Option<String>,
    /// The KEK: `local`, `passphrase` or `aws-kms:KEY`; `ENV=KEK` for one environment. Repeatable (IBYOK_KEK)
    #[arg(long, value_name = "KEK")]
    pub kek: Vec<String>,
    /// A KEK that only opens, while the vault changes to another one; in the form of `--kek`. Repeatable (IBYOK_ALSO_KEK)
    #[arg(long, value_name = "KEK")]
    pub also_kek: Vec<String>,
    /// The file of a local KEK (IBYOK_KEK_FILE)
    #[arg(long, value_name = "FILE")]
    pub kek_file: Option<String>,
    /// The file that holds the passphrase (IBYOK_PASSPHRASE_FILE)
    #[arg(long, value_name = "FILE")]
    pub passphrase_file: Option<String>,
    /// The directory of the audit logs, or `postgres://…` or `redis://…` for a server without a disk (IBYOK_AUDIT)
    #[arg(long, value_name = "DIR")]
    pub audit: Option<String>,
    /// Listen on this address [default: 127.0.0.1:8420] (IBYOK_LISTEN)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// The PEM file of the server's certificates, for TLS. SIGHUP reads it again (IBYOK_TLS_CERT)
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The PEM file of the server's private key, for TLS (IBYOK_TLS_KEY)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// The namespace (IBYOK_NAMESPACE)
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The environment for requests that name none (IBYOK_ENV)
    #[arg(long = "env", alias = "environment", value_name = "NAME")]
    pub environment: Option<String>,
    /// The time to cache an opened environment key, for example `5m` (IBYOK_KEY_CACHE_TTL)
    #[arg(long, value_name = "DURATION")]
    pub key_cache_ttl: Option<String>,
    /// The durability of the audit log: wait until lines are `synced` to disk, or `written` to the kernel (IBYOK_DURABILITY)
    #[arg(long, value_name = "DURABILITY")]
    pub durability: Option<String>,
    /// Trust proxies in this network to report a client's address. Repeatable (IBYOK_TRUSTED_PROXIES)
    #[arg(long, value_name = "CIDR")]
    pub trusted_proxy: Vec<String>,
    /// The mount under which Vault's clients find the keys [default: secret] (IBYOK_VAULT_MOUNT)
    #[arg(long, value_name = "NAME")]
    pub vault_mount: Option<String>,
    /// MaxMind database (.mmdb) used to show countries in log reviews (IBYOK_GEOIP)
    #[arg(long, value_name = "FILE")]
    pub geoip: Option<String>,
    /// Force this mode on environments of class dev, over every setting of the vault: `mock` or `live` (DEV_MODE_FORCED)
    #[arg(long, value_name = "MODE")]
    pub dev_mode_forced: Option<String>,
    /// Force this mode on environments of class staging (STAGING_MODE_FORCED)
    #[arg(long, value_name = "MODE")]
    pub staging_mode_forced: Option<String>,
    /// Force this mode on environments of class prod (PROD_MODE_FORCED)
    #[arg(long, value_name = "MODE")]
    pub prod_mode_forced: Option<String>,
    /// Allow mock mode in environments of class prod: `true` or `false` (PROD_MOCK_ALLOWED)
    #[arg(long, value_name = "BOOL")]
    pub prod_mock_allowed: Option<String>,
    /// Accept plain HTTP from other machines, which exposes tokens and values to the network
    #[arg(long)]
    pub insecure_http: bool,
    /// The log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value_t)]
    pub log: LogLevel,
}

impl Args {
    /// Returns the settings that the flags give.
    #[must_use]
    pub fn given(&self) -> Given {
        let mut given = Given::default();
        given.vault.clone_from(&self.vault);
        given.store.clone_from(&self.store);
        let listed = |keks: &[String]| (!keks.is_empty()).then(|| keks.join(","));
        given.kek = listed(&self.kek);
        given.also_kek = listed(&self.also_kek);
        given.kek_file.clone_from(&self.kek_file);
        given.passphrase_file.clone_from(&self.passphrase_file);
        given.audit.clone_from(&self.audit);
        given.listen.clone_from(&self.listen);
        given.tls_cert.clone_from(&self.tls_cert);
        given.tls_key.clone_from(&self.tls_key);
        given.namespace.clone_from(&self.namespace);
        given.environment.clone_from(&self.environment);
        given.key_cache_ttl.clone_from(&self.key_cache_ttl);
        given.durability.clone_from(&self.durability);
        given.trusted_proxies = (!self.trusted_proxy.is_empty()).then(|| self.trusted_proxy.join(","));
        given.vault_mount.clone_from(&self.vault_mount);
        given.geoip.clone_from(&self.geoip);
        given.dev_mode_forced.clone_from(&self.dev_mode_forced);
        given.staging_mode_forced.clone_from(&self.staging_mode_forced);
        given.prod_mode_forced.clone_from(&self.prod_mode_forced);
        given.prod_mock_allowed.clone_from(&self.prod_mock_allowed);
        given
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn proxies_may_be_named_one_by_one() {
        let args = Args::parse_from([
            "ibyok-server",
            "--trusted-proxy",
            "10.0.0.0/8",
            "--trusted-proxy",
            "fd00::/8",
        ]);
        assert_eq!(args.given().trusted_proxies.as_deref(), Some("10.0.0.0/8,fd00::/8"));
        assert_eq!(Args::default().given(), Given::default());
    }
}
