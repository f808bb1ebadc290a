//! Prints `vectors/chain.json`: a small log, whole and with one fault each, for second implementations.
//!
//! `cargo run -p ibyok-audit --example chain_vectors > vectors/chain.json` makes it again, under a new log id.
#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "the program prints its vectors"
)]

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use data_encoding::HEXLOWER;
use ibyok_audit::{
    Action, Event, FileSink, FloorsStatement, LineKey, Log, Outcome, Phase, Principal, PrincipalKind, SigningKey,
    Statement, VerifyingKey, verify,
};
use jiff::Timestamp;
use secrecy::SecretBox;
use serde_json::{Value, json};

/// The bytes of the key of the MACs that the lines carry.
const LINE_KEY: [u8; 32] = [9; 32];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let place = scratch.path().join("audit");
    let (log, key) = write(&place, 3).await?;
    write_more(&place).await?;
    let slot = place.join("slot-0");
    let lines: Vec<String> = std::fs::read_to_string(slot.join("audit-00000001.log"))?
        .lines()
        .map(str::to_owned)
        .collect();
    let notes: Vec<String> = std::fs::read_to_string(slot.join("checkpoints"))?
        .split("\n\n\u{2014}")
        .map(str::to_owned)
        .collect();
    let notes = notes.join("\n\n\u{2014}");
    let notes: Vec<String> = notes
        .split_inclusive("\n\n")
        .collect::<Vec<_>>()
        .chunks(2)
        .map(|pair| pair.concat())
        .collect();
    let notes: Vec<String> = notes
        .iter()
        .map(|note| note.trim_end_matches('\n').to_owned() + "\n")
        .collect();
    let mut cases = Vec::new();
    for (name, lines, notes) in faults(&lines, &notes) {
        cases.push(judged(&log, &key, name, &lines, &notes)?);
    }
    let vectors = json!({
        "comment": "A line's prev is the SHA-256 of the line before it, 64 zeros for the first. Leaves are lines; the tree is RFC 6962's; checkpoints are C2SP tlog-checkpoint notes. A line's mac is the first 16 bytes of HMAC-SHA-256 under line_key over the line up to where it says mac. Each failing case has one fault, which its name says.",
        "log": log, "key": key, "line_key": HEXLOWER.encode(&LINE_KEY), "cases": cases,
    });
    println!("{}", serde_json::to_string_pretty(&vectors)?);
    Ok(())
}

fn line_key() -> LineKey {
    LineKey::new(SecretBox::new(Box::new(LINE_KEY)))
}

async fn open(place: &Path) -> Result<Log> {
    let key = SigningKey::from_seed(SecretBox::new(Box::new([7; 32])));
    Ok(Log::builder()
        .home(FileSink::open(place).await?)
        .signing_key(key)
        .line_key(line_key())
        .statement(|| {
            Statement::default()
                .with_floors(FloorsStatement::new(1, 2, "00ff"))
                .with_store_change(1, 3)
        })
        .open()
        .await?)
}

