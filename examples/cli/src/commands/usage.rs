//! `ibyok usage`

use ibyok_api::{UsageItem, UsageReport};
use ibyok_core::{
    EnvironmentName,
    usage::{UsageBy, UsageRequest},
};

use super::{Cx, time};
use crate::access::KeyArgument;
use crate::bars::Bars;
use crate::error::Result;
use crate::exit::Exit;
use crate::table::{Column, Table};
use ibyok_reports::cell::Cell;
use ibyok_reports::usage::{self, count, detail, head, label, short};

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
    let when = |text: &Option<String>| text.as_deref().map(time::ago).transpose();
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
        cx.io.notes(usage::missing(&report));
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
    cx.io.notes(usage::summary(report));
    Ok(())
}
