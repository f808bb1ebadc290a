//! Retrievals over each store: with every cache filled, without a record in memory, and by a node that was opened just now.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_benches::{Result, median, percentile, quantity};
use ibyok_core::{Kek, LocalKek};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::node::{Asker, Node, Place};
use crate::servers::postgres::Postgres;
use crate::servers::redis::Redis;

/// The number of keys in the vault.
const KEYS: usize = 1000;

/// The number of measurements of each way. Stores take turns, so that other load of the machine meets all of them.
const ROUNDS: usize = 5;

/// The number of retrievals in a round, one after another.
const RETRIEVALS: usize = 2000;

/// The number of concurrent retrievals.
const AT_ONCE: usize = 32;

/// The number of nodes opened in a round.
const OPENED: usize = 10;

/// The measurements of one store.
struct Measured {
    name: &'static str,
    place: Place,
    warm: Node,
    no_cache: Node,
    rows: [Row; 3],
}

/// One way of asking: every latency in microseconds, and the rates with many at once.
#[derive(Default)]
struct Row {
    micros: Vec<u32>,
    rates: Vec<f64>,
}

pub(crate) async fn compare() -> Result<()> {
    let file = TempDir::with_prefix("ibyok-bench-")?;
    let (postgres, redis) = (Postgres::start(&[]), Redis::start(&[]));
    let mut all = Vec::new();
    for (name, url) in [
        ("file", format!("file:{}", file.path().join("vault.db").display())),
        ("PostgreSQL", postgres.url()),
        ("Redis", redis.url()),
    ] {
        all.push(Measured::new(name, url).await?);
    }
    for _ in 0..ROUNDS {
        for measured in &mut all {
            measured.round().await?;
        }
    }
    println!("retrievals over {KEYS} keys, log written; {ROUNDS} rounds of {RETRIEVALS}, of {OPENED} nodes opened");
    println!(
        "{:<12}{:<24}{:>8}{:>8}{:>8}{:>14}",
        "", "µs", "least", "p50", "p99", "a second at 32"
    );
    for measured in &mut all {
        measured.print();
    }
    Ok(())
}

impl Measured {
    async fn new(name: &'static str, url: String) -> Result<Self> {
        let kek: Arc<dyn Kek> = Arc::new(LocalKek::generate()?);
        let place = Place::new(url, kek)?;
        let vault = place.builder().await?.create().await?;
        let asker = Asker::new(&vault, &["prod"], KEYS).await?;
        let no_cache = Node {
            vault: place.builder().await?.cache_bytes(0).open().await?,
            asker: Arc::clone(&asker),
        };
        let warm = Node { vault, asker };
        for number in 0..KEYS {
            warm.retrieve(number).await?;
            no_cache.retrieve(number).await?;
        }
        Ok(Measured {
            name,
            place,
            warm,
            no_cache,
            rows: Default::default(),
        })
    }

    async fn round(&mut self) -> Result<()> {
        let [warm, no_cache, opened] = &mut self.rows;
        for (node, row) in [(&self.warm, warm), (&self.no_cache, no_cache)] {
            for number in 0..RETRIEVALS {
                row.time(node.retrieve(number)).await?;
            }
            row.rates.push(rate(node).await?);
        }
        for number in 0..OPENED {
            let builder = self.place.builder().await?;
            let asker = Arc::clone(&self.no_cache.asker);
            let first = async move {
                let node = Node {
                    vault: builder.open().await?,
                    asker,
                };
                node.retrieve(number).await?;
                Ok(node)
            };
            let node = opened.time(first).await?;
            node.vault.close().await?;
        }
        Ok(())
    }

    fn print(&mut self) {
        let ways = ["from caches", "every record from store", "a node opened, and once"];
        for (way, row) in ways.iter().zip(&mut self.rows) {
            row.micros.sort_unstable();
            let at = |share| percentile(&row.micros, share);
            let rate = if row.rates.is_empty() {
                String::new()
            } else {
                quantity(median(&row.rates))
            };
            println!(
                "{:<12}{way:<24}{:>8}{:>8}{:>8}{rate:>14}",
                self.name,
                at(0),
                at(50),
                at(99)
            );
        }
    }
}

impl Row {
    async fn time<T>(&mut self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let begun = Instant::now();
        let done = call.await?;
        self.micros.push(u32::try_from(begun.elapsed().as_micros())?);
        Ok(done)
    }
}

/// Retrievals a second, many at a time.
async fn rate(node: &Node) -> Result<f64> {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..AT_ONCE {
        let node = node.clone();
        running.spawn(async move {
            for number in 0..RETRIEVALS / AT_ONCE {
                node.retrieve(task * 31 + number).await?;
            }
            Result::Ok(())
        });
    }
    for done in running.join_all().await {
        done?;
    }
    let took: Duration = begun.elapsed();
    Ok(f64::from(u32::try_from(RETRIEVALS / AT_ONCE * AT_ONCE)?) / took.as_secs_f64())
}
