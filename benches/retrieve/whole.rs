//! Retrievals in process, from the token to the value, with their lines on the audit log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use ibyok_benches::{Backing, Scene};
use ibyok_core::audit::SinkDurability;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

/// The number of concurrent retrievals.
const TASKS: u64 = 64;

/// The runtime that the server has.
fn runtime() -> Runtime {
    Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

fn scene(runtime: &Runtime, backing: Backing, durability: SinkDurability, keys: usize) -> Arc<Scene> {
    Arc::new(
        runtime
            .block_on(Scene::new(backing, durability, keys, 64))
            .expect("a vault"),
    )
}

/// One after another: how long a caller waits, the hand-over to the log's thread and back included.
pub(crate) fn alone(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("retrieve");
    for backing in [Backing::Memory, Backing::File] {
        for (word, durability) in [("written", SinkDurability::Written), ("synced", SinkDurability::Synced)] {
            let scene = scene(&runtime, backing, durability, 100);
            let id = BenchmarkId::new(backing.as_str(), word);
            group.bench_function(id, |b| b.to_async(&runtime).iter(|| scene.retrieve(1)));
        }
    }
    group.finish();
}

/// Many at a time, over every key of vaults of several sizes: the time for one is that of all by their number.
pub(crate) fn many(criterion: &mut Criterion) {
    let runtime = runtime();
    let mut group = criterion.benchmark_group("retrieve_64_at_a_time");
    for (backing, keys) in [
        (Backing::Memory, 100),
        (Backing::Memory, 10_000),
        (Backing::Memory, 100_000),
        (Backing::File, 100),
        (Backing::File, 10_000),
    ] {
        let id = BenchmarkId::new(format!("{}/written", backing.as_str()), format!("{keys}_keys"));
        let mut filled = None;
        group.bench_function(id, |b| {
            // A vault is filled only if it was asked for.
            let scene = filled.get_or_insert_with(|| scene(&runtime, backing, SinkDurability::Written, keys));
            b.iter_custom(|count| runtime.block_on(retrieve(scene, count)));
        });
    }
    group.finish();
}

async fn retrieve(scene: &Arc<Scene>, count: u64) -> Duration {
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for task in 0..TASKS {
        let scene = Arc::clone(scene);
        running.spawn(async move {
            for number in (task..count).step_by(TASKS as usize) {
                // A stride that meets every key, whatever their number.
                let number = usize::try_from(number).unwrap_or_default().wrapping_mul(7919);
                scene.retrieve(number).await.expect("a value");
            }
        });
    }
    running.join_all().await;
    begun.elapsed()
}
