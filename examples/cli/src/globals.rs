//! The flags that every command takes.

use std::collections::BTreeMap;

use clap::Args;

/// The process's environment, handed in.
pub(crate) type Environment = BTreeMap<String, String>;

/// The flags that every command takes.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Globals {
    /// The vault's directory [variable: IBYOK_VAULT; default: the platform's data directory]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) vault: Option<String>,
    /// The namespace of the tenant [variable: IBYOK_NAMESPACE; default: default]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    pub(crate) namespace: Option<String>,
    /// Send requests to this server, with the access token in IBYOK_TOKEN [variable: IBYOK_URL]
    #[arg(long, global = true, value_name = "URL", help_heading = "Global options")]
    pub(crate) url: Option<String>,
    /// Allow plain HTTP to a server on another machine, which exposes the token and values to the network. With `serve`: accept
    /// it from other machines [variable of a client: IBYOK_INSECURE_HTTP]
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) insecure_http: bool,
    /// Act as the operator of the local vault, even if IBYOK_TOKEN is set
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) operator: bool,
    /// Print answers and errors as one JSON document, or as JSON lines for logs
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// Print only answers, warnings and errors
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) quiet: bool,
    /// Do not ask for confirmation before destructive actions
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
}

/// The heading of those settings in help: they are shown by `--help-all` alone.
pub(crate) const SETTINGS: &str = "Settings of the vault";

/// The settings of a vault here, each also a variable and a line of `vault.toml`.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = SETTINGS)]
pub(crate) struct SettingFlags {
    /// The store of the sealed records: `file`, or a URL [variable: IBYOK_STORE]
    #[arg(long, global = true, hide = true, value_name = "STORE")]
    pub(crate) store: Option<String>,
    /// The KEK: `local`, `passphrase` or `aws-kms:KEY`; `ENV=KEK` for one environment. Repeatable [variable: IBYOK_KEK]
    #[arg(long, global = true, hide = true, value_name = "KEK")]
    pub(crate) kek: Vec<String>,
    /// A KEK that only opens, while the vault changes to another one; in the form of `--kek`. Repeatable [variable: IBYOK_ALSO_KEK]
    #[arg(long, global = true, hide = true, value_name = "KEK")]
    pub(crate) also_kek: Vec<String>,
    /// The file of a local KEK [variable: IBYOK_KEK_FILE]
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) kek_file: Option<String>,
    /// The file that holds the passphrase [variable: IBYOK_PASSPHRASE_FILE]
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) passphrase_file: Option<String>,
    /// The directory of the audit log, or `postgres://…` or `redis://…` for a node without a disk [variable: IBYOK_AUDIT]
    #[arg(long, global = true, hide = true, value_name = "DIR")]
    pub(crate) audit: Option<String>,
    /// The time to cache an opened environment key, for example `5m` [variable: IBYOK_KEY_CACHE_TTL]
    #[arg(long, global = true, hide = true, value_name = "TIME")]
    pub(crate) key_cache_ttl: Option<String>,
    /// The durability of the audit log: wait until lines are `synced` to disk, or `written` to the kernel [variable: IBYOK_DURABILITY]
    #[arg(long, global = true, hide = true, value_name = "WHICH")]
    pub(crate) durability: Option<String>,
    /// MaxMind database (.mmdb) used to show countries in log reviews [variable: IBYOK_GEOIP]
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub(crate) geoip: Option<String>,
    /// Force this mode on environments of class dev, over every setting of the vault: `mock` or `live` [variable: DEV_MODE_FORCED]
    #[arg(long, global = true, hide = true, value_name = "MODE")]
    pub(crate) dev_mode_forced: Option<String>,
    /// Force this mode on environments of class staging [variable: STAGING_MODE_FORCED]
    #[arg(long, global = true, hide = true, value_name = "MODE")]
    pub(crate) staging_mode_forced: Option<String>,
    /// Force this mode on environments of class prod [variable: PROD_MODE_FORCED]
    #[arg(long, global = true, hide = true, value_name = "MODE")]
    pub(crate) prod_mode_forced: Option<String>,
    /// Allow mock mode in environments of class prod: `true` or `false` [variable: PROD_MOCK_ALLOWED]
    #[arg(long, global = true, hide = true, value_name = "BOOL")]
    pub(crate) prod_mock_allowed: Option<String>,
}
