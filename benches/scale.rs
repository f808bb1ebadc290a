//! Measures a vault of many keys in a file: `cargo bench -p ibyok-benches --bench scale -- 1000000`. Without a number it has
//! 100,000 keys.
//!
//! It imports the keys, opens the vault again, lists, checks and retrieves them, and verifies the log.

use std::fs;
use std::path::Path;
use std::process::id;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_benches::{Result, quantity, resident_kib};
use ibyok_core::audit::SinkDurability;
use ibyok_core::backups::{Backup, BackupRequest, StoreCopy, restore_records};
use ibyok_core::keks::KeysOf;
use ibyok_core::keys::{IfExists, KeyWrite};
use ibyok_core::pages::PageRequest;
use ibyok_core::{
    AccessToken, Environments, FileSink, FileStore, Grant, KeyRef, LocalKek, RequestContext, Scope, Scopes, Secret,
    TokenRequest, Vault,
};
use tempfile::TempDir;
use tokio::task::JoinSet;

/// The number of keys unless one is given.
const KEYS: usize = 100_000;

/// The number of keys that are imported at once, as by `ibyok import`.
const WRITERS: usize = 512;

/// The number of retrievals at once.
const READERS: usize = 64;

/// The time for which each kind of retrieval is measured.
const ROUND: Duration = Duration::from_secs(5);

