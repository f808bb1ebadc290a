//! `ibyok copy`

use std::path::PathBuf;

use ibyok_operations::file::read_text;
use ibyok_settings::has_password;
use serde_json::json;

use super::{Cx, confirm::confirm};
use crate::access::{document_of as document, only_operator};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;
use ibyok_core::audit::words::counted;

/// The variable that holds the new store's URL.
const VARIABLE: &str = "IBYOK_COPY_TO";

/// The longest URL, in bytes.
const URL_MAX: u64 = 4096;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Give a URL with a password by --to-file or the variable IBYOK_COPY_TO. Servers keep serving until the last step, which seals the \
    old store. If the command is interrupted, run it again: it does the rest."
)]
pub(crate) struct Args {
    /// Copy to this store: `file`, `file:PATH`, or a URL without a password
    #[arg(long, value_name = "STORE")]
    to: Option<String>,
    /// Read the URL of the new store from this file
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_file: Option<PathBuf>,
    /// Cancel an unfinished copy to this store: remove the seal, so that the old store serves again
    #[arg(long)]
    cancel: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("copy", cx.globals, cx.environment)?;
    let to = target(&args, cx)?;
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    if args.cancel {
        settings.cancel_move(&to).await?;
        cx.io.say("cancelled the copy: the old store serves again");
        return Ok(Exit::Done);
    }
    confirm(
        cx,
        "move the vault to another store",
        "the last step seals the old store, which then refuses every request",
    )?;
    let sign = spinner(cx, "copying");
    let progress = |done| sign.set_position(done);
    let moved = settings.move_to(&to, &progress).await;
    sign.finish_and_clear();
    let moved = moved?;
    if cx.globals.json {
        let mut shown = document(&moved.copied)?;
        if let Some(members) = shown.as_object_mut() {
            members.insert("to".to_owned(), json!(moved.to));
            members.insert("settings_changed".to_owned(), json!(moved.is_remembered));
        }
        cx.io.answer_json(&shown)?;
    } else {
        let records = counted(moved.copied.records, "record");
        cx.io.answer_line(&format!("moved {records} to {}", moved.to))?;
    }
    if moved.is_overridden {
        cx.io
            .warn("warning: `--store` or IBYOK_STORE names the old store: change it for every process of this vault");
    } else if !moved.is_remembered {
        cx.io.warn("warning: the URL holds a password, and `vault.toml` does not store passwords: set IBYOK_STORE for every process of this vault");
    }
    cx.io
        .say("restart every server with the new store; the old store refuses every request and names the new one");
    Ok(Exit::Done)
}

/// The new store, from the flag, the file or the variable.
fn target(args: &Args, cx: &Cx<'_>) -> Result<String> {
    if let Some(to) = &args.to {
        if has_password(to) {
            return Err(Error::usage(
                "`--to` holds a password, which every process can read",
                format!("put the URL into {VARIABLE}, or into a file for `--to-file`"),
            ));
        }
        return Ok(to.clone());
    }
    if let Some(file) = &args.to_file {
        let text = read_text(file, URL_MAX)?;
        return Ok(text.trim().to_owned());
    }
    cx.environment
        .get(VARIABLE)
        .filter(|to| !to.is_empty())
        .cloned()
        .ok_or_else(|| {
            Error::usage(
                "`copy` needs the new store",
                format!("give `--to STORE`, `--to-file FILE` or the variable {VARIABLE}"),
            )
        })
}
