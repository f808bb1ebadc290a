//! `ibyok rotate due`

use std::collections::BTreeSet;

use ibyok_api as api;
use ibyok_api::DueKind;
use ibyok_core::EnvironmentName;

use crate::cell::Cell;
use crate::commands::Cx;
use crate::commands::pages::{self, After};
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Table;
use crate::words::counted;

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
            let (which, state) = told(one);
            table.row([one.kind.as_str().replace('_', " "), which, one.at.cell(), state]);
        }
        table.print_or(cx.io, "nothing is due")?;
        let providers: BTreeSet<&str> = due.iter().filter_map(|one| one.provider.as_deref()).collect();
        for provider in providers {
            pages::say(cx, Some(provider), After::Due);
        }
        Ok(exit)
    })
    .await
}

/// Returns the key or token of a due task, and the task.
pub(crate) fn told(one: &api::Due) -> (String, String) {
    let is_damaged = matches!(
        one.kind,
        DueKind::DamagedKey | DueKind::DamagedToken | DueKind::DamagedEnvironment
    );
    let which = match &one.reference {
        Some(key) => key.clone(),
        None if is_damaged => one.name.clone(),
        None => format!("{} ({})", one.name, one.token.cell()),
    };
    let state = match (&one.kind, one.overdue) {
        (DueKind::Rotation, _) => "rotate it".to_owned(),
        _ if is_damaged => "unknown: its record is damaged".to_owned(),
        (_, true) => "expired".to_owned(),
        _ => {
            let days = u64::try_from(one.within_days).unwrap_or_default();
            format!("ends within {}", counted(days, "day"))
        }
    };
    (which, state)
}
