//! Measures the CPU time of a retrieval in process, from warm caches, and the threads that spend it:
//! `cargo bench -p ibyok-benches --bench cpu`.
//!
//! `-- --profile memory written 64 SECONDS KEYS` only retrieves, for a profiler to look at; 100 keys without a number.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_benches::{Backing, Cpu, Result, Scene, median, quantity};
use ibyok_core::audit::SinkDurability;
use tokio::runtime::Runtime;

/// The number of measurements of each setting. Settings alternate, so that other load of the machine meets all of
/// them.
const ROUNDS: usize = 5;

/// The time of one measurement.
const ROUND: Duration = Duration::from_millis(600);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // As the server's.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match words.as_slice() {
        ["--profile", backing, durability, tasks, seconds, rest @ ..] => {
            let backing = if *backing == "file" {
                Backing::File
            } else {
                Backing::Memory
            };
            let durability = if *durability == "synced" {
                SinkDurability::Synced
            } else {
                SinkDurability::Written
            };
            let keys = rest.first().map_or(Ok(100), |keys| keys.parse())?;
            let scene = runtime.block_on(Scene::new(backing, durability, keys, 64))?;
            let setting = Setting::new("profile", scene, tasks.parse()?);
            println!("the first of each key: {:.2} µs", setting.warm(&runtime)?);
            let cost = setting.measure(&runtime, Duration::from_secs(seconds.parse()?))?;
            println!("{cost:?}");
            Ok(())
        }
        _ if words.contains(&"--bench") => compare(&runtime),
        // `cargo test --all-targets` starts benchmarks as well, without this.
        _ => Ok(()),
    }
}

fn compare(runtime: &Runtime) -> Result<()> {
    let mut settings = Vec::new();
    for (backing, durability, keys, tasks) in [
        (Backing::Memory, SinkDurability::Written, 100, 1),
        (Backing::Memory, SinkDurability::Written, 100, 32),
        (Backing::Memory, SinkDurability::Written, 100, 256),
        (Backing::File, SinkDurability::Written, 100, 256),
        (Backing::Memory, SinkDurability::Written, 10_000, 256),
        (Backing::Memory, SinkDurability::Written, 100_000, 256),
        (Backing::Memory, SinkDurability::Synced, 100, 1),
        (Backing::Memory, SinkDurability::Synced, 100, 256),
    ] {
        let scene = runtime.block_on(Scene::new(backing, durability, keys, 64))?;
        let word = if durability == SinkDurability::Synced {
            "synced"
        } else {
            "written"
        };
        let name = format!("{:<6} {word:<7} {keys:>7} keys {tasks:>4} at a time", backing.as_str());
        let setting = Setting::new(&name, scene, tasks);
        let first = setting.warm(runtime)?;
        settings.push((setting, first, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (setting, _, costs) in &mut settings {
            costs.push(setting.measure(runtime, ROUND)?);
        }
    }
    println!(
        "CPU of one retrieval, in microseconds; medians of {ROUNDS} alternated rounds of {ROUND:?}, and the best of them\n"
    );
    println!(
        "{:<46} {:>8} {:>8} {:>8} {:>8} {:>10} {:>8}",
        "", "callers", "writer", "both", "best", "per second", "first"
    );
    for (setting, first, costs) in &settings {
        let of = |part: fn(&Cost) -> f64| costs.iter().map(part).collect::<Vec<_>>();
        let both = of(|cost| cost.callers + cost.writer);
        println!(
            "{:<46} {:>8.2} {:>8.2} {:>8.2} {:>8.2} {:>10} {first:>8.2}",
            setting.name,
            median(&of(|cost| cost.callers)),
            median(&of(|cost| cost.writer)),
            median(&both),
            both.iter().copied().fold(f64::INFINITY, f64::min),
            quantity(median(&of(|cost| cost.rate)))
        );
    }
    Ok(())
}

/// A vault, and how many retrievals are under way at once.
struct Setting {
    name: String,
    scene: Arc<Scene>,
    tasks: usize,
}

/// Of one retrieval: microseconds of CPU of the callers and of the log's writer, and how many there were in a second.
#[derive(Clone, Copy, Debug)]
struct Cost {
    callers: f64,
    writer: f64,
    rate: f64,
}

impl Setting {
    fn new(name: &str, scene: Scene, tasks: usize) -> Self {
        Setting {
            name: name.to_owned(),
            scene: Arc::new(scene),
            tasks,
        }
    }

    /// Retrieves every key once, and returns the CPU of one such retrieval in microseconds: the record is read from the store, and its
    /// floor from the file of the floors.
    fn warm(&self, runtime: &Runtime) -> Result<f64> {
        let before = Cpu::now();
        runtime.block_on(async {
            let mut running = tokio::task::JoinSet::new();
            for task in 0..self.tasks {
                let (scene, step) = (Arc::clone(&self.scene), self.tasks);
                running.spawn(async move {
                    for number in (task..scene.keys.len()).step_by(step) {
                        scene.retrieve(number).await?;
                    }
                    Result::Ok(())
                });
            }
            while let Some(done) = running.join_next().await {
                done??;
            }
            Result::Ok(())
        })?;
        let spent = Cpu::now().since(before);
        let all = (spent.callers + spent.writer).as_secs_f64() * 1e6;
        Ok(all / self.scene.keys.len().max(1) as f64)
    }

    fn measure(&self, runtime: &Runtime, time: Duration) -> Result<Cost> {
        runtime.block_on(self.run(Duration::from_millis(100)))?;
        let (cpu, begun) = (Cpu::now(), Instant::now());
        let count = runtime.block_on(self.run(time))?;
        let (cpu, took) = (Cpu::now().since(cpu), begun.elapsed());
        let micros = |time: Duration| time.as_secs_f64() * 1e6 / count;
        Ok(Cost {
            callers: micros(cpu.callers),
            writer: micros(cpu.writer),
            rate: count / took.as_secs_f64(),
        })
    }

    /// Retrieves keys for some time, and returns the number of retrievals.
    async fn run(&self, time: Duration) -> Result<f64> {
        let end = Instant::now() + time;
        let mut running = tokio::task::JoinSet::new();
        for task in 0..self.tasks {
            let scene = Arc::clone(&self.scene);
            running.spawn(async move {
                // A stride that meets every key, whatever their number.
                let (mut number, mut count) = (task, 0_u32);
                while Instant::now() < end {
                    scene.retrieve(number).await?;
                    number = number.wrapping_add(7919);
                    count += 1;
                }
                Result::Ok(count)
            });
        }
        let mut all = 0.0;
        while let Some(count) = running.join_next().await {
            all += f64::from(count??);
        }
        Ok(all)
    }
}
