//! Measures the scan: recall on generated keys, and its reports in given directories.
//!
//! ```text
//! cargo run --release -p ibyok-scan --example figures -- recall
//! cargo run --release -p ibyok-scan --example figures -- findings DIRECTORY…
//! ```
//!
//! `findings` prints each finding on standard error, so that a person can judge whether it is true, and a table on standard output.
//! `tests/scan_figures.sh` downloads the packages that `docs/scan.md` speaks of, and calls both.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that measures"
)]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "it shares its generator with the tests"
)]

#[path = "../tests/scan/drawn.rs"]
mod drawn;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use drawn::{PUBLISHED, Random, published, shapes};
use ibyok_scan::{Engine, Progress, ScanPlace, TreeOptions, scan_tree};

/// The number of keys of each form.
const KEYS: usize = 1000;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((verb, _)) if verb == "recall" => recall(),
        Some((verb, roots)) if verb == "findings" && !roots.is_empty() => findings(roots),
        _ => eprintln!("figures recall | figures findings DIRECTORY…"),
    }
}

/// Prints how many of some generated keys are found.
fn recall() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    let mut random = Random::new(seed);
    let engine = Engine::new();
    println!("| generated | texts | found |\n| --- | --- | --- |");
    let mut keys = Vec::new();
    for (_, shape) in shapes().filter(|(_, shape)| !shape.is_public()) {
        keys.extend((0..KEYS).map(|_| format!("x = \"{}\"", text(random.fitting(shape.pattern())))));
    }
    row(&engine, "the catalogue's shapes that nothing else has", &keys);
    let forms = PUBLISHED.iter();
    let keys: Vec<String> = forms
        .flat_map(|(_, form)| (0..KEYS).map(|_| published(form, &mut random)).collect::<Vec<_>>())
        .collect();
    row(&engine, "forms that providers publish, written a second time", &keys);
    let mut drawn = |form: &dyn Fn(&mut Random) -> String| (0..KEYS).map(|_| form(&mut random)).collect::<Vec<_>>();
    let password = |random: &mut Random, length| random.of(SYMBOLS, length);
    let plain = |random: &mut Random, length| random.of(drawn::BASE62, length);
    for (what, keys) in [
        (
            "`postgres://app:PASSWORD@db/app`, 8 letters and digits",
            drawn(&|r| format!("postgres://app:{}@db/app", plain(r, 8))),
        ),
        (
            "`postgres://app:PASSWORD@db/app`, 12",
            drawn(&|r| format!("postgres://app:{}@db/app", plain(r, 12))),
        ),
        (
            "`curl -u user:PASSWORD`, 10",
            drawn(&|r| format!("curl -u deploy:{} https://example.org", plain(r, 10))),
        ),
        (
            "`password: \"…\"`, 16 with symbols",
            drawn(&|r| format!("password: \"{}\"", password(r, 16))),
        ),
        (
            "`DB_PASSWORD=…`, 16 with symbols",
            drawn(&|r| format!("DB_PASSWORD={}", password(r, 16))),
        ),
        (
            "`DB_PASSWORD=…`, 16 letters and digits",
            drawn(&|r| format!("DB_PASSWORD={}", plain(r, 16))),
        ),
        (
            "`API_SECRET=…`, 24 letters and digits",
            drawn(&|r| format!("API_SECRET={}", plain(r, 24))),
        ),
        (
            "`API_SECRET=…`, 32 hexadecimal digits",
            drawn(&|r| format!("API_SECRET={}", r.of(drawn::HEX, 32))),
        ),
    ] {
        row(&engine, what, &keys);
    }
}

const SYMBOLS: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!@#$%^&*+=?";

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn row(engine: &Engine, what: &str, lines: &[String]) {
    let whole = lines.join("\n");
    let scanned = engine
        .scanner()
        .scan(&mut whole.as_bytes(), &ScanPlace::new("a.txt"))
        .unwrap();
    let mut found: Vec<u64> = scanned.findings.iter().map(|finding| finding.line).collect();
    found.dedup();
    let share = 100.0 * found.len() as f64 / lines.len() as f64;
    println!("| {what} | {} | {} ({share:.2} %) |", lines.len(), found.len());
}

/// Prints the report of a scan of directories, and its duration.
fn findings(roots: &[String]) {
    println!("| directory | texts | MB | seconds | findings | rules |\n| --- | --- | --- | --- | --- | --- |");
    for root in roots {
        let engine = Engine::new();
        let start = Instant::now();
        let report = scan_tree(
            &engine,
            Path::new(root),
            TreeOptions::default().no_ignore(true),
            &Progress::default(),
        )
        .unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let mut rules: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in &report.findings {
            *rules.entry(&finding.rule).or_default() += 1;
            eprintln!(
                "{}:{}: {}: {}",
                finding.path, finding.line, finding.rule, finding.excerpt
            );
        }
        let rules: Vec<String> = rules.iter().map(|(rule, count)| format!("{rule} {count}")).collect();
        let megabytes = report.bytes as f64 / 1e6;
        println!(
            "| {root} | {} | {megabytes:.1} | {seconds:.2} | {} | {} |",
            report.files,
            report.findings.len(),
            rules.join(", ")
        );
    }
}
