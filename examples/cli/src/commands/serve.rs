//! `ibyok serve`

use ibyok_server::LogLevel;
use ibyok_settings::{Passphrase, operator_name};

use super::Cx;
use crate::access::only_here;
use crate::error::Result;
use crate::exit::Exit;
use crate::settings;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Listen on this address [variable: IBYOK_LISTEN; default: 127.0.0.1:8420]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The PEM file of the server's certificates, for TLS. SIGHUP reads it again [variable: IBYOK_TLS_CERT]
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// The PEM file of the server's private key, for TLS [variable: IBYOK_TLS_KEY]
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Trust proxies in this network to report a client's address. Repeatable [variable: IBYOK_TRUSTED_PROXIES]
    #[arg(long, value_name = "CIDR")]
    trusted_proxy: Vec<String>,
    /// The environment for requests that name none [variable: IBYOK_ENV]
    #[arg(long, visible_alias = "env", value_name = "ENV")]
    environment: Option<String>,
    /// The mount under which Vault's clients find the keys [variable: IBYOK_VAULT_MOUNT; default: secret]
    #[arg(long, value_name = "NAME")]
    vault_mount: Option<String>,
    /// The log level: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value_t)]
    log: LogLevel,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_here("serve", cx.globals, cx.environment)?;
    let mut given = settings::given(cx.globals)?;
    given.listen = args.listen;
    (given.tls_cert, given.tls_key) = (args.tls_cert, args.tls_key);
    given.environment = args.environment;
    given.vault_mount = args.vault_mount;
    given.trusted_proxies = (!args.trusted_proxy.is_empty()).then(|| args.trusted_proxy.join(","));
    let settings = settings::resolve_given(&given, cx.environment)?;
    ibyok_server::log_to_stderr(args.log);
    let ask = settings::ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let vault = settings.open(&operator_name(), ask).await?;
    ibyok_server::run(&settings, vault, cx.globals.insecure_http).await?;
    Ok(Exit::Done)
}
