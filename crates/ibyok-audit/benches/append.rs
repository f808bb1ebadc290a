//! Appends a second: 1, 32 and 256 tasks that wait for each receipt. Numbers, no assertions.
//!
//! `cargo bench -p ibyok-audit`; `IBYOK_BENCH_DIR` says where, a scratch directory under the current one otherwise.
#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints figures")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ibyok_audit::{
    Action, Event, FileSink, LineKey, Log, Outcome, Principal, PrincipalKind, SigningKey, SinkDurability, verify,
};
use jiff::Timestamp;
use secrecy::SecretBox;

fn event() -> Event<'static> {
    let token = Principal::new(PrincipalKind::Token)
        .id("AbCdEfGh0123456789AbCd")
        .name("web")
        .chain("0123456789abcdef");
    Event::new(Action::KeyRetrieve, Outcome::Allowed, Timestamp::now())
        .namespace("default")
        .environment("prod")
        .key("openai")
        .key_id("key_0123456789012345678901")
        .version(3u32)
        .mode("live")
        .principal(token)
        .client("192.0.2.1".parse().ok(), Some("python-requests/2.32"))
        .request_id("01J0000000000000000000000")
}

async fn run(name: &str, sink: FileSink, place: &std::path::Path, tasks: usize, time: Duration) {
    let log = Log::builder()
        .home(sink)
        .signing_key(SigningKey::generate().unwrap())
        .open()
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let begun = Instant::now();
    let running: Vec<_> = (0..tasks)
        .map(|_| {
            let (log, stop) = (log.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut slowest = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let begun = Instant::now();
                    drop(log.append(event()).await.unwrap());
                    slowest.push(begun.elapsed());
                }
                slowest
            })
        })
        .collect();
    tokio::time::sleep(time).await;
    stop.store(true, Ordering::Relaxed);
    let mut all = Vec::new();
    for task in running {
        all.extend(task.await.unwrap());
    }
    let rate = all.len() as f64 / begun.elapsed().as_secs_f64();
    all.sort_unstable();
    let at = |part: f64| all.get((all.len() as f64 * part) as usize).copied().unwrap_or_default();
    println!(
        "{name:>22} {tasks:>4} tasks {rate:>9.0}/s  p50 {:>9.1?}  p99 {:>9.1?}",
        at(0.5),
        at(0.99)
    );
    log.close().await.unwrap();
    let begun = Instant::now();
    let report = verify(place, &[], &[]).unwrap();
    let rate = report.events as f64 / begun.elapsed().as_secs_f64();
    println!(
        "{:>22} {} lines, ok: {}, {rate:.0}/s",
        "verify", report.events, report.ok
    );
}

/// Prints the time that the MAC of a usual line takes: a part of every append.
fn mac() {
    const ROUNDS: u32 = 1_000_000;
    let key = LineKey::new(SecretBox::new(Box::new([7; 32])));
    let line = format!("{{{}\"mac\":\"{}\"}}", "\"reason\":null,".repeat(45), "00".repeat(16));
    let begun = Instant::now();
    let fitting = (0..ROUNDS)
        .filter(|_| key.fits(std::hint::black_box(line.as_bytes())))
        .count();
    println!(
        "{:>22} of {} bytes {:?}, {fitting} fit",
        "MAC",
        line.len(),
        begun.elapsed() / ROUNDS
    );
}

fn main() {
    mac();
    let base = std::env::var_os("IBYOK_BENCH_DIR").unwrap_or_else(|| ".".into());
    let scratch = tempfile::tempdir_in(base).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    for (name, durability, zero_fill) in [
        ("synced, zero-filled", SinkDurability::Synced, true),
        ("synced, plain", SinkDurability::Synced, false),
        ("written", SinkDurability::Written, true),
    ] {
        for tasks in [1, 32, 256] {
            let place = scratch.path().join(format!("{durability:?}-{zero_fill}-{tasks}"));
            let sink = FileSink::builder(&place)
                .durability(durability)
                .zero_fill(zero_fill)
                .open_blocking()
                .unwrap();
            runtime.block_on(run(name, sink, &place, tasks, Duration::from_secs(2)));
            std::fs::remove_dir_all(place).unwrap();
        }
    }
}
