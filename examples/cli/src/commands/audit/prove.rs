//! `ibyok audit prove`, and the check of its proofs.

use std::path::{Path, PathBuf};

use ibyok_core::{
    Error as VaultError,
    audit::{VerifyingKey, check_proof},
};
use serde_json::json;

use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use ibyok_core::audit::words::counted;
use ibyok_operations::file::{read_text, write_private};

/// The largest file that is read as a proof.
const PROOF_MAX: u64 = 256 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The number of the line, or LOG:NUMBER as `audit review` prints it
    #[arg(value_name = "LINE")]
    line: String,
    /// The id of the log; needed if several logs have a line with this number
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Write the proof to a file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Also look for the line in this archive. Repeatable
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let (log, seq) = line(&args)?;
    cx.with_vault("audit prove", async |here, cx| {
        let verbs = here.audit().with_archives(&args.archive);
        let proof = verbs.prove(log.as_deref(), seq).await?;
        let proof_text = proof.text();
        if let Some(path) = &args.output {
            write_private(path, proof_text.as_bytes())?;
            cx.io.say(&format!("the proof is in `{}`", path.display()));
        } else if cx.globals.json {
            let checkpoint = proof.checkpoint();
            cx.io.answer_json(&json!({
                "log": proof.log(), "seq": proof.seq(), "line": proof.line(), "size": checkpoint.size(),
                "checkpoint": checkpoint.text(), "proof": proof_text,
            }))?;
        } else {
            cx.io.answer(proof_text.as_bytes())?;
        }
        cx.io
            .say("`ibyok audit verify --proof FILE --key PUB` checks it anywhere; `ibyok audit keys` shows the key");
        Ok(Exit::Done)
    })
    .await
}

/// Returns the log, if `LOG:NUMBER` or `--log` names one, and the line's number.
fn line(args: &Args) -> Result<(Option<String>, u64)> {
    let (log, number) = match args.line.rsplit_once(':') {
        Some((log, number)) => (Some(log.to_owned()), number),
        None => (None, args.line.as_str()),
    };
    if log.is_some() && args.log.is_some() && log != args.log {
        return Err(Error::usage("`LINE` and `--log` name two logs", "give one of them"));
    }
    let plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number = number.parse().ok().filter(|number: &u64| plain && *number > 0);
    let number = number.ok_or_else(|| {
        let shown: String = args.line.chars().take(64).collect();
        Error::usage(
            format!("`{}` is not the number of a line", clean(&shown)),
            "give the number of a line, or LOG:NUMBER",
        )
    })?;
    Ok((log.or_else(|| args.log.clone()), number))
}

/// Checks a proof without a vault. One that does not hold is a finding.
pub(super) fn check(path: &Path, keys: &[VerifyingKey], cx: &mut Cx<'_>) -> Result<Exit> {
    if keys.is_empty() {
        return Err(Error::usage(
            "a proof needs a public key that you trust",
            "run `ibyok audit keys` where the vault is, and give its output with `--key`",
        ));
    }
    let proof = read_text(path, PROOF_MAX)?;
    match check_proof(&proof, keys) {
        Ok(proven) => {
            let entry = proven.line.entry();
            if cx.globals.json {
                let document = json!({ "ok": true, "log": entry.log, "seq": entry.seq, "size": proven.size, "line": proven.line.text() });
                cx.io.answer_json(&document)?;
            } else {
                cx.io.answer_line(proven.line.text())?;
            }
            cx.io.say(&format!(
                "this is line {} of the log {}, under a checkpoint of {} that the key signed",
                entry.seq,
                clean(&entry.log),
                counted(proven.size, "line")
            ));
            Ok(Exit::Done)
        }
        Err(VaultError::Integrity { what, .. }) => {
            if cx.globals.json {
                cx.io.answer_json(&json!({ "ok": false, "why": what }))?;
            }
            cx.io.warn(&clean(&what));
            Ok(Exit::Findings)
        }
        Err(error) => Err(error.into()),
    }
}
