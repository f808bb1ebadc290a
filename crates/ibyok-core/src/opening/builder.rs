//! Opening a vault, and making one.

use std::path::Path;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use ibyok_audit::{
    Action, AuditHome, FileSink, Log, LogBuilder, Phase, Principal as Who, PrincipalKind, Sink, newest_store_mark,
};
use ibyok_crypto::{Keyring, VaultId};
use ibyok_storage::{ChangeNumber, Expect, GroupedStore, Store};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::base::clock::{Clock, SteadyClock, SystemClock, check_clock};
use crate::base::context::RequestContext;
use crate::base::error::{Error, Part, Result};
use crate::base::remedy::Remedy;
use crate::floor::stated::Stated;
use crate::floor::{FloorKey, Floors, Found, Setup};
use crate::gate::attempt::Attempt;
use crate::gate::principal::check_actor;
use crate::logs::kept::Checkpoints;
use crate::logs::own_end::Own;
use crate::model::guardrails::Guardrails;
use crate::model::key::Stamp;
use crate::model::name::Namespace;
use crate::opening::keks::NoKeks;
use crate::opening::memory::cache_of_this_machine;
use crate::opening::upkeep::{look_after, look_through_floors};
use crate::realm::RealmName;
use crate::realm::log_keys::{vouched_logs, with_lines};
use crate::realm::make::{Opening, make_realm};
use crate::realm::removal::made_after;
use crate::realm::vault_record::{FORMAT, VaultRecord, first_environments, read_vault, vault_record};
use crate::records::Records;
use crate::records::cache::RecordCache;
use crate::records::damaged_again::look_at_damaged_again;
use crate::records::keks::{HeldKeks, KekSource};
use crate::records::lease::{BEFORE_THE_FIRST, DEADLINE, Lease};
use crate::records::realms::Realms;
use crate::records::verifier::PRESENTED;
use crate::uses::keep_counts;
use crate::vault::{Inner, Vault};
use crate::verbs::status::Survives;

/// The time for which opened environment keys are kept by default.
const KEY_CACHE_TTL: Duration = Duration::from_secs(300);

/// A vault that is being put together. It wants a store, at least one KEK, and an audit log, in any order.
#[must_use = "a builder does nothing until the vault is opened or created"]
#[derive(Debug)]
pub struct VaultBuilder<S, K, L> {
    pub(super) store: S,
    pub(super) keks: K,
    pub(super) audit: L,
    pub(super) options: Options,
}

pub(super) struct Options {
    log: LogBuilder,
    clock: Arc<dyn Clock>,
    cache_bytes: u64,
    key_cache_ttl: Duration,
    guardrails: Guardrails,
    pub(super) home: Namespace,
    actor: String,
    id: Option<VaultId>,
    rebuild_floors: bool,
    one_command: bool,
    restored: bool,
    pub(super) kek_source: Option<Arc<dyn KekSource>>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("home", &self.home)
            .field("actor", &self.actor)
            .finish_non_exhaustive()
    }
}

impl Vault {
    /// The beginning of every vault.
    pub fn builder() -> VaultBuilder<(), NoKeks, ()> {
        VaultBuilder::new()
    }
}

impl VaultBuilder<(), NoKeks, ()> {
    pub(crate) fn new() -> Self {
        let options = Options {
            log: Log::builder(),
            clock: Arc::new(SystemClock),
            cache_bytes: cache_of_this_machine(),
            key_cache_ttl: KEY_CACHE_TTL,
            guardrails: Guardrails::default(),
            home: Namespace::default(),
            actor: "ibyok".to_owned(),
            id: None,
            rebuild_floors: false,
            one_command: false,
            restored: false,
            kek_source: None,
        };
        VaultBuilder {
            store: (),
            keks: NoKeks,
            audit: (),
            options,
        }
    }
}

impl<K, L> VaultBuilder<(), K, L> {
    /// Sets the store of the sealed records.
    pub fn store(self, store: impl Store + 'static) -> VaultBuilder<Arc<dyn Store>, K, L> {
        self.shared_store(Arc::new(store))
    }

