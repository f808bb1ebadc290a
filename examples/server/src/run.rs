//! From settings to a server that runs until a signal stops it.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use ibyok_core::Vault;
use ibyok_settings::{Locations, ProcessEnvironment, Settings};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::args::Args;
use crate::error::{Error, Result};
use crate::exchange::Site;
use crate::hardening::{connections_within, no_core_dumps};
use crate::logging::{log_to_stderr, reopen_log};
use crate::options::{Limits, Options};
use crate::router::router_and_retrievals;
use crate::serve::serve_site;

/// The largest number of connections that wait in the kernel to be accepted.
const WAITING: u32 = 1024;

/// A server that was started in this process, and serves until it is stopped or dropped.
#[derive(Debug)]
pub struct Started {
    address: SocketAddr,
    scheme: &'static str,
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<usize>>,
}

impl Started {
    /// The address that it listens on, with the port that a `:0` became.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as a URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// Stops it once every answer under way is sent. The vault stays open.
    ///
    /// Gives how many connections had to be cut off.
    ///
    /// # Errors
    /// [`Error::Process`] if it had stopped by itself.
    pub async fn stop(self) -> Result<usize> {
        // That nobody hears it means that the server is down already, and then the task says why.
        self.stop.send(()).ok();
        let ended = self.task.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        ended.map_err(|source| Error::Process {
            what: "the server stopped by itself",
            source,
        })
    }
}

/// Serves a vault in this process, along with its other work.
///
/// # Errors
/// [`Error::Listen`] if the address cannot be listened on.
pub async fn start(vault: Vault, address: SocketAddr, options: Options, limits: Limits) -> Result<Started> {
    let (listener, address) = listen(address)?;
    let mut limits = limits;
    limits.trusted_proxies.extend(options.trusted_proxies.iter().copied());
    let scheme = match has_tls(&limits) {
        true => "https",
        false => "http",
    };
    let (stop, stopped) = oneshot::channel();
    let shutdown = async move {
        stopped.await.ok();
    };
    let is_past = options.past_the_router;
    let (router, retrievals) = router_and_retrievals(vault, options);
    let site = Site {
        router,
        retrievals: is_past.then_some(retrievals),
    };
    let task = tokio::spawn(serve_site(listener, site, limits, shutdown));
    Ok(Started {
        address,
        scheme,
        stop,
        task,
    })
}

/// Serves a vault as settings say, until SIGTERM, SIGINT or SIGQUIT, and closes it. A second signal ends the process at once.
///
/// # Errors
/// [`Error::Insecure`] for an address beyond loopback, unless plain HTTP is meant or a proxy is trusted; [`Error::Listen`],
/// [`Error::Process`], and the errors of closing the vault.
pub async fn run(settings: &Settings, vault: Vault, insecure_http: bool) -> Result<()> {
    may_listen(settings, insecure_http)?;
    let mut options = Options::default();
    options.environment.clone_from(&settings.environment);
    options.trusted_proxies.clone_from(&settings.trusted_proxies);
    options.vault_mount.clone_from(&settings.vault_mount);
    options.review.clone_from(&settings.review);
    let mut limits = Limits::default();
    limits.connections = connections_within(limits.connections);
    limits.connections_per_address = limits.connections_per_address.min((limits.connections / 2).max(1));
    load_tls(settings, &mut limits)?;
    if !is_local(settings) && !insecure_http && !has_tls(&limits) {
        limits.only_from = Some(settings.trusted_proxies.clone());
    }
    let stop = stop_signal(limits.clone())?;
    let server = start(vault.clone(), settings.listen, options, limits).await?;
    tracing::info!(address = %server.address(), scheme = server.scheme, vault = vault.id(), store = settings.store_name(), "listening");
    let survey = tokio::spawn(look_for_damage(vault.clone()));
    stop.await;
    survey.abort();
    tracing::info!("stopping");
    let cut = server.stop().await?;
    if cut > 0 {
        tracing::warn!(connections = cut, "closed connections that took too long");
    }
    vault.close().await?;
    tracing::info!("stopped");
    Ok(())
}

#[cfg(feature = "tls")]
fn load_tls(settings: &Settings, limits: &mut Limits) -> Result<()> {
    limits.tls = settings.tls.clone().map(crate::Tls::load).transpose()?;
    Ok(())
}

#[cfg(not(feature = "tls"))]
fn load_tls(settings: &Settings, _limits: &mut Limits) -> Result<()> {
    match settings.tls {
        Some(_) => Err(ibyok_core::Error::invalid(
            "this program was built without TLS",
            "build it with the feature `tls`, or remove `tls_cert` and `tls_key`",
        )
        .into()),
        None => Ok(()),
    }
}

