//! `ibyok checklist`

mod ignore;
mod people;

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use ibyok_core::attestations::ATTESTED_ITEMS;
use ibyok_operations::checklist::{Item, VaultFacts, of_code, of_people, of_vault};
use ibyok_operations::scan::code_facts;
use serde_json::json;

use super::Cx;
use crate::access::document_of as document;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Table;
use ibyok_core::audit::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// The directory of the code that uses the keys
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The largest age in days of the last review of the log
    #[arg(long, value_name = "DAYS", default_value_t = 30)]
    reviewed_within: u16,
    /// Show the lines that the repository's .gitignore lacks, and add them
    #[arg(long)]
    fix: bool,
    #[command(subcommand)]
    verb: Option<Verb>,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Attest an item that no program can check
    Attest {
        /// The item that you attest
        #[arg(value_parser = PossibleValuesParser::new(ATTESTED_ITEMS))]
        item: String,
        /// A remark to record with the attestation
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
    },
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    match &args.verb {
        None => check(&args, cx).await,
        Some(Verb::Attest { item, note }) => {
            cx.with_vault("checklist attest", async |here, cx| {
                let attested = document(&here.session().attestations().add(item, note.clone()).await?)?;
                cx.answer_one(&attested, &[("at", "at"), ("by", "by"), ("note", "note")])
            })
            .await
        }
    }
}

async fn check(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.fix {
        ignore::fix(&args.path, cx)?;
    }
    cx.with_vault("checklist", async |here, cx| {
        let mut items = of_code(&code_facts(here.session(), &args.path, cx.environment).await?);
        let now = super::time::now();
        let settings = crate::settings::resolve(cx.globals, cx.environment)?;
        items.extend(
            of_vault(&VaultFacts {
                vault: here.vault(),
                session: here.session(),
                whole_log: here.whole_log(),
                review: here.review_habits(),
                kek_file: settings.kek_place(&here.vault().id()),
                reviewed_within: args.reviewed_within,
                now,
            })
            .await?,
        );
        let attested = here.session().attestations().list().await?;
        items.extend(of_people(&attested, people::plan(&args.path)?.as_ref(), now));
        answer(&items, cx)
    })
    .await
}

fn answer(items: &[Item], cx: &mut Cx<'_>) -> Result<Exit> {
    if cx.globals.json {
        cx.io.answer_json(&json!({ "items": items }))?;
    } else {
        let mut table = Table::new(&["", "ITEM", "FOUND", "DO"]);
        for item in items {
            let mark = if item.ok { "ok" } else { "OPEN" };
            let remedy = item.remedy.clone().unwrap_or_default();
            table.row([mark.to_owned(), item.id.to_owned(), item.detail.clone(), remedy]);
        }
        table.print(cx.io)?;
    }
    let open = items.iter().filter(|item| !item.ok).count();
    cx.io.say(&format!(
        "{open} of {} {} open",
        counted(items.len(), "item"),
        is_or_are(open)
    ));
    Ok(if open == 0 { Exit::Done } else { Exit::Findings })
}
