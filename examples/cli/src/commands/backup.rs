//! `ibyok backup`

use std::path::PathBuf;

use ibyok_core::backups::{Backup, BackupInfo, BackupRequest};
use ibyok_settings::Passphrase;
use serde_json::json;

use super::Cx;
use crate::access::{document_of as document, only_here};
use crate::error::Result;
use crate::exit::Exit;
use crate::progress::{bar, spinner};
use ibyok_core::audit::words::counted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The new file; with `--verify`, the backup to check
    file: PathBuf,
    /// Put the file of the local KEK into the backup, too: anybody with the backup can then read every key
    #[arg(long)]
    with_kek: bool,
    /// Check that the backup is complete and unchanged, without restoring it
    #[arg(long, conflicts_with = "with_kek")]
    verify: bool,
}

/// The members of a backup that a person reads first.
const FACTS: [(&str, &str); 9] = [
    ("file", "file"),
    ("vault", "vault"),
    ("taken", "created"),
    ("by", "by"),
    ("records", "records"),
    ("bytes", "bytes"),
    ("SHA-256", "sha256"),
    ("KEK in it", "with_kek"),
    ("authentic", "authentic"),
];

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.verify {
        return verify(&args, cx).await;
    }
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let path = args.file.clone();
    cx.with_vault("backup", async move |here, cx| {
        let mut request = BackupRequest::default();
        if let Some(text) = settings.settings_file()? {
            request = request.settings(text);
        }
        if args.with_kek {
            request = request.kek(settings.kek_bytes(&here.vault().id())?);
        }
        let bar = bar(cx, "backing up", 0);
        let progress = |done, expected| {
            bar.set_length(expected);
            bar.set_position(done);
        };
        let info = here.session().backups().write(&path, request.progress(&progress)).await;
        bar.finish_and_clear();
        let info = info?;
        answer(cx, &path, &info, true)?;
        if args.with_kek {
            cx.io.warn(
                "the backup contains the KEK: anybody with the file can read every key; keep it as safe as the KEK",
            );
        } else {
            cx.io
                .say("keep the KEK in another safe place: without the KEK nobody can restore this backup");
        }
        if info.unreadable.is_empty() {
            return Ok(Exit::Done);
        }
        let missing = counted(info.unreadable.len(), "record");
        cx.io.warn(&format!(
            "warning: the store cannot read {missing}, which the backup lacks: {}",
            info.unreadable.join(", ")
        ));
        Ok(Exit::Findings)
    })
    .await
}

async fn verify(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    only_here("backup", cx.globals, cx.environment)?;
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let backup = Backup::open(&args.file)?;
    // A store that does not answer is no reason not to check a backup.
    if let Ok(Some(vault)) = settings.vault_there().await {
        backup.is_of(&vault)?;
    }
    let ask = crate::settings::ask();
    let ask = ask.as_ref().map(|ask| ask as Passphrase<'_>);
    let keks = settings.keks_of(&backup, ask).await?;
    let sign = spinner(cx, "checking");
    let progress = |done| sign.set_position(done);
    let info = match keks.is_empty() {
        false => backup.verify(&keks, &progress).await,
        true => backup.verify_digest(&progress),
    };
    sign.finish_and_clear();
    let info = info?;
    answer(cx, &args.file, &info, !keks.is_empty())?;
    if keks.is_empty() {
        cx.io.warn(
            "warning: checked the form and the digest of the backup. Without the vault's KEK the MAC cannot be checked, so somebody could have \
             written the whole file; give `--kek-file`",
        );
    }
    Ok(Exit::Done)
}

fn answer(cx: &mut Cx<'_>, path: &std::path::Path, info: &BackupInfo, authentic: bool) -> Result<()> {
    let mut shown = document(info)?;
    if let Some(members) = shown.as_object_mut() {
        members.insert("file".to_owned(), json!(path.display().to_string()));
        members.insert("with_kek".to_owned(), json!(info.with_kek()));
        members.insert("ok".to_owned(), json!(true));
        let mac = if authentic { "checked" } else { "not checked" };
        members.insert("authentic".to_owned(), json!(authentic));
        members.insert("mac".to_owned(), json!(mac));
    }
    cx.answer_one(&shown, &FACTS).map(drop)
}