#[cfg(feature = "tls")]
fn has_tls(limits: &Limits) -> bool {
    limits.tls.is_some()
}

#[cfg(not(feature = "tls"))]
fn has_tls(_limits: &Limits) -> bool {
    false
}

/// The interval at which a server looks for damaged records.
const SURVEYS: Duration = Duration::from_secs(24 * 60 * 60);

/// Looks for damaged records at the start and then once a day: `/readyz` counts them, and each is on the server's log.
async fn look_for_damage(vault: Vault) {
    let mut surveys = tokio::time::interval(SURVEYS);
    surveys.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        surveys.tick().await;
        match vault.survey().await {
            Ok(found) if found.damaged > 0 => {
                tracing::error!(
                    damaged = found.damaged,
                    checked = found.checked,
                    "records of the store are damaged"
                );
            }
            Ok(found) => tracing::debug!(checked = found.checked, "no record of the store is damaged"),
            Err(error) => tracing::warn!(%error, "cannot search the store for damaged records"),
        }
    }
}

/// Runs the binary: reads the command line, serves, and returns the exit code.
#[must_use]
pub fn command_line() -> ExitCode {
    let args = Args::parse();
    match serve_until_stopped(&args, &ProcessEnvironment::read()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let hint = error.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
            // There is no place left to report that standard error is closed.
            writeln!(io::stderr(), "error: {error}{hint}").ok();
            ExitCode::from(error.exit_code())
        }
    }
}

fn serve_until_stopped(args: &Args, environment: &BTreeMap<String, String>) -> Result<()> {
    no_core_dumps().map_err(|source| Error::Process {
        what: "cannot turn off core dumps",
        source,
    })?;
    log_to_stderr(args.log);
    let settings = settings(args, environment)?;
    may_listen(&settings, args.insecure_http)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::Process {
        what: "cannot start the runtime",
        source,
    })?;
    runtime.block_on(async {
        let vault = settings.open("ibyok-server", None).await?;
        run(&settings, vault, args.insecure_http).await
    })
}

fn settings(args: &Args, environment: &BTreeMap<String, String>) -> Result<Settings> {
    let locations = Locations::of_user(environment);
    Ok(Settings::resolve(&args.given(), environment, &locations)?)
}

/// Plain HTTP stays on this machine, unless the caller allows it by name, or between this machine and its proxies.
fn may_listen(settings: &Settings, insecure_http: bool) -> Result<()> {
    let address = settings.listen;
    let is_safe = is_local(settings) || settings.tls.is_some();
    if is_safe || insecure_http || !settings.trusted_proxies.is_empty() {
        Ok(())
    } else {
        Err(Error::Insecure { address })
    }
}

/// Returns true if only this machine can reach the address.
fn is_local(settings: &Settings) -> bool {
    settings.listen.ip().to_canonical().is_loopback()
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr)> {
    let failed = |source| Error::Listen { address, source };
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }
    .map_err(failed)?;
    // A server that was just stopped does not keep its successor from the address.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(WAITING).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Resolves at the first SIGTERM, SIGINT or SIGQUIT. From then on the next one ends the process. SIGHUP never does: the server opens
/// its own log again, and reads its certificate again.
fn stop_signal(limits: Limits) -> Result<impl Future<Output = ()>> {
    let receive = |kind| {
        signal(kind).map_err(|source| Error::Process {
            what: "cannot receive signals",
            source,
        })
    };
    let mut terminate = receive(SignalKind::terminate())?;
    let mut interrupt = receive(SignalKind::interrupt())?;
    let mut quit = receive(SignalKind::quit())?;
    let mut hangup = receive(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            reopened();
            reloaded(&limits);
        }
    });
    let mut next = async move || {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
            _ = quit.recv() => (),
        }
    };
    Ok(async move {
        next().await;
        tokio::spawn(async move {
            next().await;
            std::process::exit(1);
        });
    })
}

#[cfg(feature = "tls")]
fn reloaded(limits: &Limits) {
    match limits.tls.as_ref().map(crate::Tls::reload) {
        Some(Ok(())) => tracing::info!("SIGHUP: new connections get the certificate that was read now"),
        Some(Err(error)) => tracing::error!(%error, "SIGHUP: cannot use the new certificate; keeping the old one"),
        None => {}
    }
}

#[cfg(not(feature = "tls"))]
fn reloaded(_limits: &Limits) {}

/// Opens the server's own log again, and says so there.
fn reopened() {
    match reopen_log() {
        Ok(true) => tracing::info!("reopened this log after SIGHUP"),
        Ok(false) => tracing::info!("SIGHUP: this log is not a file; nothing to reopen"),
        Err(error) => tracing::warn!(%error, "cannot reopen this log; keeping the open one"),
    }
}
