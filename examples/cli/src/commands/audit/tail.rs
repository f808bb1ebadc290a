//! `ibyok audit tail`

use std::path::PathBuf;
use std::time::Duration;

use ibyok_core::{
    EnvironmentName,
    audit::{Filter, Line, Outcome},
};
use ibyok_operations::log::{Chosen, Last};
use ibyok_reports::event;

use crate::access::{Here, KeyArgument};
use crate::colour::Tone;
use crate::commands::{Cx, StopSignals, time};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;

/// The interval at which a followed log is read.
const FOLLOW: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Keep running, and print new events as they occur
    #[arg(short, long)]
    follow: bool,
    /// Show only the last N lines
    #[arg(short = 'n', long = "lines", value_name = "N")]
    lines: Option<usize>,
    /// Show only events of this key: `env/name`, a name, or an id
    #[arg(long, value_name = "REF")]
    key: Option<String>,
    /// Show only events by or of this token: its id or name
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Show only events in this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Show only events with this outcome: allowed, denied or failed
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Show only events with this action: a name such as `key.set`, or a pattern such as `token.*`. Repeatable
    #[arg(long, value_name = "ACTION")]
    action: Vec<String>,
    /// Also show the lines that reading the log writes: your reads of the log, and commands that only open and close it
    #[arg(long)]
    include_own: bool,
    /// Show only events from this time on: `7d` ago, `2026-11-24` (00:00 UTC) or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Show only the log with this id, even if no key of this vault vouches for it
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Also show the older lines in this archive. Repeatable
    #[arg(long, value_name = "DIR")]
    archive: Vec<PathBuf>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let filter = filter(&args)?;
    cx.with_vault("audit tail", async |here, cx| tail(&args, &filter, here, cx).await)
        .await
}

fn filter(args: &Args) -> Result<Filter> {
    let mut filter = Filter::default();
    if let Some(key) = &args.key {
        about_key(&mut filter, key)?;
    }
    filter.token.clone_from(&args.token);
    if let Some(environment) = &args.env {
        let environment: EnvironmentName = environment.parse()?;
        if filter
            .environment
            .as_ref()
            .is_some_and(|other| other != environment.as_str())
        {
            return Err(Error::usage(
                "`--key` and `--env` name two environments",
                "give one of them",
            ));
        }
        filter.environment = Some(environment.to_string());
    }
    if let Some(outcome) = &args.outcome {
        let outcome: Outcome = outcome.parse().map_err(|_| {
            Error::usage(
                format!("`{}` is not an outcome", clean(outcome)),
                "an outcome is `allowed`, `denied` or `failed`",
            )
        })?;
        filter.outcome = Some(outcome);
    }
    if let Some(since) = &args.since {
        filter.since = Some(time::ago(since)?);
    }
    filter.log.clone_from(&args.log);
    Ok(filter)
}

/// Parses a key: a reference, an id, or a name alone, which matches in every environment.
fn about_key(filter: &mut Filter, key: &str) -> Result<()> {
    if !key.contains('/') && !key.starts_with("key_") {
        let name: ibyok_core::KeyName = key.parse()?;
        filter.key = Some(name.to_string());
        return Ok(());
    }
    match key.parse()? {
        KeyArgument::Id(id) => filter.key = Some(id.to_string()),
        KeyArgument::Reference(key) => {
            filter.environment = Some(key.environment().to_string());
            filter.namespace = key.namespace().map(ToString::to_string);
            let text = key.at_version(None::<u32>).with_field(None).to_string();
            filter.key = text.rsplit('/').next().map(str::to_owned);
        }
    }
    Ok(())
}

async fn tail(args: &Args, filter: &Filter, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    super::warn_of_foreign(args.log.as_deref(), here, cx).await?;
    let reader = ibyok_settings::operator_name();
    let mut chosen = Chosen::new(&args.action, (!args.include_own).then_some(reader))?;
    // Followed from before the lines so far are read, so that none is missed in between.
    let follow = if args.follow {
        Some(here.follow_audit(filter).await?)
    } else {
        None
    };
    let (mut last, mut any) = (Last::new(args.lines), false);
    let mut lines = here.audit().with_archives(&args.archive).lines(filter).await?;
    for line in lines.by_ref() {
        let line = match line {
            Ok(line) => line,
            Err(error) => {
                super::pass_over(error, cx)?;
                continue;
            }
        };
        for line in chosen.take(line) {
            if let Some(line) = last.add(line) {
                any = true;
                show(&line, cx)?;
            }
        }
    }
    for line in last.take() {
        any = true;
        show(&line, cx)?;
    }
    super::warn_of_left_out(lines.left_out(), cx);
    // The last lines are here, unless there are fewer than were asked for.
    if args.lines.is_none() {
        super::warn_of_archived(&lines, cx);
    }
    if !any && !args.follow {
        cx.io.say("no lines");
    }
    let Some(mut follow) = follow else {
        return Ok(Exit::Done);
    };
    let mut stop = StopSignals::listen();
    loop {
        for line in follow.poll().await? {
            for line in chosen.take(line) {
                show(&line, cx)?;
            }
        }
        super::warn_of_left_out(follow.left_out(), cx);
        tokio::select! {
            () = stop.received() => return Ok(Exit::Done),
            () = tokio::time::sleep(FOLLOW) => {}
        }
    }
}

fn show(line: &Line, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_line(line.text());
    }
    let entry = line.entry();
    let text = clean(&event::line(entry));
    let outcome = event::word(&entry.outcome).unwrap_or_default();
    let tone = Tone::of(&outcome).filter(|_| entry.outcome != Outcome::Allowed);
    cx.io
        .answer_line(&text.replacen(&outcome, &cx.io.toned(&outcome, tone), 1))
}