/// The cache of a vault that is large enough for every key, in bytes for each.
const ROOM: u64 = 4096;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` starts benchmarks as well, without this.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let keys = arguments.iter().find_map(|argument| argument.parse().ok());
    // As the server's.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(measure(keys.unwrap_or(KEYS).max(READERS)))
}

/// The directory of a vault, with its KEK.
struct Place {
    directory: TempDir,
}

impl Place {
    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Opens the vault, or makes it. Without a size, the cache has the default size.
    async fn vault(&self, is_new: bool, cache: Option<u64>) -> Result<Vault> {
        let sink = FileSink::builder(self.path().join("audit")).durability(SinkDurability::Written);
        let builder = Vault::builder()
            .store(FileStore::open(self.path().join("vault.db")).await?)
            .kek(LocalKek::from_file(&self.path().join("kek"))?)
            .audit(sink.open().await?);
        let builder = match cache {
            Some(bytes) => builder.cache_bytes(bytes),
            None => builder,
        };
        Ok(match is_new {
            true => builder.create().await?,
            false => builder.open().await?,
        })
    }
}

fn name(number: usize) -> Result<KeyRef> {
    Ok(format!("prod/SERVICE_{number:07}_API_KEY").parse()?)
}

async fn measure(keys: usize) -> Result<()> {
    let place = Place {
        directory: TempDir::with_prefix_in("ibyok-scale-", env!("CARGO_TARGET_TMPDIR"))?,
    };
    LocalKek::create_file(&place.path().join("kek"))?;
    let vault = place.vault(true, None).await?;
    println!("{} keys in a file, the log written\n", quantity(count(keys)));
    let token = load(&vault, keys).await?;
    drop(vault);
    sizes(&place, keys)?;
    open(&place, &token).await?;
    let vault = place.vault(false, None).await?;
    list(&vault).await?;
    status(&vault).await?;
    keep(&place, &vault).await?;
    reseal(&vault).await?;
    let hot = retrieve(&vault, &token, 1, "one key").await?;
    let all = retrieve(&vault, &token, keys, "random keys, default cache").await?;
    drop(vault);
    let bytes = ROOM.saturating_mul(u64::try_from(keys)?);
    let vault = place.vault(false, Some(bytes)).await?;
    warm(&vault, &token, keys).await?;
    let fits = retrieve(&vault, &token, keys, "random keys, all in the cache").await?;
    row(
        "of the rate of one key",
        &format!("{:.2} and {:.2}", all / hot, fits / hot),
    );
    drop(vault);
    verify(&place).await
}

#[expect(clippy::cast_precision_loss, reason = "a count of keys for people")]
fn count(number: usize) -> f64 {
    number as f64
}

fn row(what: &str, figure: &str) {
    println!("{what:<36} {figure}");
}

fn memory() -> String {
    resident_kib(id()).map_or_else(|| "-".to_owned(), |kib| format!("{} MB resident", kib / 1024))
}

async fn load(vault: &Vault, keys: usize) -> Result<Arc<AccessToken>> {
    let begun = Instant::now();
    let mut writing = JoinSet::new();
    for number in 0..keys {
        let (key, operator) = (name(number)?, vault.operator("bench"));
        let value = Secret::copy_of(format!("sk-proj-{number:040}").as_bytes());
        writing.spawn(async move {
            let write = KeyWrite::from(value);
            operator.keys().import(&key, write, IfExists::Keep).await
        });
        if writing.len() >= WRITERS
            && let Some(written) = writing.join_next().await
        {
            written??;
        }
    }
    while let Some(written) = writing.join_next().await {
        written??;
    }
    let rate = count(keys) / begun.elapsed().as_secs_f64();
    row("import", &format!("{} keys a second, {}", quantity(rate), memory()));
    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["prod"]));
    let request = TokenRequest::new("worker", grant);
    Ok(Arc::new(vault.operator("bench").tokens().issue(request).await?.token))
}

fn sizes(place: &Place, keys: usize) -> Result<()> {
    let store: u64 = ["vault.db", "vault.db-wal"]
        .iter()
        .filter_map(|file| fs::metadata(place.path().join(file)).ok())
        .map(|file| file.len())
        .sum();
    let keys = u64::try_from(keys)?;
    row("store", &format!("{} bytes a key", store / keys));
    Ok(())
}

async fn open(place: &Place, token: &Arc<AccessToken>) -> Result<()> {
    let begun = Instant::now();
    let vault = place.vault(false, None).await?;
    vault.retrieve(token, &name(7)?, &RequestContext::default()).await?;
    row(
        "open and first retrieval",
        &format!("{} ms", begun.elapsed().as_millis()),
    );
    Ok(())
}

async fn list(vault: &Vault) -> Result<()> {
    let (operator, begun) = (vault.operator("bench"), Instant::now());
    let mut page = Some(PageRequest::default().limit(1000).last_use(true));
    let mut listed = 0;
    while let Some(asked) = page {
        let found = operator.keys().list(None, &asked).await?;
        listed += found.len();
        page = asked.following(&found);
    }
    let rate = count(listed) / begun.elapsed().as_secs_f64();
    row("list", &format!("{} keys a second, {}", quantity(rate), memory()));
    Ok(())
}

async fn status(vault: &Vault) -> Result<()> {
    let begun = Instant::now();
    let status = vault.status().await?;
    let records = (status.records.checked, status.floors.records);
    let took = begun.elapsed().as_millis();
    row(
        "status",
        &format!("{took} ms, {} of {} records checked", records.0, records.1),
    );
    Ok(())
}

/// Takes a backup, puts its records into another file, and moves these to a third.
async fn keep(place: &Place, vault: &Vault) -> Result<()> {
    let file = place.path().join("one.backup");
    let begun = Instant::now();
    let taken = vault
        .operator("bench")
        .backups()
        .write(&file, BackupRequest::default())
        .await?;
    kept("backup", taken.records, begun);
    let backup = Backup::open(&file)?;
    let begun = Instant::now();
    kept("backup --verify", backup.verify_digest(&|_| {})?.records, begun);
    let restored = FileStore::open(place.path().join("restored.db")).await?;
    let begun = Instant::now();
    kept("restore", restore_records(&backup, &restored, &|_| {}).await?, begun);
    let copy = FileStore::open(place.path().join("copied.db")).await?;
    let begun = Instant::now();
    let copied = StoreCopy {
        from: &restored,
        to: &copy,
        to_name: "a file",
    };
    kept("copy", copied.run(&|_| {}).await?.records, begun);
    Ok(())
}

/// Seals every record under a new generation, and deletes the old one.
async fn reseal(vault: &Vault) -> Result<()> {
    let keks = vault.keks("bench");
    let begun = Instant::now();
    let resealed = keks.reseal(&KeysOf::Everything, &mut |_, _| {}).await?;
    kept("reseal", resealed.iter().map(|one| one.resealed).sum(), begun);
    let begun = Instant::now();
    let dropped = keks.drop_generation(1, &KeysOf::Everything, &mut |_, _| {}).await?;
    // Each record is read twice.
    let read = dropped.iter().map(|one| one.checked.saturating_mul(2)).sum();
    kept("drop generation", read, begun);
    Ok(())
}

fn kept(what: &str, records: u64, begun: Instant) {
    let rate = count(usize::try_from(records).unwrap_or(0)) / begun.elapsed().as_secs_f64();
    row(what, &format!("{} records a second, {}", quantity(rate), memory()));
}

/// Retrieves each key once.
async fn warm(vault: &Vault, token: &Arc<AccessToken>, keys: usize) -> Result<()> {
    let mut readers = JoinSet::new();
    for reader in 0..READERS {
        let (vault, token) = (vault.clone(), Arc::clone(token));
        readers.spawn(async move {
            for number in (reader..keys).step_by(READERS) {
                vault
                    .retrieve(&token, &name(number)?, &RequestContext::default())
                    .await?;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
        });
    }
    while let Some(read) = readers.join_next().await {
        read??;
    }
    Ok(())
}

/// Retrieves random keys of the first `keys`, and returns the rate.
async fn retrieve(vault: &Vault, token: &Arc<AccessToken>, keys: usize, what: &str) -> Result<f64> {
    let (begun, mut readers) = (Instant::now(), JoinSet::new());
    for reader in 0..READERS {
        let (vault, token) = (vault.clone(), Arc::clone(token));
        readers.spawn(async move {
            let (mut done, mut random) = (0_usize, 0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(reader as u64 + 1));
            while begun.elapsed() < ROUND {
                // xorshift64: which key comes next must not be what a cache expects.
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let number = usize::try_from(random >> 1).unwrap_or(0) % keys;
                vault
                    .retrieve(&token, &name(number)?, &RequestContext::default())
                    .await?;
                done += 1;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(done)
        });
    }
    let mut done = 0;
    while let Some(read) = readers.join_next().await {
        done += read??;
    }
    let rate = count(done) / begun.elapsed().as_secs_f64();
    row(what, &format!("{} a second, {}", quantity(rate), memory()));
    Ok(rate)
}

async fn verify(place: &Place) -> Result<()> {
    let vault = place.vault(false, None).await?;
    let begun = Instant::now();
    let report = vault.whole_log("bench").verify(&[]).await?;
    let rate = count(usize::try_from(report.events)?) / begun.elapsed().as_secs_f64();
    row(
        "audit verify",
        &format!(
            "{} of {} lines a second",
            quantity(rate),
            quantity(count(usize::try_from(report.events)?))
        ),
    );
    Ok(())
}
