//! `ibyok rotate due`

use std::collections::BTreeSet;

use ibyok_core::EnvironmentName;
use serde_json::{Value, json};

use crate::commands::Cx;
use crate::commands::pages::{self, After};
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Table, at, number, shown, text};
use crate::words::counted;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keys and tokens of this environment only
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
            table.row([
                text(at(one, "kind")).replace('_', " "),
                which,
                shown(at(one, "at")),
                state,
            ]);
        }
        table.print_or(cx.io, "nothing is due")?;
        let providers: BTreeSet<&str> = due.iter().filter_map(|one| at(one, "provider").as_str()).collect();
        for provider in providers {
            pages::say(cx, &json!(provider), After::Due);
        }
        Ok(exit)
    })
    .await
}

/// Returns the key or token of a due task, and the task.
pub(crate) fn told(one: &Value) -> (String, String) {
    let which = match at(one, "ref").as_str() {
        Some(key) => key.to_owned(),
        None if text(at(one, "kind")).starts_with("damaged") => text(at(one, "name")),
        None => format!("{} ({})", text(at(one, "name")), text(at(one, "token"))),
    };
    let state = match (text(at(one, "kind")).as_str(), at(one, "overdue") == true) {
        ("rotation", _) => "to be rotated".to_owned(),
        ("damaged_key" | "damaged_token" | "damaged_environment", _) => {
            "its record is damaged and does not say what is due".to_owned()
        }
        (_, true) => "expired".to_owned(),
        _ => format!("ends within {}", counted(number(at(one, "within_days")), "day")),
    };
    (which, state)
}
