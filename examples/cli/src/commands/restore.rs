//! `ibyok restore`

use std::path::PathBuf;

use ibyok_core::backups::{Backup, ChangesSince};
use ibyok_settings::{Passphrase, Restore, operator_name};
use serde_json::{Value, json};

use super::{Cx, confirm::confirm};
use crate::access::{document_of as document, only_operator};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;
use ibyok_core::audit::words::counted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The backup
    file: PathBuf,
    /// Discard the changes that were made after the backup: new keys, values, tokens and settings. Whatever this machine's audit logs
    /// show as revoked, disabled or removed stays so
    #[arg(long)]
    accept_rollback: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_operator("restore", cx.globals, cx.environment)?;
    let mut settings = crate::settings::resolve(cx.globals, cx.environment)?;
    settings.one_command = true;
    let backup = Backup::open(&args.file)?;
    let directory = settings.directory.display().to_string();
    let question = format!("restore the vault in `{directory}` to {:.0}", backup.created());
    confirm(
        cx,
        &question,
        "the restore replaces every record; the old store stays beside the new one",
    )?;
    let ask = crate::settings::ask();
    let sign = spinner(cx, "restoring");
    let progress = |done| sign.set_position(done);
    let restored = settings
        .restore(Restore {
            backup: &backup,
            actor: &operator_name(),
            accept_rollback: args.accept_rollback,
            passphrase: ask.as_ref().map(|ask| ask as Passphrase<'_>),
            progress: &progress,
        })
        .await;
    sign.finish_and_clear();
    let restored = restored.map_err(unless_accepted)?;
    let kept = restored.kept.as_ref().map(|path| path.display().to_string());
    let kek_file = restored.kek_file.as_ref().map(|path| path.display().to_string());
    if cx.globals.json {
        let mut shown = document(&restored.settled)?;
        if let Value::Object(members) = &mut shown {
            members.insert("vault".to_owned(), json!(restored.info.vault));
            members.insert("taken".to_owned(), json!(restored.info.created));
            members.insert("records".to_owned(), json!(restored.records));
            members.insert("kept".to_owned(), json!(kept));
            members.insert("kek_file".to_owned(), json!(kek_file));
        }
        cx.io.answer_json(&shown)?;
    } else {
        let records = counted(restored.records, "record");
        cx.io
            .answer_line(&format!("restored {records} of {:.0}", restored.info.created))?;
    }
    tell_changes(&restored.settled.since, cx);
    if let Some(kept) = kept {
        cx.io.say(&format!(
            "the old store is in `{kept}`; remove it when the restored vault is right"
        ));
    }
    if let Some(kek) = kek_file {
        cx.io.say(&format!("wrote the KEK of the backup to `{kek}`"));
    }
    Ok(Exit::Done)
}

/// The refusal of losses, with the flag that accepts them.
pub(super) fn unless_accepted(error: ibyok_core::Error) -> Error {
    match error {
        ibyok_core::Error::Precondition { what } => Error::failed(
            what,
            "add `--accept-rollback` to discard these changes; whatever the audit logs here show as revoked, disabled or removed stays so either way",
        ),
        error => error.into(),
    }
}

/// Names each change that was made again, and each that is lost.
pub(super) fn tell_changes(since: &ChangesSince, cx: &mut Cx<'_>) {
    for again in &since.again {
        let name = again.name.as_deref().unwrap_or("without a known name");
        cx.io
            .say(&format!("taken away again: {} `{name}` ({})", again.kind, again.change));
    }
    for needed in &since.generations {
        let realm = needed.realm.as_deref().unwrap_or("an environment");
        cx.io.warn(&format!(
            "warning: the store needs generation {} of {realm}, which was deleted since and is back: run `ibyok kek rotate --reseal`",
            needed.generation
        ));
    }
    for lost in &since.lost {
        let name = lost.name.as_deref().unwrap_or(&lost.record);
        cx.io
            .warn(&format!("warning: discarded newer changes of {} `{name}`", lost.kind));
    }
}