    /// Sets the store of the sealed records, if others hold the store as well.
    pub fn shared_store(self, store: Arc<dyn Store>) -> VaultBuilder<Arc<dyn Store>, K, L> {
        VaultBuilder {
            store,
            keks: self.keks,
            audit: self.audit,
            options: self.options,
        }
    }
}

impl<S, K> VaultBuilder<S, K, ()> {
    /// Sets the audit log: every retrieval is on it before the key is released. The log is a [`FileSink`] in a
    /// directory, or any [`Home`](ibyok_audit::Home), such as a [`MemoryHome`](ibyok_audit::MemoryHome) in tests.
    pub fn audit<L: Into<AuditHome>>(self, home: L) -> VaultBuilder<S, K, L> {
        VaultBuilder {
            store: self.store,
            keks: self.keks,
            audit: home,
            options: self.options,
        }
    }
}

impl<S, K, L> VaultBuilder<S, K, L> {
    /// Adds a sink in which every line must be durable, too, before a key is released: without its acknowledgement the vault refuses
    /// every request. Opening the vault fails if the sink does not acknowledge durability.
    pub fn also_audit_required(mut self, sink: impl Sink + 'static) -> Self {
        self.options.log = self.options.log.required(sink);
        self
    }

    /// Adds a sink of the audit log's lines, best effort: a `log.gap` line counts the lines that it drops.
    pub fn also_audit(mut self, sink: impl Sink + 'static) -> Self {
        self.options.log = self.options.log.best_effort(sink);
        self
    }

    /// Sets the source of the time; the machine's clocks unless given.
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.options.clock = Arc::new(clock);
        self
    }

    /// Sets the number of bytes of records that are kept in memory. Unless given, a sixteenth of the memory that the machine or the
    /// container has: at least 64 MiB, and at most 1 GiB. The memory is taken only as records are used.
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.options.cache_bytes = bytes;
        self
    }

    /// Sets the time for which an opened environment key is kept before the KEK is asked again; 5 minutes unless
    /// given. Zero asks at every retrieval, so that a KMS's own log shows each.
    pub fn key_cache_ttl(mut self, ttl: Duration) -> Self {
        self.options.key_cache_ttl = ttl;
        self
    }

    /// Sets the modes that this node enforces in classes of environments, over the vault's settings; none unless
    /// given.
    pub fn guardrails(mut self, guardrails: Guardrails) -> Self {
        self.options.guardrails = guardrails;
        self
    }

    /// Sets the vault's home: the namespace that operators act in unless they choose another, and whose realm seals this node's own
    /// records; `default` unless given.
    pub fn home(mut self, namespace: Namespace) -> Self {
        self.options.home = namespace;
        self
    }

    /// Rebuilds the floors even from a log that is not as it was written, or in place of a file that belongs to somebody else.
    /// Without it, such a vault is not opened. For `ibyok audit floors rebuild`.
    pub fn rebuild_floors(mut self) -> Self {
        self.options.rebuild_floors = true;
        self
    }

    /// Sets the id of a vault that is made, for a caller that names the KEK's file by it. The id is random unless set.
    pub fn vault_id(mut self, id: VaultId) -> Self {
        self.options.id = Some(id);
        self
    }

    /// Sets the operator who opens the vault, for the audit log; `ibyok` unless given.
    pub fn opened_by(mut self, actor: impl Into<String>) -> Self {
        self.options.actor = actor.into();
        self
    }

    /// Opens a store that was just restored from a backup: the change numbers that the log knows of the store before no longer count. For
    /// [`BackupVerbs::settle`](crate::backups::BackupVerbs::settle), which then accepts the older records.
    pub fn restored(mut self) -> Self {
        self.options.restored = true;
        self
    }

    /// Marks the vault as opened for one command, so that readers of the audit log can leave its opening and closing
    /// out.
    pub fn for_one_command(mut self, one_command: bool) -> Self {
        self.options.one_command = one_command;
        self
    }
}

