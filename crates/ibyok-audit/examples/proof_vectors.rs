//! Prints `vectors/proof.json`: proofs of lines, good ones and some with one fault each, for second implementations.
//!
//! `cargo run -p ibyok-audit --example proof_vectors > vectors/proof.json` makes it again, under a new log id.
#![expect(clippy::print_stdout, reason = "the program prints its vectors")]

use std::error::Error;

use ibyok_audit::{Action, Event, FileSink, Log, Outcome, SigningKey, prove, verify_proof};
use jiff::Timestamp;
use secrecy::SecretBox;
use serde_json::json;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let scratch = tempfile::tempdir()?;
    let place = scratch.path().join("audit");
    let key = || SigningKey::from_seed(SecretBox::new(Box::new([7; 32])));
    let log = Log::builder()
        .home(FileSink::open(&place).await?)
        .signing_key(key())
        .open()
        .await?;
    for second in 0..9 {
        let event = Event::new(
            Action::KeyRetrieve,
            Outcome::Allowed,
            Timestamp::new(1_800_000_000 + second, 0)?,
        );
        drop(log.append(event.environment("prod").key("openai")).await?);
    }
    let id = log.status().id;
    log.close().await?;
    let keys = [key().public(&id)];
    let mut cases = Vec::new();
    for seq in 1..=11 {
        cases.push((format!("line {seq}"), prove(&place, None, seq, &keys, &[])?.text()));
    }
    let good = prove(&place, None, 5, &keys, &[])?.text();
    let other = prove(&place, None, 6, &keys, &[])?.text();
    let line = |text: &str| text.lines().nth(1).unwrap_or_default().to_owned();
    let hash = good.lines().nth(3).unwrap_or_default().to_owned();
    for (name, text) in [
        ("another index", good.replacen("index 4", "index 5", 1)),
        ("another line", good.replacen(&line(&good), &line(&other), 1)),
        ("a hash too few", good.replacen(&format!("{hash}\n"), "", 1)),
        ("a hash twice", good.replacen(&hash, &format!("{hash}\n{hash}"), 1)),
        ("another size", good.replacen("\n11\n", "\n12\n", 1)),
        (
            "no signature",
            good.split('\u{2014}').next().unwrap_or_default().to_owned(),
        ),
        (
            "an index with a zero before it",
            good.replacen("index 4", "index 04", 1),
        ),
        ("another version", good.replacen("@v1", "@v2", 1)),
    ] {
        cases.push((name.to_owned(), text));
    }
    let judge = |(name, proof): (String, String)| {
        let ok = verify_proof(&proof, &keys).is_ok();
        json!({ "name": name, "proof": proof, "ok": ok })
    };
    let cases: Vec<_> = cases.into_iter().map(judge).collect();
    let comment =
        "C2SP tlog-proof with the line as its extra data. Each failing case has one fault, which its name says.";
    let key = keys.iter().map(ToString::to_string).collect::<String>();
    let vectors = json!({ "comment": comment, "key": key, "cases": cases });
    println!("{}", serde_json::to_string_pretty(&vectors)?);
    Ok(())
}
