//! `ibyok usage`

use ibyok_core::{EnvironmentName, UsageBy, UsageRequest};
use serde_json::Value;

use super::{Cx, time};
use crate::access::{KeyArgument, damaged_line};
use crate::bars::Bars;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Table, at, shown};
use crate::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What it is added up by: key, token, env, day or version
    #[arg(long, value_name = "WHAT", default_value_t = UsageBy::Key)]
    by: UsageBy,
    /// From which day on: `7d`, `2026-12-31` or an RFC 3339 time; seven days ago unless given
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// To which day
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Of one environment only
    #[arg(long, value_name = "ENV")]
    env: Option<EnvironmentName>,
    /// Of one key only
    #[arg(long, value_name = "REF", conflicts_with = "env")]
    key: Option<KeyArgument>,
}

/// The columns after the first: how something was used.
const COUNTS: [(&str, &str); 7] = [
    ("ALLOWED", "allowed"),
    ("MOCKED", "mocked"),
    ("DENIED", "denied"),
    ("FAILED", "failed"),
    ("LAST USED", "last_used"),
    ("CONSUMERS", "consumers"),
    ("NETWORKS", "networks"),
];

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let now = crate::commands::time::now();
    let when = |text: &Option<String>| text.as_deref().map(|text| time::ago(text, now)).transpose();
    let mut request = UsageRequest::new(args.by);
    (request.since, request.until) = (when(&args.since)?, when(&args.until)?);
    request.environment = args.env;
    cx.with_access(async |access, cx| {
        if let Some(key) = &args.key {
            request.key = Some(key.resolve(access).await?);
        }
        let report = access.usage(request).await?;
        if cx.globals.json {
            cx.io.answer_json(&report)?;
        } else {
            print(&report, args.by, cx)?;
        }
        warn_of_environments(&report, cx);
        Ok(Exit::Done)
    })
    .await
}

fn print(report: &Value, by: UsageBy, cx: &mut Cx<'_>) -> Result<()> {
    let items = at(report, "items").as_array().map(Vec::as_slice).unwrap_or_default();
    if cx.io.terminal.output {
        Bars::of(items.iter().map(|item| (short(item, by), count(item), detail(item)))).print(cx.io)?;
    } else {
        let mut heads = vec![head(by)];
        heads.extend(COUNTS.iter().map(|(head, _)| *head));
        let mut table = Table::new(&heads);
        for item in items {
            let counts = COUNTS.iter().map(|(_, path)| shown(at(item, path)));
            table.row(std::iter::once(label(item, by)).chain(counts));
        }
        table.print(cx.io)?;
    }
    let day = |path| shown(at(report, path));
    if items.is_empty() {
        cx.io
            .say(&format!("nothing was used from {} to {}", day("since"), day("until")));
    } else {
        cx.io
            .say(&format!("from {} to {}, days in UTC", day("since"), day("until")));
    }
    if let Some(damaged) = at(report, "damaged").as_u64().filter(|damaged| *damaged > 0) {
        cx.io.warn(&format!(
            "{} of counts {} damaged, and what was counted there is missing",
            counted(damaged, "record"),
            is_or_are(damaged)
        ));
    }
    Ok(())
}

/// Warns of environments whose usage is missing.
fn warn_of_environments(report: &Value, cx: &mut Cx<'_>) {
    let damaged = at(report, "damaged_environments");
    let damaged = damaged.as_array().map(Vec::as_slice).unwrap_or_default();
    for record in damaged {
        cx.io
            .warn(&format!("warning: usage is missing, since {}", damaged_line(record)));
    }
    if damaged.is_empty() && at(report, "incomplete") == true {
        cx.io
            .warn("warning: usage may be missing, because the record of an environment is damaged");
    }
}

fn head(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Token => "TOKEN",
        UsageBy::Env => "ENVIRONMENT",
        UsageBy::Day => "DAY",
        UsageBy::Version => "VERSION",
        _ => "REF",
    }
}

/// Returns the subject of an item, for people.
fn label(item: &Value, by: UsageBy) -> String {
    let or = |path: &str, other: &str| at(item, path).as_str().unwrap_or(other).to_owned();
    match by {
        UsageBy::Token => match (at(item, "name").as_str(), at(item, "token").as_str()) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (None, Some(id)) => id.to_owned(),
            _ => "others".to_owned(),
        },
        UsageBy::Env => or("environment", "several environments"),
        UsageBy::Day => or("day", "-"),
        UsageBy::Version => {
            let version = at(item, "version").as_u64();
            let version = version.map_or("none".to_owned(), |number| number.to_string());
            format!("{} version {version}", or("ref", "no key"))
        }
        _ => or("ref", "no key"),
    }
}

/// The same where there is little room: a token that has a name by that alone.
fn short(item: &Value, by: UsageBy) -> String {
    let name = at(item, "name").as_str().filter(|_| by == UsageBy::Token);
    name.map_or_else(|| label(item, by), ToOwned::to_owned)
}

fn count(item: &Value) -> u64 {
    let of = |path| at(item, path).as_u64().unwrap_or(0);
    of("allowed").saturating_add(of("denied")).saturating_add(of("failed"))
}

/// Returns the text after a bar. Leaves out counts that are zero.
fn detail(item: &Value) -> String {
    let of = |path| at(item, path).as_u64().unwrap_or(0);
    let mut said = Vec::new();
    for (path, word) in [("mocked", "mocked"), ("denied", "denied"), ("failed", "failed")] {
        if of(path) > 0 {
            said.push(format!("{} {word}", of(path)));
        }
    }
    if let Some(last) = at(item, "last_used").as_str() {
        said.push(format!("last {}", shown(&Value::from(last))));
    }
    said.join(", ")
}