impl<L> VaultBuilder<Arc<dyn Store>, Keyring, L> {
    /// Lists the logs in a directory that are not this node's: a caller passes them over when a [`FileSink`] cannot open the directory.
    /// The list is empty if the KEK opens no realm of the vault, or if nothing proves that the directory is this vault's.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the store holds no vault, [`Error::Integrity`] for a damaged one, [`Error::Unavailable`].
    pub async fn other_logs(&self, directory: &Path) -> Result<Vec<String>> {
        let record = read_vault(self.store.as_ref()).await?.ok_or_else(no_vault)?;
        let opening = Opening {
            vault: record.id()?,
            store: self.store.as_ref(),
            keyring: held(&self.keks)?,
        };
        match opening.home(&self.options.home, directory).await {
            Ok(home) => opening.other_logs(directory, &home).await,
            Err(_) => Ok(Vec::new()),
        }
    }
}

impl<L: Into<AuditHome>> VaultBuilder<Arc<dyn Store>, Keyring, L> {
    /// Opens a vault that exists.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the store holds no vault, [`Error::Kek`] if the KEK is not this vault's, [`Error::Invalid`] for a
    /// vault of a newer format, [`Error::Integrity`] for a damaged one, [`Error::Unavailable`].
    pub async fn open(self) -> Result<Vault> {
        self.options.check()?;
        let record = read_vault(self.store.as_ref()).await?.ok_or_else(no_vault)?;
        self.with_log().await?.start(record.id()?, None).await
    }

    /// Makes a new vault, with the environments dev, staging and prod.
    ///
    /// # Errors
    /// [`Error::Exists`] if the store holds a vault, which is left as it is; else as [`VaultBuilder::open`].
    pub async fn create(self) -> Result<Vault> {
        self.options.check()?;
        if read_vault(self.store.as_ref()).await?.is_some() {
            return Err(vault_exists());
        }
        check_actor(&self.options.actor)?;
        self.with_log().await?.make().await
    }

    /// Opens the vault in the store, or makes a new one if the store holds none. Of several programs that do so at once, one
    /// makes the vault, and the others get [`Error::Exists`]: they may call it again.
    ///
    /// # Errors
    /// As [`VaultBuilder::open`] and [`VaultBuilder::create`].
    pub async fn open_or_create(self) -> Result<Vault> {
        match read_vault(self.store.as_ref()).await? {
            Some(_) => self.open().await,
            None => self.create().await,
        }
    }

    /// Opens the sink of the log, which for a home is a copy of it in a directory.
    async fn with_log(self) -> Result<OpenBuilder> {
        let audit = self.audit.into().open().await?;
        Ok(VaultBuilder {
            store: self.store,
            keks: self.keks,
            audit,
            options: self.options,
        })
    }
}

/// A builder whose audit log has been taken.
type OpenBuilder = VaultBuilder<Arc<dyn Store>, Keyring, FileSink>;

impl OpenBuilder {
    async fn make(self) -> Result<Vault> {
        let place = self.audit.state();
        // This process may have got a new slot next to those of a vault that is in use.
        if place.public_key().is_some() || !ibyok_audit::begun_logs_in(place.root())?.is_empty() {
            let what = format!("`{}` holds the audit log of another vault", place.name());
            return Err(Error::invalid(what, Remedy::OwnLogDirectory));
        }
        let id = match self.options.id {
            Some(id) => id,
            None => VaultId::generate().map_err(|error| Error::unavailable(Part::Kek, error))?,
        };
        let now = self.options.clock.now();
        let record = VaultRecord {
            format: FORMAT,
            vault: id.to_string(),
            created: now,
        };
        let opening = Opening {
            vault: id,
            store: self.store.as_ref(),
            keyring: held(&self.keks)?,
        };
        let stamp = Stamp {
            at: now,
            by: self.options.actor.clone(),
        };
        // The realms come before the vault's own record: a vault that a crash leaves half made is none, and is made
        // again.
        for (environment, class) in first_environments()? {
            let name = RealmName {
                namespace: self.options.home.clone(),
                environment,
            };
            make_realm(&opening, &name, class, made_after(0), &stamp).await?;
        }
        let body = serde_json::to_vec(&record).map_err(|_| Error::integrity("the vault's record"))?;
        self.store
            .put(&vault_record(), &body, Expect::Absent)
            .await
            .map_err(|error| match error {
                ibyok_storage::Error::Exists => vault_exists(),
                other => other.into(),
            })?;
        self.start(id, Some(now)).await
    }

