//! Resolved settings, and the vault that they open.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ibyok_core::{
    EnvironmentName, Error, FileSink, Namespace, Result, Store, Vault, VaultBuilder,
    audit::{Sink, SinkDurability, SinkMode, StdoutSink, TemporaryPlace},
    errors::Part,
    kek::{Error as KekError, Keyring},
    modes::Guardrails,
    status::vault_in,
};
use ibyok_operations::reviews::{GeoIp, ReviewHabits};
use ipnet::IpNet;

use crate::directory;
use crate::given::Given;
use crate::guardrails;
use crate::kek::{KekChoice, Place};
use crate::kek_source::SettingsKeks;
use crate::keks::{KekChoices, Slot, ring_of};
use crate::locations::{Locations, NO_HOME};
use crate::log_home::{LogHome, temporary};
use crate::old_lines::OldLines;
use crate::parse::{audit_places, durability, mount, networks, parsed, period, refuse_password_in_flag, thresholds};
use crate::passphrase::Passphrase;
use crate::reopening::ReopeningStore;

use crate::sinks::{self, SinkChoice};
use crate::tls_files::TlsFiles;

/// A builder that has all of its parts.
type WholeBuilder = VaultBuilder<Arc<dyn Store>, Keyring, FileSink>;

/// The server's address unless a source gives another.
pub(crate) const LISTEN: &str = "127.0.0.1:8420";

/// The variable that names a file with the store's URL in it.
const STORE_FILE: &str = "IBYOK_STORE_FILE";

/// The variable that names a file with the setting `audit` in it.
const AUDIT_FILE: &str = "IBYOK_AUDIT_FILE";

/// The file of settings in a vault's directory.
pub(crate) const FILE: &str = "vault.toml";

/// The resolved settings of a program: a flag beats a variable, and a variable beats the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The vault's directory.
    pub directory: PathBuf,
    /// The store: `None` is the file in the vault's directory.
    pub(crate) store: Option<String>,
    /// The kinds of KEKs, and where they are.
    pub keks: KekChoices,
    /// The directory of the audit logs, or of the copy of their home.
    pub audit: PathBuf,
    /// The database that keeps the audit logs; `None` is the directory.
    pub(crate) home: Option<LogHome>,
    /// The directory, if it is the copy of the home and no setting names it. It goes with the last clone of the settings and the log.
    pub(crate) temporary: Option<Arc<TemporaryPlace>>,
    /// True if lines go to standard output as well.
    audit_to_stdout: bool,
    /// The further sinks of the log.
    sinks: Vec<SinkChoice>,
    /// The failures that a line must survive before a value is released.
    pub durability: SinkDurability,
    /// The times and sizes at which segments of the logs end and may be archived.
    pub old_lines: OldLines,
    /// The server's address.
    pub listen: SocketAddr,
    /// The files for TLS; `None` for plain HTTP.
    pub tls: Option<TlsFiles>,
    /// The namespace that an operator acts in.
    pub namespace: Namespace,
    /// The server's own environment.
    pub environment: Option<EnvironmentName>,
    /// The time for which opened environment keys are kept.
    pub key_cache_ttl: Duration,
    /// The peers that may name a client's address.
    pub trusted_proxies: Vec<IpNet>,
    /// The mount under which Vault's clients find the keys.
    pub vault_mount: String,
    /// The modes that this node serves in a class of environments. They win over the vault's settings.
    pub guardrails: Guardrails,
    /// The way in which this program reviews the log.
    pub review: ReviewHabits,
    /// Take a passphrase for a new vault that is easy to guess; `false` unless set.
    pub weak_passphrase: bool,
    /// The vault is opened for one command, which the audit log then says; `false` unless set.
    pub one_command: bool,
    pub(crate) config: PathBuf,
    /// The settings that flags and variables gave, for the vault's file.
    pub(crate) given: Given,
    /// The file that the store's URL came from, if a variable names one.
    pub(crate) store_file_given: Option<String>,
    /// The file that `audit` came from, if a variable names one.
    pub(crate) audit_file_given: Option<String>,
}

