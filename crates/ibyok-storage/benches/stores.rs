//! Measures a get, a put and a page of a listing in each store, with 100 records and with 100,000, on servers that
//! the program starts itself: `cargo bench -p ibyok-storage --features postgres,redis --bench stores [-- RECORDS…]`.
#![allow(
    clippy::allow_attributes,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program to be looked at"
)]

#[path = "../tests/servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_storage::{ChangeNumber, Collection, Expect, FileStore, Kind, RecordId, Store, open};
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinSet;

use self::servers::postgres::Postgres;
use self::servers::redis::Redis;

/// About what a key with one version takes.
const SIZE: usize = 1000;
const ROUNDS: u32 = 2000;

/// The number of writers that fill a store.
const WRITERS: u32 = 64;

/// The ids of real records are the outcome of a MAC: they come in no order, so neither do these.
fn id(kind: u8, number: u32) -> RecordId {
    const SPREAD: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let collection = Collection::new(Kind::new(kind), *b"aB3dE5gH").unwrap();
    RecordId::new(collection, u128::from(number).wrapping_mul(SPREAD).to_be_bytes())
}

#[tokio::main]
async fn main() {
    // `cargo test --all-targets` starts benchmarks as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    for records in if asked.is_empty() { vec![100, 100_000] } else { asked } {
        compare(records).await;
    }
}

async fn compare(records: u32) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (postgres, redis) = (Postgres::start(&[]), Redis::start(&[]));
    println!("{records} records of {SIZE} bytes; median and 99th percentile of {ROUNDS}, one at a time, in µs");
    println!(
        "{:<18}{:>14}{:>14}{:>14}{:>16}{:>16}{:>14}{:>12}",
        "", "get", "changes", "put", "first ≤1000", "≤1000 of middle", "gets/s at 32", "puts/s"
    );
    let file: Arc<dyn Store> = Arc::new(FileStore::open(directory.path().join("store")).await.unwrap());
    measure("file", file, records).await;
    measure("postgres", open(&postgres.url()).await.unwrap(), records).await;
    pool(&postgres, records).await;
    measure("redis", open(&redis.url()).await.unwrap(), records).await;
}

async fn measure(name: &str, store: Arc<dyn Store>, records: u32) {
    let begun = Instant::now();
    fill(&store, records).await;
    let filled = f64::from(records) / begun.elapsed().as_secs_f64();
    let upto = store.changes(ChangeNumber::default()).await.unwrap().upto;
    let get = times(ROUNDS, |round| store.get_of(id(200, nth(round, records)))).await;
    let changes = times(ROUNDS, |_| store.changes_of(upto)).await;
    let puts = times(ROUNDS / 4, |round| store.create(id(3, round))).await;
    let first = times(ROUNDS / 10, |_| store.page_of(*id(200, 0).collection(), None)).await;
    let middle = RecordId::new(*id(200, 0).collection(), (u128::MAX / 2).to_be_bytes());
    let middle = times(ROUNDS / 10, |_| store.page_of(*id(200, 0).collection(), Some(middle))).await;
    let rate = rate(&store, records).await;
    println!("{name:<18}{get:>14}{changes:>14}{puts:>14}{first:>16}{middle:>16}{rate:>14}{filled:>12.0}");
}

/// A record that is not the neighbour of the one before, each as often.
fn nth(round: u32, records: u32) -> u32 {
    round.wrapping_mul(7919) % records
}

/// The same get through a pool of the driver's, which pings before each use.
async fn pool(postgres: &Postgres, records: u32) {
    let pool = PgPoolOptions::new()
        .max_connections(8)
        .connect(&postgres.url())
        .await
        .unwrap();
    let get = times(ROUNDS, |round| {
        let pool = pool.clone();
        async move {
            sqlx::query("SELECT revision, bytes FROM ibyok.records WHERE kind = 200 AND realm = $1 AND id = $2")
                .bind(b"aB3dE5gH".as_slice())
                .bind(id(200, nth(round, records)).id().as_slice())
                .fetch_one(&pool)
                .await
                .unwrap();
        }
    });
    println!("{:<18}{:>14}", "(through a pool)", get.await);
}

/// With many at once, each write as durable as any, in a collection that stays out of the feed.
async fn fill(store: &Arc<dyn Store>, records: u32) {
    let mut writers = JoinSet::new();
    for first in 0..WRITERS {
        let store = Arc::clone(store);
        writers.spawn(async move {
            for number in (first..records).step_by(WRITERS as usize) {
                store.put(&id(200, number), &[7; SIZE], Expect::Absent).await.unwrap();
            }
        });
    }
    writers.join_all().await;
}

async fn rate(store: &Arc<dyn Store>, records: u32) -> String {
    let begun = Instant::now();
    let mut readers = JoinSet::new();
    for reader in 0..32 {
        let store = Arc::clone(store);
        readers.spawn(async move {
            for round in 0..500 {
                let number = nth(reader * 500 + round, records);
                assert!(store.get(&id(200, number)).await.unwrap().is_some());
            }
        });
    }
    readers.join_all().await;
    format!("{:.0}", 16_000.0 / begun.elapsed().as_secs_f64())
}

async fn times<F: Future<Output = ()>>(rounds: u32, call: impl Fn(u32) -> F) -> String {
    let mut took: Vec<Duration> = Vec::new();
    for round in 0..rounds {
        let begun = Instant::now();
        call(round).await;
        took.push(begun.elapsed());
    }
    took.sort_unstable();
    let at = |share: usize| took[took.len() * share / 100].as_micros();
    format!("{} / {}", at(50), at(99))
}

/// Calls that own what they need.
trait Calls {
    fn get_of(&self, id: RecordId) -> impl Future<Output = ()>;
    fn changes_of(&self, since: ChangeNumber) -> impl Future<Output = ()>;
    fn create(&self, id: RecordId) -> impl Future<Output = ()>;
    fn page_of(&self, collection: Collection, after: Option<RecordId>) -> impl Future<Output = ()>;
}

impl Calls for Arc<dyn Store> {
    async fn get_of(&self, id: RecordId) {
        assert!(self.get(&id).await.unwrap().is_some());
    }

    async fn changes_of(&self, since: ChangeNumber) {
        self.changes(since).await.unwrap();
    }

    async fn create(&self, id: RecordId) {
        self.put(&id, &[7; SIZE], Expect::Absent).await.unwrap();
    }

    async fn page_of(&self, collection: Collection, after: Option<RecordId>) {
        self.list(&collection, after.as_ref(), 1000).await.unwrap();
    }
}