    async fn start(self, vault: VaultId, created: Option<Timestamp>) -> Result<Vault> {
        check_actor(&self.options.actor)?;
        let VaultBuilder {
            store,
            keks,
            audit,
            options,
        } = self;
        // Concurrent requests share reads of the store, and concurrent changes its transactions.
        let store: Arc<dyn Store> = Arc::new(GroupedStore::new(store));
        let opening = Opening {
            vault,
            store: store.as_ref(),
            keyring: held(&keks)?,
        };
        let home = opening.home(&options.home, audit.state().root()).await?;
        let (audit, key) = opening.own_log(audit, &home).await?;
        let place = audit.state();
        let clock = Arc::new(SteadyClock::new(options.clock, place.last_time()));
        let of_log = Arc::clone(&clock);
        // Before the log's first line, which states it.
        let looked = clock.elapsed();
        let upto = newest_change(store.as_ref()).await?;
        let stated = Arc::new(Stated::default());
        stated.store_came_to(upto.as_u64());
        let logs = vouched_logs(store.as_ref(), place.root(), &home).await?;
        stated.store_epoch_is(newest_store_mark(place.root(), &logs)?.epoch, upto.as_u64());
        if options.restored {
            stated.accepts_store_at(upto.as_u64());
        }
        // Before the log's first line, which speaks of them.
        let (floors, found) = Floors::open(Setup {
            place: place.root().to_owned(),
            is_temporary: place.is_temporary(),
            log: place.log().to_owned(),
            last_seq: place.next_seq().saturating_sub(1),
            logs,
            store: Arc::clone(&store),
            key: Arc::new(FloorKey {
                vault,
                home: Arc::clone(&home),
            }),
            stated: Arc::clone(&stated),
            by_force: options.rebuild_floors,
            now: clock.now(),
        })
        .await?;
        let kept = Checkpoints {
            store: store.as_ref(),
            home: Arc::clone(&home),
        };
        let own = Own {
            kept,
            floors: &floors,
            place: &place,
            key: with_lines(&home, key.public(place.log())),
            now: clock.now(),
        };
        let end = own.end().await?;
        let log = options.log.home(audit).clock(move || of_log.now());
        let to_state = Arc::clone(&stated);
        let log = log.statement(move || to_state.now());
        let log = opening.log(log, &place, &home, key, &options.actor).await?;
        // Just opened: a look at it costs the KEK a call only once it has changed.
        let home_record = store.get(&home.name.record_id(vault)).await?;
        let home_record = home_record.map(|stored| Sha256::digest(&stored.bytes).into());
        let realms = Realms::default();
        if home_record != Some(home.digest) {
            // It changed before the feed was read for the first time.
            realms.forget_keys();
        }
        let records = Arc::new(Records {
            vault,
            keks: HeldKeks::new(keks.clone(), options.kek_source),
            store: Arc::clone(&store),
            presented: home.keys.keyed_hasher(PRESENTED),
            newest_home: RwLock::new(Arc::clone(&home)),
            home,
            home_record: Mutex::new(home_record),
            clock,
            realms,
            cache: RecordCache::new(options.cache_bytes),
            lease: Lease::begun(looked, upto),
            stated,
            behind: Mutex::default(),
            floors,
            key_cache_ttl: options.key_cache_ttl,
            damaged_records: Mutex::default(),
        });
        let log = (log, place.next_seq().saturating_sub(1), options.actor.as_str());
        let inner = Arc::new(Inner::compose(records, log, options.guardrails));
        inner.records.hold_lease().await?;
        // A store that was put back on purpose has an older home, which is judged with its other records.
        if !options.restored {
            inner.records.check_life(&inner.records.home).await?;
        }
        if created.is_some() {
            inner.records.saw_first_realms().await?;
        }
        if place.next_seq() == 1 {
            // Before the log's second line: a log with more lines and no checkpoint in the store has lost one.
            inner.logs.keep_checkpoint(&mut None).await;
            inner.logs.tell_lost_keys().await?;
        }
        let opened_by = (options.actor.as_str(), options.one_command);
        inner.say_opened(opened_by, created.is_some()).await?;
        let made_again = found.fresh || found.made || found.wrong.is_some();
        inner.say_found(found, created.is_some()).await?;
        inner.logs.follow_the_move(&place).await?;
        inner.logs.tell_end(end, &place).await?;
        inner.logs.compare_other_ends().await?;
        if made_again {
            inner.logs.learn_ends().await?;
        }
        inner.logs.compare_store().await?;
        inner.changes.finish_interrupted(&options.actor).await;
        tokio::spawn(look_after(Arc::downgrade(&inner)));
        tokio::spawn(look_through_floors(Arc::downgrade(&inner)));
        tokio::spawn(look_at_damaged_again(Arc::downgrade(&inner.records)));
        tokio::spawn(keep_counts(Arc::downgrade(&inner.usage), Arc::clone(&inner.counting)));
        Ok(Vault { inner })
    }
}

