//! Counts the memory allocations of a retrieval in process: `cargo bench -p ibyok-benches --bench allocations`.
//!
//! Seconds change with the machine, and these counts do not. `-- --check` fails if a retrieval takes 5 % more than the
//! committed number, so that a regression shows in CI. `-- --retrieve COUNT` only retrieves, for callgrind to look at.

use std::alloc::System;
use std::sync::Arc;
use std::time::Duration;

use ibyok_benches::{Backing, Result, Scene};
use ibyok_core::audit::SinkDurability;
use ibyok_core::clock::Clock;
use jiff::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::task::JoinSet;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// The committed number of allocations of one retrieval in the profile `dev`, which CI builds. `-- --check` compares with it. An
/// optimised build takes 0.7 fewer.
const COMMITTED: f64 = 8.8;

/// The part of the committed number by which a count may be higher.
const SLACK: f64 = 0.05;

/// The number of callers that retrieve at the same time.
const TASKS: usize = 64;

/// The number of retrievals that are counted.
const COUNT: usize = 20_000;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--retrieve", count, ..] => {
            let count = count.parse()?;
            on_one_thread(async move {
                let setting = (Backing::Memory, SinkDurability::Written);
                let scene = Scene::with_clock(setting.0, setting.1, (1, 64), Stopped).await?;
                retrieve(&Arc::new(scene), count).await
            })
        }
        _ if words.contains(&"--bench") => {
            let (allocations, bytes) = on_one_thread(count())?;
            println!("a retrieval: {allocations:.1} allocations, {bytes:.0} bytes");
            match words.contains(&"--check") && allocations > COMMITTED * (1.0 + SLACK) {
                true => Err(format!("the committed number is {COMMITTED}").into()),
                false => Ok(()),
            }
        }
        // `cargo test --all-targets` starts benchmarks as well, without this.
        _ => Ok(()),
    }
}

/// A clock that stands still: callgrind slows a program down fiftyfold, and what is due by time must not count. It cannot follow the way
/// in which the vault reads the machine's clock either.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }

    fn elapsed(&self) -> Duration {
        Duration::from_secs(1000)
    }
}

/// Runs on one thread, so that the callers take turns in the same order each time.
fn on_one_thread<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}

/// One key: the flush of its counts, once a second, allocates too little to show.
async fn scene() -> Result<Arc<Scene>> {
    Scene::new(Backing::Memory, SinkDurability::Written, 1, 64)
        .await
        .map(Arc::new)
}

/// Returns the allocations and the bytes of one retrieval.
async fn count() -> Result<(f64, f64)> {
    let scene = scene().await?;
    // Until the buffers that stay have their size.
    retrieve(&scene, COUNT / 4).await?;
    let region = Region::new(ALLOCATOR);
    retrieve(&scene, COUNT).await?;
    let counted = region.change();
    let each = |number: usize| number as f64 / COUNT as f64;
    let allocations = counted.allocations + counted.reallocations;
    Ok((each(allocations), each(counted.bytes_allocated)))
}

async fn retrieve(scene: &Arc<Scene>, count: usize) -> Result<()> {
    let mut running = JoinSet::new();
    for task in 0..TASKS {
        let scene = Arc::clone(scene);
        running.spawn(async move {
            for number in (task..count).step_by(TASKS) {
                scene.retrieve(number).await?;
            }
            Result::Ok(())
        });
    }
    while let Some(done) = running.join_next().await {
        done??;
    }
    Ok(())
}
