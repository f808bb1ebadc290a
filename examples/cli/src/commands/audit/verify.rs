//! `ibyok audit verify`

use std::path::Path;

use ibyok_core::VerifyingKey;
use serde_json::Value;

use super::{prove, spinner};
use crate::access::{Access, document_of as document};
use crate::commands::{Cx, import};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use crate::table::{Table, at, text};

pub(super) async fn run(keys: &[String], proof: Option<&Path>, cx: &mut Cx<'_>) -> Result<Exit> {
    let keys = trusted(keys)?;
    match proof {
        Some(path) => prove::check(path, &keys, cx),
        None => verify(&keys, cx).await,
    }
}

fn trusted(given: &[String]) -> Result<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for text in given {
        if let Ok(key) = text.parse() {
            keys.push(key);
            continue;
        }
        let path = Path::new(text);
        let file = import::read_file(path, 64 * 1024).map_err(|_| no_key(text))?;
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty()) {
            keys.push(line.parse().map_err(|_| no_key(text))?);
        }
    }
    Ok(keys)
}

fn no_key(text: &str) -> Error {
    let shown: String = text.chars().take(64).collect();
    Error::usage(
        format!("`{}` is no public key of a log", clean(&shown)),
        "give one as `ibyok audit keys` prints it",
    )
}

async fn verify(keys: &[VerifyingKey], cx: &mut Cx<'_>) -> Result<Exit> {
    let here = match crate::access::here("audit verify", cx.globals, cx.environment, cx.io).await {
        Ok(here) => here,
        Err(error) if Exit::from(&error) == Exit::Unavailable => return verify_without_vault(keys, error, cx),
        Err(error) => return Err(error),
    };
    let spinner = spinner(cx, "verifying");
    let report = here.session.verify_audit(keys).await;
    spinner.finish_and_clear();
    let closed = here.close().await;
    let exit = answer(&document(&report?)?, cx)?;
    closed.map(|()| exit)
}

/// What remains where the vault does not open, perhaps since its log is damaged. A log without a fault then does not explain it.
fn verify_without_vault(keys: &[VerifyingKey], why: Error, cx: &mut Cx<'_>) -> Result<Exit> {
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let Ok(report) = ibyok_core::verify_log(&settings.audit, keys) else {
        return Err(why);
    };
    if report.ok {
        return Err(why);
    }
    cx.io.warn(&format!("the vault does not open: {why}"));
    cx.io
        .warn("verified without it, and without the checkpoints in its store");
    answer(&document(&report)?, cx)
}

/// What was found is the exit code, also where nobody reads the answer.
fn answer(report: &Value, cx: &mut Cx<'_>) -> Result<Exit> {
    let told = tell(report, cx);
    if at(report, "ok") == true {
        return told.map(|()| Exit::Done);
    }
    if let Err(error) = told {
        cx.io.warn(&format!("the log is not as it was written; {error}"));
    }
    Ok(Exit::Findings)
}

fn tell(report: &Value, cx: &mut Cx<'_>) -> Result<()> {
    let ok = at(report, "ok") == true;
    if cx.globals.json {
        return cx.io.answer_json(report);
    }
    let logs = at(report, "logs").as_array().map(Vec::as_slice).unwrap_or_default();
    Table::of(
        logs,
        &[
            ("LOG", "id"),
            ("SLOT", "slot"),
            ("LINES", "events"),
            ("CHECKPOINTS", "checkpoints"),
            ("CHAINED ONLY", "chained_only"),
            ("KEY TRUSTED", "trusted_key"),
            ("FIRST BAD LINE", "first_bad.seq"),
        ],
    )
    .print(cx.io)?;
    if ok {
        cx.io.say(&format!(
            "verified {} lines: nothing was changed, removed, inserted or moved",
            text(at(report, "events"))
        ));
        return Ok(());
    }
    for bad in logs
        .iter()
        .map(|log| at(log, "first_bad"))
        .chain([at(report, "first_bad")])
        .filter(|bad| bad.is_object())
        .take(1)
    {
        cx.io.warn(&format!(
            "{}: log {}, {} line {} (number {})",
            text(at(bad, "what")),
            text(at(bad, "log")),
            text(at(bad, "segment")),
            text(at(bad, "line")),
            text(at(bad, "seq")),
        ));
    }
    Ok(())
}