impl Options {
    /// Makes every check that is possible before anything is written: a vault that cannot be opened afterwards is not
    /// made.
    fn check(&self) -> Result<()> {
        check_clock(self.clock.now())?;
        Ok(self.log.check_required()?)
    }
}

pub(super) fn no_vault() -> Error {
    Error::NotFound {
        what: "vault in this store".to_owned(),
        hint: Some(Remedy::CreateVault),
    }
}

fn vault_exists() -> Error {
    Error::Exists {
        what: "a vault in this store".to_owned(),
    }
}

impl Inner {
    /// Reports the result of opening the floors: on the log, and in `status`.
    async fn say_found(&self, found: Found, created: bool) -> Result<()> {
        if let Some(wrong) = &found.wrong {
            self.say_floors(Action::LogFloorsRebuilt, wrong).await;
        }
        if found.fresh && !created && self.holds_records().await? {
            self.records.floors.begin_without_history(self.records.now()).await?;
            let what = "this node has no floors for the records in the store";
            self.say_floors(Action::LogNoHistory, what).await;
            // Of another store, many nodes begin like this. A file has its directory of logs beside it.
            if self.records.store_is_a_file().await? {
                let what = format!("{what}: its directory of logs is new, or was emptied");
                self.records.floors.find_in_logs(self.records.now(), &what).await?;
            }
        }
        Ok(())
    }

    async fn say_opened(&self, (actor, one_command): (&str, bool), created: bool) -> Result<()> {
        let action = if created { Action::VaultInit } else { Action::VaultOpen };
        let nowhere = RequestContext::default();
        let mut attempt = Attempt::new(action, self.records.now(), &nowhere);
        attempt.facts.principal = Some(Who::new(PrincipalKind::Operator).id(actor).into_owned());
        let health = self.records.store.check().await?;
        // The store's promise is on the log of every session that relied on it.
        let mut store = format!(
            "store {}, survives {}",
            health.backend,
            Survives::from(health.durability)
        );
        if one_command {
            store.push_str(crate::verbs::audit::FOR_ONE_COMMAND);
        }
        let event = if created {
            attempt.phase(Phase::Done)
        } else {
            attempt.allowed()
        };
        self.recorder.record(event.reason(store)).await
    }
}

/// Returns the newest change of the store's change feed.
async fn newest_change(store: &dyn Store) -> Result<ChangeNumber> {
    let changes = tokio::time::timeout(DEADLINE, store.changes(BEFORE_THE_FIRST)).await;
    let changes = changes.map_err(|_| Error::unavailable(Part::Store, "timed out reading the store's change feed"))?;
    Ok(changes?.upto)
}

/// Refuses a ring without a KEK.
fn held(keks: &Keyring) -> Result<&Keyring> {
    match keks.is_empty() {
        true => Err(Error::unavailable(Part::Kek, "no KEK was given")),
        false => Ok(keks),
    }
}
