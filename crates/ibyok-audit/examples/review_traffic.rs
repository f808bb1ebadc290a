//! Measures the review on made-up months of traffic with attacks in them, and prints the table of docs/review.md.
//!
//! `cargo run --release -p ibyok-audit --example review_traffic -- [SEEDS] [SCALE] [-v]`; or, for time and memory on a log in a
//! directory, `write DIRECTORY SCALE` and then `read DIRECTORY`.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a program for the terminal, on data of its own making"
)]

#[path = "../tests/audit/measure.rs"]
mod measure;
#[path = "../tests/audit/traffic.rs"]
mod traffic;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ibyok_audit::review::{Reviewer, Thresholds};
use ibyok_audit::{Filter, Reader};
use jiff::Timestamp;

/// Writes the traffic of a seed as a log that can be read, though not verified.
fn write(place: &Path, scale: i64) {
    let slot = place.join("slot-0");
    std::fs::create_dir_all(&slot).unwrap();
    let traffic = traffic::traffic(1, scale);
    for (segment, lines) in (1..).zip(traffic.lines.chunks(100_000)) {
        std::fs::write(slot.join(format!("audit-{segment:08}.log")), lines.join("\n") + "\n").unwrap();
    }
    println!("{} lines", traffic.lines.len());
}

/// Reviews the last four weeks of such a log.
fn read(place: &Path) {
    let begin = Instant::now();
    let at = |day| Timestamp::new(traffic::BEGIN + day * traffic::DAY, 0).unwrap();
    let mut reviewer = Reviewer::new(at(56), at(84), &Thresholds::default()).unwrap();
    for line in Reader::open(place).unwrap().lines(&Filter::default()).unwrap() {
        reviewer.take(&line.unwrap());
    }
    let review = reviewer.finish();
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let (lines, seconds) = (review.lines + review.history, begin.elapsed().as_secs_f64());
    println!(
        "{lines} lines, {} findings, {seconds:.1} s, {peak}",
        review.findings.len()
    );
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "write", place, scale] => return write(Path::new(place), scale.parse().unwrap()),
        [_, "read", place] => return read(Path::new(place)),
        _ => {}
    }
    let numbers: Vec<i64> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let verbose = std::env::args().any(|text| text == "-v");
    let (seeds, scale) = (
        numbers.first().copied().unwrap_or(20),
        numbers.get(1).copied().unwrap_or(1),
    );
    let (mut scores, mut careful) = (BTreeMap::new(), BTreeMap::new());
    let (mut lines, mut attacks, mut seen, mut seconds) = (0, 0_u64, 0_u64, 0.0);
    for seed in 1..=u64::try_from(seeds).unwrap() {
        let traffic = traffic::traffic(seed, scale);
        let begin = Instant::now();
        let review = measure::review(&traffic, &Thresholds::default());
        seconds += begin.elapsed().as_secs_f64();
        let words = measure::score(&traffic, &review, &mut scores);
        if verbose {
            words.iter().for_each(|words| println!("seed {seed}: {words}"));
        }
        lines += traffic.lines.len();
        for attack in &traffic.attacks {
            if attack.careful {
                let count: &mut (u64, u64) = careful.entry(attack.name).or_default();
                *count = (count.0 + u64::from(noticed(attack, &review, false)), count.1 + 1);
            } else {
                attacks += 1;
                seen += u64::from(noticed(attack, &review, true));
            }
        }
    }
    println!("| detector | seeded | found | recall | findings | of no attack | precision |");
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: |");
    let percent = |part: u64, of: u64| match of {
        0 => "–".to_owned(),
        of => format!("{:.0} %", 100.0 * part as f64 / of as f64),
    };
    for (detector, score) in &scores {
        println!(
            "| `{}` | {} | {} | {} | {} | {} | {} |",
            detector.as_str(),
            score.should,
            score.was,
            percent(score.was, score.should),
            score.right + score.wrong,
            score.wrong,
            percent(score.right, score.right + score.wrong),
        );
    }
    let (right, wrong) = scores
        .values()
        .fold((0, 0), |sum, score| (sum.0 + score.right, sum.1 + score.wrong));
    println!(
        "\n{seen} of {attacks} attacks were noticed; {right} of {} findings belong to one",
        right + wrong
    );
    for (name, (seen, of)) in careful {
        println!("below the thresholds, {name}: {seen} of {of} noticed by anything");
    }
    println!(
        "{lines} lines in {seconds:.1} s: {:.0} lines a second",
        lines as f64 / seconds
    );
}

fn noticed(attack: &traffic::Attack, review: &ibyok_audit::review::LogReview, by_its_own: bool) -> bool {
    review.findings.iter().any(|finding| {
        let word = finding.detector.as_str();
        let its_own = attack.must.contains(&word) || (!by_its_own && attack.may.contains(&word));
        finding.subject.id == attack.subject && its_own
    })
}
