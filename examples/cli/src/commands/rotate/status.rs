//! `ibyok rotate status`

use ibyok_api::RotationStatus;
use ibyok_core::{EnvironmentName, KeyRef};
use serde_json::json;

use crate::access::{Access, KeyArgument};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Table;
use ibyok_reports::cell::{Cell, NONE, joined};
use ibyok_reports::rotation::{self, CONSUMERS_HIDDEN, consumer};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Show only this key [default: every key that has more than one version]
    #[arg(value_name = "REF", conflicts_with = "env")]
    key: Option<String>,
    /// Show only keys of this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: Option<KeyArgument> = args.key.as_deref().map(str::parse).transpose()?;
    let environment: Option<EnvironmentName> = args.env.as_deref().map(str::parse).transpose()?;
    cx.with_access(async |access, cx| match &key {
        Some(key) => {
            let status = access.rotation(&key.resolve(access).await?).await?;
            if cx.globals.json {
                cx.io.answer_json(&status)?;
            } else {
                print(&status, cx)?;
            }
            Ok(Exit::Done)
        }
        None => all(access, environment.as_ref(), cx).await,
    })
    .await
}

/// Every key that is being rotated, or was and keeps an older version.
async fn all(access: &dyn Access, environment: Option<&EnvironmentName>, cx: &mut Cx<'_>) -> Result<Exit> {
    let keys = access.list(environment).await?;
    if let Some(warning) = keys.warning() {
        cx.io.warn(&warning);
    }
    let mut items = keys.items;
    items.retain(|item| item.versions_count > 1);
    items.sort_by(|one, other| one.reference.cmp(&other.reference));
    let mut found = Vec::new();
    for item in &items {
        let key: KeyRef = item.reference.parse()?;
        found.push(access.rotation(&key).await?);
    }
    if cx.globals.json {
        cx.io.answer_json(&json!({ "items": found, "next": null }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["REF", "VERSIONS", "WAITING FOR"]);
    for status in &found {
        let versions = status
            .versions
            .iter()
            .map(|one| format!("{} {}", one.version, one.state));
        let waiting = status.waiting_for.iter();
        let waiting = joined(waiting.map(|one| consumer(&one.token, one.name.as_deref())));
        table.row([status.reference.clone(), joined(versions), waiting]);
    }
    table.print_or(cx.io, "no key has more than one version")?;
    if found.iter().any(|status| !status.consumers_shown) {
        cx.io.warn(CONSUMERS_HIDDEN);
    }
    Ok(Exit::Done)
}

fn print(status: &RotationStatus, cx: &mut Cx<'_>) -> Result<()> {
    let mut table = Table::new(&["VERSION", "STATE", "READ BY", "LAST", "COUNT", "FROM"]);
    for version in &status.versions {
        let (number, state) = (version.version.cell(), version.state.cell());
        if version.consumers.is_empty() {
            table.row([number, state].into_iter().chain([NONE; 4].map(str::to_owned)));
            continue;
        }
        for one in &version.consumers {
            let gone = if one.active { "" } else { " (no longer valid)" };
            table.row([
                number.clone(),
                state.clone(),
                format!("{}{gone}", consumer(&one.token, one.name.as_deref())),
                one.last.cell(),
                one.count.cell(),
                one.network.cell(),
            ]);
        }
    }
    table.print(cx.io)?;
    cx.io.notes(rotation::waiting(status));
    Ok(())
}
