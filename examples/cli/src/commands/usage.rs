//! `ibyok usage`

use ibyok_api::{UsageItem, UsageReport};
use ibyok_core::{
    EnvironmentName,
    usage::{UsageBy, UsageRequest},
};

use super::{Cx, time};
use crate::access::{KeyArgument, damaged_line};
use crate::bars::Bars;
use crate::cell::{Cell, NONE};
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Column, Table};
use crate::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Group the counts by key, token, env, day or version
    #[arg(long, value_name = "WHAT", default_value_t = UsageBy::Key)]
    by: UsageBy,
    /// The first day: `7d`, `2026-12-31` or an RFC 3339 time [default: seven days ago]
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// The last day
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
    /// Count only this environment
    #[arg(long, value_name = "ENV")]
    env: Option<EnvironmentName>,
    /// Count only this key
    #[arg(long, value_name = "REF", conflicts_with = "env")]
    key: Option<KeyArgument>,
}

/// The columns after the first: the counts of use.
const COUNTS: [Column<UsageItem>; 7] = [
    ("ALLOWED", |item| item.allowed.cell()),
    ("MOCKED", |item| item.mocked.cell()),
    ("DENIED", |item| item.denied.cell()),
    ("FAILED", |item| item.failed.cell()),
    ("LAST USED", |item| item.last_used.cell()),
    ("CONSUMERS", |item| item.consumers.cell()),
    ("NETWORKS", |item| item.networks.cell()),
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

fn print(report: &UsageReport, by: UsageBy, cx: &mut Cx<'_>) -> Result<()> {
    let items = &report.items;
    if cx.io.terminal.output {
        Bars::of(items.iter().map(|item| (short(item, by), count(item), detail(item)))).print(cx.io)?;
    } else {
        let mut heads = vec![head(by)];
        heads.extend(COUNTS.iter().map(|(head, _)| *head));
        let mut table = Table::new(&heads);
        for item in items {
            let counts = COUNTS.iter().map(|(_, member)| member(item));
            table.row(std::iter::once(label(item, by)).chain(counts));
        }
        table.print(cx.io)?;
    }
    let (since, until) = (report.since, report.until);
    if items.is_empty() {
        cx.io.say(&format!("no key was used from {since} to {until}"));
    } else {
        cx.io.say(&format!("from {since} to {until}, days in UTC"));
    }
    let damaged = report.damaged;
    if damaged > 0 {
        cx.io.warn(&format!(
            "{} of counts {} damaged; the report lacks those counts",
            counted(damaged, "record"),
            is_or_are(damaged)
        ));
    }
    Ok(())
}

/// Warns of environments whose usage is missing.
fn warn_of_environments(report: &UsageReport, cx: &mut Cx<'_>) {
    for record in &report.damaged_environments {
        cx.io.warn(&format!(
            "warning: the report lacks usage, because {}",
            damaged_line(record)
        ));
    }
    if report.damaged_environments.is_empty() && report.incomplete {
        cx.io
            .warn("warning: the report may lack usage, because the record of an environment is damaged");
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
fn label(item: &UsageItem, by: UsageBy) -> String {
    let or = |member: &Option<String>, other: &str| member.clone().unwrap_or_else(|| other.to_owned());
    match by {
        UsageBy::Token => match (&item.name, &item.token) {
            (Some(name), Some(id)) => format!("{name} ({id})"),
            (None, Some(id)) => id.clone(),
            _ => "others".to_owned(),
        },
        UsageBy::Env => or(&item.environment, "several environments"),
        UsageBy::Day => item.day.map_or_else(|| NONE.to_owned(), |day| day.to_string()),
        UsageBy::Version => {
            let version = item.version.map_or("none".to_owned(), |number| number.to_string());
            format!("{} version {version}", or(&item.reference, "no key"))
        }
        _ => or(&item.reference, "no key"),
    }
}

/// The same where there is little room: a token that has a name by that alone.
fn short(item: &UsageItem, by: UsageBy) -> String {
    let name = item.name.clone().filter(|_| by == UsageBy::Token);
    name.unwrap_or_else(|| label(item, by))
}

fn count(item: &UsageItem) -> u64 {
    item.allowed.saturating_add(item.denied).saturating_add(item.failed)
}

/// Returns the text after a bar. Leaves out counts that are zero.
fn detail(item: &UsageItem) -> String {
    let mut said = Vec::new();
    for (count, word) in [
        (item.mocked, "mocked"),
        (item.denied, "denied"),
        (item.failed, "failed"),
    ] {
        if count > 0 {
            said.push(format!("{count} {word}"));
        }
    }
    if let Some(last) = item.last_used {
        said.push(format!("last {}", last.cell()));
    }
    said.join(", ")
}
