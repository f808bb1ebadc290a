//! `ibyok audit floors`

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use ibyok_core::floors::RolledBack;
use serde_json::json;

use crate::access::{Access, Here, document_of as document, only_operator};
use crate::commands::Cx;
use crate::commands::confirm::confirm;
use crate::commands::restore::{tell_changes, unless_accepted};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::spinner;
use crate::table::Table;
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_operations::file::write_private;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Write the floors of this node to a file, for `import` on another node
    Export {
        /// The file to write. It holds no secret, and `import` refuses a changed file by its MAC
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Raise this node's floors to those of another node. The command lowers no floor
    Import {
        /// A file that `export` wrote on a node of the same vault
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Revoke, disable and remove again what an older store lost, as after a failover to a replica that lagged behind
    #[command(
        after_help = "Run it on each machine whose node made changes before the failover: it knows them by its own log and floors. Changes that took \
        nothing away are listed, and nothing is done unless `--accept-rollback` discards them."
    )]
    Reapply {
        /// Discard the other changes that the store lost: new keys, values, tokens and settings
        #[arg(long)]
        accept_rollback: bool,
    },
    /// Verify the floors, rebuild from the log the floors that differ, and acknowledge the findings
    Rebuild {
        /// Accept the records that are older in the store, after you restored an older store on purpose. Lists the records, asks
        /// first (without a terminal, needs `--yes`), and writes each record again above its floor
        #[arg(long)]
        accept_rollback: bool,
    },
}

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Export { file } => {
            cx.with_vault("audit floors export", async |here, cx| export(&file, here, cx).await)
                .await
        }
        Verb::Import { file } => {
            cx.with_vault("audit floors import", async |here, cx| import(&file, here, cx).await)
                .await
        }
        Verb::Reapply { accept_rollback } => {
            only_operator("audit floors reapply", cx.globals, cx.environment)?;
            cx.with_vault("audit floors reapply", async |here, cx| {
                reapply(accept_rollback, here, cx).await
            })
            .await
        }
        Verb::Rebuild { accept_rollback } => rebuild(accept_rollback, cx).await,
    }
}

async fn export(path: &Path, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let mut text = Vec::new();
    let count = here.session().floors().export(&mut text).await?;
    write_private(path, &text)?;
    if cx.globals.json {
        cx.io.answer_json(&json!({ "floors": count, "file": path }))?;
    }
    cx.io.say(&format!(
        "{} {} in `{}`",
        counted(count, "floor"),
        is_or_are(count),
        path.display()
    ));
    Ok(Exit::Done)
}

async fn import(path: &Path, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let file = File::open(path).map_err(|error| {
        Error::usage(
            format!("cannot read `{}`: {error}", path.display()),
            "give a file that `ibyok audit floors export` wrote",
        )
    })?;
    let count = here.session().floors().import(&mut BufReader::new(file)).await?;
    if cx.globals.json {
        cx.io.answer_json(&json!({ "floors": count }))?;
    }
    cx.io.say(&format!("this node now holds {}", counted(count, "floor")));
    Ok(Exit::Done)
}

async fn reapply(accept_rollback: bool, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    confirm(
        cx,
        "revoke, disable and remove again what the store lost",
        "older records of the store become the newest ones, without what was taken away since",
    )?;
    let spinner = spinner(cx, "comparing the store with the floors and the logs");
    let settled = here.session().backups().settle(None, accept_rollback).await;
    spinner.finish_and_clear();
    let settled = settled.map_err(unless_accepted)?;
    if cx.globals.json {
        cx.io.answer_json(&document(&settled)?)?;
    }
    tell_changes(&settled.since, cx);
    cx.io
        .say(&format!("accepted {}", counted(settled.accepted, "older record")));
    Ok(Exit::Done)
}

async fn rebuild(accept_rollback: bool, cx: &mut Cx<'_>) -> Result<Exit> {
    const VERB: &str = "audit floors rebuild";
    let here = match crate::access::here(VERB, cx.globals, cx.environment, cx.io).await {
        Err(Error::Vault(ibyok_core::Error::Floors { what })) => {
            confirm(cx, "rebuild the floors from the log and the store", &what)?;
            crate::access::here_rebuilding(VERB, cx.globals, cx.environment).await?
        }
        here => here?,
    };
    let done = rebuild_here(accept_rollback, &here, cx).await;
    let closed = here.close().await;
    let exit = done?;
    closed?;
    Ok(exit)
}

async fn rebuild_here(accept_rollback: bool, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let spinner = spinner(cx, "verifying the floors");
    let report = here.session().floors().rebuild().await;
    spinner.finish_and_clear();
    let report = report?;
    for finding in &report.findings {
        cx.io.say(&format!("acknowledged: {finding}"));
    }
    let accepted = if accept_rollback {
        accept(here, cx).await?
    } else {
        Vec::new()
    };
    if cx.globals.json {
        let mut answer = document(&report)?;
        if let serde_json::Value::Object(map) = &mut answer {
            map.remove("ok");
            map.insert("accepted".to_owned(), document(&accepted)?);
        }
        cx.io.answer_json(&answer)?;
    }
    cx.io.say(&format!(
        "this node has floors for {}",
        counted(report.records, "record")
    ));
    Ok(Exit::Done)
}

/// Lists the records that went back, asks, and believes them as the store holds them.
async fn accept(here: &Here, cx: &mut Cx<'_>) -> Result<Vec<RolledBack>> {
    let spinner = spinner(cx, "comparing the store with the floors");
    let found = here.session().floors().rolled_back().await;
    spinner.finish_and_clear();
    let found = found?;
    if found.is_empty() {
        cx.io.say("no record in the store is older than its floor on this node");
        // The log also shows a store that was behind and went on since.
        let report = here.session().audit().verify(&[]).await?;
        if !report
            .findings
            .iter()
            .any(|finding| finding.what.as_str() == "store_behind")
        {
            return Ok(found);
        }
    }
    list(&found, cx)?;
    let act = format!("accept {}", counted(found.len(), "older record"));
    confirm(
        cx,
        &act,
        "every later revocation, disabling, rotation and limit of these records is lost",
    )?;
    here.session().floors().accept_rollback(&found).await?;
    cx.io.say(&format!("accepted {}", counted(found.len(), "older record")));
    Ok(found)
}

fn list(found: &[RolledBack], cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        // The list stands in the answer; without a yes it is on standard error, as the question is.
        for one in found {
            let name = one.name.as_deref().unwrap_or(&one.record);
            cx.io.warn(&format!(
                "older than its floor: {} {}",
                one.kind,
                crate::show::clean(name)
            ));
        }
        return Ok(());
    }
    let rows = found.iter().map(document).collect::<Result<Vec<_>>>()?;
    Table::of(
        &rows,
        &[
            ("KIND", "kind"),
            ("NAME", "name"),
            ("REALM", "realm"),
            ("SEEN", "seen"),
            ("IN THE STORE", "found"),
            ("RECORD", "record"),
        ],
    )
    .print(cx.io)
}