async fn write(place: &Path, count: i64) -> Result<(String, String)> {
    let log = open(place).await?;
    for n in 0..count {
        let at = Timestamp::new(1_800_000_000 + n, 0)?;
        let token = Principal::new(PrincipalKind::Token).id("tok1").name("ci");
        let event = Event::new(Action::KeyRetrieve, Outcome::Allowed, at)
            .environment("prod")
            .key("openai")
            .principal(token);
        drop(log.append(event).await?);
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let key = std::fs::read_to_string(place.join("slot-0/log.pub"))?
        .trim_end()
        .to_owned();
    let id = log.id().to_owned();
    log.close().await?;
    Ok((id, key))
}

async fn write_more(place: &Path) -> Result<()> {
    let log = open(place).await?;
    let at = Timestamp::new(1_800_000_100, 0)?;
    let change = |phase| {
        Event::new(Action::TokenRevoke, Outcome::Allowed, at)
            .target("token", "tok1")
            .phase(phase)
            .rev(2)
    };
    drop(log.append(change(Phase::Intended)).await?);
    drop(log.append(change(Phase::Done)).await?);
    let hostile = "\u{1b}[31m\r\n\"\\\u{2028}\u{202e}\u{e9}\u{1f600}";
    drop(
        log.append(Event::new(Action::TokenUseFailed, Outcome::Denied, at).client(None, Some(hostile)))
            .await?,
    );
    log.close().await?;
    Ok(())
}

type Case = (&'static str, Vec<String>, Vec<String>);

fn faults(lines: &[String], notes: &[String]) -> Vec<Case> {
    let change = |name, change: &dyn Fn(&mut Vec<String>)| {
        let mut changed = lines.to_vec();
        change(&mut changed);
        (name, changed, notes.to_vec())
    };
    vec![
        change("whole", &|_| {}),
        (
            "no checkpoint, and more than a session begins with",
            lines.to_vec(),
            Vec::new(),
        ),
        ("no checkpoint yet", lines[..1].to_vec(), Vec::new()),
        (
            "a session that has no checkpoint yet",
            lines[..6].to_vec(),
            notes_up_to(notes, 5),
        ),
        (
            "a session that has no checkpoint yet, with the MAC of another line",
            with_another_mac(&lines[..6]),
            notes_up_to(notes, 5),
        ),
        (
            "a session that has no checkpoint yet, without a MAC",
            without_mac(&lines[..6]),
            notes_up_to(notes, 5),
        ),
        (
            "lines after the end of a session, without a checkpoint",
            lines.to_vec(),
            notes_up_to(notes, 5),
        ),
        change("line 3 changed", &|lines| {
            lines[2] = lines[2].replace("allowed", "denied")
        }),
        change("line 3 removed", &|lines| drop(lines.remove(2))),
        change("line 1 removed", &|lines| drop(lines.remove(0))),
        change("line 3 twice", &|lines| lines.insert(3, lines[2].clone())),
        change("a forged line after line 3", &|lines| {
            lines.insert(3, lines[2].replace("openai", "stripe"))
        }),
        change("lines 3 and 4 swapped", &|lines| lines.swap(2, 3)),
        change("line 8 moved before line 3", &|lines| {
            let line = lines.remove(7);
            lines.insert(2, line);
        }),
        change("last line cut off", &|lines| drop(lines.pop())),
        change("all but line 1 cut off", &|lines| lines.truncate(1)),
        change("prev of line 3 changed", &|lines| {
            let at = lines[2].find("\"prev\":\"").map_or(0, |at| at + 8);
            lines[2].replace_range(at..at + 4, "zzzz");
        }),
        (
            "a checkpoint of another size",
            lines.to_vec(),
            notes.iter().map(|note| note.replace("\n5\n", "\n4\n")).collect(),
        ),
        ("a signature changed", lines.to_vec(), {
            let mut notes = notes.to_vec();
            let at = notes[1].len() - 10;
            let other = if notes[1].as_bytes()[at] == b'A' { "B" } else { "A" };
            notes[1].replace_range(at..=at, other);
            notes
        }),
    ]
}

/// The lines, the last with the MAC of the one before it.
fn with_another_mac(lines: &[String]) -> Vec<String> {
    let (said, _) = split_mac(&lines[lines.len() - 1]);
    let (_, mac) = split_mac(&lines[lines.len() - 2]);
    [&lines[..lines.len() - 1], &[format!("{said},\"mac\":\"{mac}")]].concat()
}

/// The lines, the last without its MAC.
fn without_mac(lines: &[String]) -> Vec<String> {
    let (said, _) = split_mac(&lines[lines.len() - 1]);
    [&lines[..lines.len() - 1], &[format!("{said}}}")]].concat()
}

fn split_mac(line: &str) -> (&str, &str) {
    line.rsplit_once(",\"mac\":\"").unwrap_or((line, ""))
}

fn notes_up_to(notes: &[String], size: u64) -> Vec<String> {
    let size_of = |note: &&String| note.lines().nth(1).and_then(|size| size.parse().ok()) <= Some(size);
    notes.iter().filter(size_of).cloned().collect()
}

fn judged(log: &str, key: &str, name: &str, lines: &[String], notes: &[String]) -> Result<Value> {
    let scratch = tempfile::tempdir()?;
    let slot = scratch.path().join("slot-0");
    std::fs::create_dir(&slot)?;
    std::fs::write(slot.join("id"), log)?;
    std::fs::write(
        slot.join("audit-00000001.log"),
        lines.iter().map(|line| format!("{line}\n")).collect::<String>(),
    )?;
    std::fs::write(
        slot.join("checkpoints"),
        notes.iter().map(|note| format!("{note}\n")).collect::<String>(),
    )?;
    let report = verify(
        scratch.path(),
        &[key.parse::<VerifyingKey>()?.with_lines(line_key())],
        &[],
    )?;
    let bad = report.first_bad.map(|bad| json!({"what": bad.what, "seq": bad.seq}));
    Ok(json!({"name": name, "lines": lines, "checkpoints": notes, "ok": report.ok, "first_bad": bad}))
}
