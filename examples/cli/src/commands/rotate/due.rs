//! `ibyok rotate due`

use std::collections::BTreeSet;

use ibyok_core::EnvironmentName;

use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Table;
use ibyok_reports::cell::Cell;
use ibyok_reports::rotation::{self, After};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// List only keys and tokens of this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: Option<EnvironmentName> = args.env.as_deref().map(str::parse).transpose()?;
    cx.with_access(async |access, cx| {
        let list = access.due(environment.as_ref()).await?;
        if let Some(warning) = list.warning() {
            cx.io.warn(&warning);
        }
        let due = &list.items;
        let exit = match due.is_empty() && !list.is_incomplete() {
            true => Exit::Done,
            false => Exit::Findings,
        };
        if cx.globals.json {
            cx.io.answer_json(&list.document())?;
            return Ok(exit);
        }
        let mut table = Table::new(&["WHAT", "WHICH", "WHEN", "STATE"]);
        for one in due {
            let (which, state) = rotation::due(one);
            table.row([one.kind.as_str().replace('_', " "), which, one.at.cell(), state]);
        }
        table.print_or(cx.io, "nothing is due")?;
        let providers: BTreeSet<&str> = due.iter().filter_map(|one| one.provider.as_deref()).collect();
        for provider in providers {
            super::say_next(cx, Some(provider), After::Due);
        }
        Ok(exit)
    })
    .await
}
