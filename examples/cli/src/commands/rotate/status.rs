//! `ibyok rotate status`

use ibyok_core::{EnvironmentName, KeyRef};
use serde_json::{Value, json};

use crate::access::{Access, KeyArgument};
use crate::commands::Cx;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Table, at, text};

/// An empty list of names does not mean that nobody reads.
const HIDDEN: &str = "readers are not shown: that takes a token with `usage:read` or `keys:rotate`";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The key [default: every key that has more than one version]
    #[arg(value_name = "REF", conflicts_with = "env")]
    key: Option<String>,
    /// Keys of this environment only
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
    items.retain(|item| at(item, "versions_count").as_u64().is_some_and(|count| count > 1));
    items.sort_by_key(|item| text(at(item, "ref")));
    let mut found = Vec::new();
    for item in &items {
        let key: KeyRef = text(at(item, "ref")).parse()?;
        found.push(access.rotation(&key).await?);
    }
    if cx.globals.json {
        cx.io.answer_json(&json!({ "items": found, "next": null }))?;
        return Ok(Exit::Done);
    }
    let mut table = Table::new(&["REF", "VERSIONS", "WAITING FOR"]);
    for status in &found {
        let versions = list(status, "versions", |one| {
            format!("{} {}", text(at(one, "version")), text(at(one, "state")))
        });
        let waiting = list(status, "waiting_for", label);
        table.row([text(at(status, "ref")), versions, waiting]);
    }
    table.print_or(cx.io, "no key has more than one version")?;
    if found.iter().any(|status| at(status, "consumers_shown") == false) {
        cx.io.warn(HIDDEN);
    }
    Ok(Exit::Done)
}

fn print(status: &Value, cx: &mut Cx<'_>) -> Result<()> {
    let mut table = Table::new(&["VERSION", "STATE", "READ BY", "LAST", "COUNT", "FROM"]);
    for version in at(status, "versions").as_array().into_iter().flatten() {
        let (number, state) = (text(at(version, "version")), text(at(version, "state")));
        let consumers = at(version, "consumers").as_array().map_or(&[][..], Vec::as_slice);
        if consumers.is_empty() {
            let nobody = "-".to_owned();
            table.row([number, state, nobody.clone(), nobody.clone(), nobody.clone(), nobody]);
            continue;
        }
        for one in consumers {
            let gone = if at(one, "active") == false {
                " (no longer valid)"
            } else {
                ""
            };
            let (last, count, network) = (at(one, "last"), at(one, "count"), at(one, "network"));
            table.row([
                number.clone(),
                state.clone(),
                format!("{}{gone}", label(one)),
                crate::table::shown(last),
                text(count),
                crate::table::shown(network),
            ]);
        }
    }
    table.print(cx.io)?;
    if at(status, "consumers_shown") == false {
        cx.io.warn(HIDDEN);
    }
    for one in at(status, "waiting_for").as_array().into_iter().flatten() {
        let why = if at(one, "why") == "not_yet" {
            "has not read the current version yet"
        } else {
            "has read an older version again"
        };
        cx.io.say(&format!("waiting for {}: {why}", label(one)));
    }
    for unseen in at(status, "unseen").as_array().into_iter().flatten() {
        cx.io.say(&format!("not seen: {}", text(unseen)));
    }
    Ok(())
}

fn label(one: &Value) -> String {
    match at(one, "name").as_str() {
        Some(name) => format!("{name} ({})", text(at(one, "token"))),
        None => text(at(one, "token")),
    }
}

fn list(status: &Value, path: &str, show: impl Fn(&Value) -> String) -> String {
    let items = at(status, path).as_array().into_iter().flatten();
    let shown: Vec<String> = items.map(show).collect();
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown.join(", ")
    }
}