impl Settings {
    /// Resolves flags, the environment and the vault's own file.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the setting and where it came from: an unknown key in the file, a value that does not parse, a
    /// setting of a thing that is not built, or a place that is needed where there is no home directory.
    pub fn resolve(flags: &Given, environment: &BTreeMap<String, String>, locations: &Locations) -> Result<Self> {
        refuse_password_in_flag(flags)?;
        let store_file = environment.get(STORE_FILE).filter(|path| !path.is_empty());
        let audit_file = environment.get(AUDIT_FILE).filter(|path| !path.is_empty());
        let variables = Given::from_environment(environment).with_store_from(store_file)?;
        let above = flags.or(&variables.with_audit_from(audit_file)?);
        let directory = above
            .vault
            .clone()
            .map_or_else(|| locations.data.join("ibyok"), PathBuf::from);
        // Before it is read: what a stranger wrote there would choose the store, the KEK and the log.
        directory::check(&directory)?;
        let file = Given::from_file(&directory.join(FILE))?;
        let all = above.or(&file);
        let (home, usual) = (LogHome::of(all.audit.as_deref()), directory.join("audit"));
        let places = audit_places(all.audit.as_deref(), &usual)?;
        let temporary = temporary(home.as_ref(), places.directory.is_some())?;
        let copy = temporary.as_ref().map(|place| place.path().to_owned());
        let settings = Settings {
            keks: KekChoices::resolve(&all)?,
            audit: copy.or(places.directory).unwrap_or(usual),
            home,
            temporary,
            audit_to_stdout: places.stdout,
            sinks: sinks::resolve(&all, environment, &directory)?,
            old_lines: OldLines::resolve(&all)?,
            durability: durability(all.durability.as_deref())?,
            listen: parsed("listen", all.listen.as_deref().unwrap_or(LISTEN), "an address and port")?,
            tls: TlsFiles::resolve(all.tls_cert.as_deref(), all.tls_key.as_deref())?,
            namespace: all
                .namespace
                .as_deref()
                .map(str::parse)
                .transpose()?
                .unwrap_or_default(),
            environment: all.environment.as_deref().map(str::parse).transpose()?,
            key_cache_ttl: period("key_cache_ttl", all.key_cache_ttl.as_deref().unwrap_or("5m"))?,
            trusted_proxies: networks(all.trusted_proxies.as_deref())?,
            vault_mount: mount(all.vault_mount.as_deref())?,
            guardrails: guardrails::resolve(&all)?,
            review: ReviewHabits::default()
                .thresholds(thresholds(all.review)?)
                .geoip(all.geoip.map(GeoIp::at).transpose()?),
            weak_passphrase: false,
            one_command: false,
            store: all.store.filter(|store| store != "file"),
            directory,
            config: locations.config.join("ibyok"),
            store_file_given: store_file.filter(|_| flags.store.is_none()).cloned(),
            audit_file_given: audit_file.filter(|_| flags.audit.is_none()).cloned(),
            given: above,
        };
        settings.refuse_no_home()?;
        Ok(settings)
    }

    /// Without a home directory there are no usual places, which is wrong only where one of them is needed.
    fn refuse_no_home(&self) -> Result<()> {
        let needed = self.store.is_none() && self.directory.starts_with(NO_HOME)
            || self.audit.starts_with(NO_HOME)
            || self.config.starts_with(NO_HOME) && self.keks.iter().any(|(_, kek)| *kek == KekChoice::Local(None));
        if needed {
            return Err(Error::invalid(
                "there is no home directory, so the vault has no default place",
                "give `--vault` and `--kek-file`, or set HOME",
            ));
        }
        Ok(())
    }

    /// Opens the vault that exists there. `passphrase` is asked where the KEK is one and no file holds it.
    ///
    /// # Errors
    /// As [`VaultBuilder::open`]; [`Error::Invalid`] for files that others may read or write, or that another user owns.
    pub async fn open(&self, actor: &str, passphrase: Option<Passphrase<'_>>) -> Result<Vault> {
        let (builder, absent) = self.existing(actor, passphrase).await?;
        explained(builder.open().await, absent)
    }

    /// Opens the vault that exists there, and rebuilds its floors from the intact sources.
    ///
    /// # Errors
    /// As [`Settings::open`].
    pub async fn open_rebuilding_floors(&self, actor: &str, passphrase: Option<Passphrase<'_>>) -> Result<Vault> {
        let (builder, absent) = self.existing(actor, passphrase).await?;
        explained(builder.rebuild_floors().open().await, absent)
    }

    /// A builder of the vault that exists there, and the KEK that this machine lacks, if it lacks one.
    async fn existing(&self, actor: &str, passphrase: Option<Passphrase<'_>>) -> Result<(WholeBuilder, Option<Slot>)> {
        if self.store.is_none() {
            directory::check(&self.directory)?;
        }
        let store = self.open_store().await?;
        let id = vault_in(store.as_ref()).await?.ok_or_else(|| self.no_vault())?;
        let slots = self.keks.open(self.place(&id), passphrase, &[]).await?;
        let absent = slots.iter().find(|slot| slot.kek.is_none()).cloned();
        if let Some(slot) = &absent {
            tracing::warn!(kek = slot.choice.word(), "a KEK of the settings is not on this machine");
        }
        let ring = ring_of(&slots);
        let sink = self.open_log_of(&store, &ring).await?;
        let source = SettingsKeks::new(self, &id, slots);
        let builder = self.plain_builder(store, ring, sink, actor)?.kek_source(source);
        Ok((builder, absent))
    }

    /// Returns the kind of store, without any password.
    #[must_use]
    pub fn store_name(&self) -> String {
        match &self.store {
            None => self.store_file().display().to_string(),
            Some(url) => url.split_once("://").map_or("a store", |(scheme, _)| scheme).to_owned(),
        }
    }

