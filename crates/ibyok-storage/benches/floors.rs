//! The authenticated map with a million numbers: bytes, opening, lookups, memory, and two million changes on a thousand records.
//! Prints numbers and asserts nothing.

#![allow(
    clippy::allow_attributes,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark that cannot be set up has failed"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ibyok_storage::{AuthenticatedMap, MapChange, MapDurability, MapKey, map_files};

const RECORDS: u64 = 1_000_000;
const BATCH: u64 = 10_000;

/// A keyed hash that costs next to nothing: the map is measured, not HMAC.
#[derive(Debug)]
struct Key;

impl MapKey for Key {
    fn mac(&self, bytes: &[u8]) -> [u8; 32] {
        let mut mac = [0; 32];
        for (round, chunk) in mac.chunks_exact_mut(8).enumerate() {
            let start = 0xcbf2_9ce4_8422_2325 ^ round as u64;
            let hash = bytes.iter().fold(start, |hash, byte| {
                (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
            });
            chunk.copy_from_slice(&hash.to_be_bytes());
        }
        mac
    }

    fn owner(&self) -> String {
        "bench".to_owned()
    }
}

/// A name as long as that of a record, in no order.
fn name(n: u64) -> Vec<u8> {
    let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut name = b"f\x03abcdefgh".to_vec();
    name.extend_from_slice(&scattered.to_be_bytes());
    name.extend_from_slice(&n.to_be_bytes());
    name
}

fn raise(n: u64, number: u64) -> MapChange {
    MapChange::Raise { key: name(n), number }
}

fn bytes(path: &Path) -> u64 {
    let files = map_files(path);
    files
        .iter()
        .filter_map(|file| std::fs::metadata(file).ok())
        .map(|file| file.len())
        .sum()
}

fn memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    kib / 1024.0
}

#[tokio::main]
async fn main() {
    let scratch = tempfile::tempdir().unwrap();
    let path = scratch.path().join("history");
    let map = AuthenticatedMap::create(&path, Arc::new(Key)).await.unwrap();
    let begun = Instant::now();
    for round in 0..2000 {
        let changes = (0..1000).map(|n| raise(n, round + 1)).collect();
        map.apply(changes, MapDurability::Kernel).await.unwrap();
    }
    println!(
        "2,000,000 changes on 1,000 records: {:?}, {} bytes while open",
        begun.elapsed(),
        bytes(&path)
    );
    map.close().await;
    println!("  {} bytes after closing", bytes(&path));

    let path = scratch.path().join("many");
    let map = AuthenticatedMap::create(&path, Arc::new(Key)).await.unwrap();
    for batch in 0..RECORDS / BATCH {
        let changes = (0..BATCH).map(|n| raise(batch * BATCH + n, 1)).collect();
        map.apply(changes, MapDurability::Kernel).await.unwrap();
    }
    map.close().await;
    println!(
        "1,000,000 records: {:.1} bytes each",
        bytes(&path) as f64 / RECORDS as f64
    );
    drop(map);
    let before = memory();
    let begun = Instant::now();
    let map = AuthenticatedMap::open(&path, Arc::new(Key)).await.unwrap().unwrap();
    println!("  opening: {:?}", begun.elapsed());
    let begun = Instant::now();
    for n in 0..10_000 {
        map.number(&name(n * 97)).await.unwrap();
    }
    println!("  a lookup: {:?}", begun.elapsed() / 10_000);
    let begun = Instant::now();
    for n in 0..1000 {
        map.apply(vec![raise(n * 97, 2)], MapDurability::Kernel).await.unwrap();
    }
    println!("  a change: {:?}", begun.elapsed() / 1000);
    println!("  memory: {:.1} MiB more than before opening", memory() - before);
    let begun = Instant::now();
    let verdict = map.verify().await.unwrap();
    println!("  reading every item: {:?} ({verdict:?})", begun.elapsed());
}