    pub(crate) fn store_file(&self) -> PathBuf {
        self.directory.join("vault.db")
    }

    /// The file of the KEK of the vault with this id; `None` where the KEK is no file.
    #[must_use]
    pub fn kek_place(&self, vault: &str) -> Option<PathBuf> {
        match self.keks.plain()?.placed(self.place(vault), None) {
            KekChoice::Local(path) => path,
            KekChoice::Passphrase(_) | KekChoice::AwsKms(_) => None,
        }
    }

    pub(crate) fn place<'a>(&'a self, vault: &'a str) -> Place<'a> {
        Place {
            config: &self.config,
            vault,
        }
    }

    pub(crate) async fn open_store(&self) -> Result<Arc<dyn Store>> {
        match &self.store {
            None => Ok(Arc::new(ReopeningStore::open(&self.store_file()).await?)),
            Some(url) => Ok(ibyok_core::store::open(url).await?),
        }
    }

    /// Opens the log of a vault that exists. A slot that cannot be continued is skipped if its log is not this node's: a log that someone else
    /// put there must not stop a process.
    pub(crate) async fn open_log_of(&self, store: &Arc<dyn Store>, ring: &Keyring) -> Result<FileSink> {
        let refused = match self.open_log(Vec::new()).await {
            Err(
                error @ Error::Unavailable {
                    part: Part::AuditLog, ..
                },
            ) => error,
            opened => return opened,
        };
        let builder = Vault::builder().shared_store(Arc::clone(store)).keyring(ring.clone());
        let others = builder.other_logs(&self.audit).await?;
        if others.is_empty() {
            return Err(refused);
        }
        let logs = others.join(", ");
        tracing::warn!(logs, %refused, "skipped logs in the directory that are not this node's");
        self.open_log(others).await
    }

    pub(crate) async fn open_log(&self, pass_over: Vec<String>) -> Result<FileSink> {
        // A vault whose store is elsewhere has a directory for its log at least.
        if self.audit.parent() == Some(self.directory.as_path()) {
            directory::make(&self.directory)?;
        }
        // It says who uses which key, and from where. What is not even a directory the sink itself refuses, by what it is.
        if self.audit.is_dir() {
            directory::check_hidden(&self.audit)?;
        }
        Ok(self
            .log_builder()?
            .durability(self.durability)
            .rotate_after(self.old_lines.rotate_after)
            .segment_bytes(self.old_lines.rotate_size)
            .pass_over(pass_over)
            .open()
            .await?)
    }

    pub(crate) fn plain_builder(
        &self,
        store: Arc<dyn Store>,
        ring: Keyring,
        sink: FileSink,
        actor: &str,
    ) -> Result<WholeBuilder> {
        let builder = Vault::builder()
            .shared_store(store)
            .keyring(ring)
            .audit(sink)
            .key_cache_ttl(self.key_cache_ttl)
            .guardrails(self.guardrails)
            .opened_by(actor)
            .for_one_command(self.one_command);
        let builder = match self.audit_to_stdout {
            true => builder.also_audit(StdoutSink::new()),
            false => builder,
        };
        let sinks = self.open_sinks()?.into_iter();
        Ok(sinks.fold(builder, |builder, (sink, mode)| match mode {
            SinkMode::Required => builder.also_audit_required(sink),
            _ => builder.also_audit(sink),
        }))
    }

    /// Makes the further sinks of the log. They connect when there are lines.
    pub(crate) fn open_sinks(&self) -> Result<Vec<(Box<dyn Sink>, SinkMode)>> {
        self.sinks.iter().map(|sink| sink.open(self.listen)).collect()
    }

    pub(crate) fn no_vault(&self) -> Error {
        let (place, hint) = match &self.store {
            // Its logs are there: it was made, and its store is elsewhere or lost.
            None if self.audit.is_dir() => (
                format!("`{}`", self.directory.display()),
                "the directory holds a vault's audit log: set `IBYOK_STORE` to the store of that vault, or restore `vault.db`; for a new vault, run `ibyok init` with another directory",
            ),
            None => (
                format!("`{}`", self.directory.display()),
                "create a vault with `ibyok init`; if the vault existed before, its store file is missing",
            ),
            Some(_) => (
                format!("the given {} store", self.store_name()),
                "create a vault with `ibyok init`; if the vault existed before, this is another database, prefix or server",
            ),
        };
        Error::NotFound {
            what: format!("vault in {place}"),
            hint: Some(hint.into()),
        }
    }
}

/// Names the KEK that this machine lacks, where the vault does not open without it.
fn explained(opened: Result<Vault>, absent: Option<Slot>) -> Result<Vault> {
    match (opened, absent.map(|slot| slot.choice)) {
        (Err(Error::Kek { .. }), Some(KekChoice::Local(Some(path)))) => {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            let source = KekError::KekFileAccess { path, source }.into();
            Err(Error::Kek { source })
        }
        (opened, _) => opened,
    }
}
