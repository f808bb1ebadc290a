//! `ibyok audit`

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use ibyok_core::{Entry, EnvironmentName, Filter, Line, Lines, Outcome, Timestamp, VerifyingKey};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::{Cx, stopped, time};
use crate::access::{Access, Here, KeyArgument, document_of as document};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::show::clean;
use crate::table::{Table, at, text};

/// How often a log that is followed is looked at.
const FOLLOW: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Show what happened, oldest first
    Tail(Tail),
    /// Verify every log: its chain, its checkpoints, its signatures
    Verify {
        /// A public key to trust as well: as `audit keys` prints it, or a file with one on each line
        #[arg(long, value_name = "PUB")]
        key: Vec<String>,
    },
    /// Write every line as it stands in the logs, oldest first
    Export,
    /// Print the public keys of the logs, for verifiers without the vault
    Keys,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Tail {
    /// Go on with what happens from now on
    #[arg(short, long)]
    follow: bool,
    /// Only the last N lines
    #[arg(short = 'n', long = "lines", value_name = "N")]
    lines: Option<usize>,
    /// Only about this key: `env/name`, a name, or an id
    #[arg(long, value_name = "REF")]
    key: Option<String>,
    /// Only by or about this token: its id or name
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
    /// Only in this environment
    #[arg(long, value_name = "ENV")]
    env: Option<String>,
    /// Only with this outcome: allowed, denied or failed
    #[arg(long, value_name = "OUTCOME")]
    outcome: Option<String>,
    /// Only since then: `7d` ago, `2026-11-24` (its beginning in UTC) or an RFC 3339 time
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Tail(args) => {
            let filter = filter(&args)?;
            cx.with_vault("audit tail", async |here, cx| tail(&args, &filter, here, cx).await)
                .await
        }
        Verb::Verify { key } => {
            let keys = trusted(&key)?;
            verify(&keys, cx).await
        }
        Verb::Export => cx.with_vault("audit export", export).await,
        Verb::Keys => cx.with_vault("audit keys", keys).await,
    }
}

fn filter(args: &Tail) -> Result<Filter> {
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
                format!("`{}` is no outcome", clean(outcome)),
                "it is allowed, denied or failed",
            )
        })?;
        filter.outcome = Some(outcome);
    }
    if let Some(since) = &args.since {
        filter.since = Some(time::ago(since, Timestamp::now())?);
    }
    filter.limit = args.lines;
    Ok(filter)
}

/// A key by reference, by id, or by its name alone, in whichever environment.
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
            let text = key.at_version(None).with_field(None).to_string();
            filter.key = text.rsplit('/').next().map(str::to_owned);
        }
    }
    Ok(())
}

async fn tail(args: &Tail, filter: &Filter, here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    // Followed from before the lines so far are read, so that none is missed in between.
    let follow = if args.follow {
        Some(here.session.follow_audit(filter).await?)
    } else {
        None
    };
    for line in here.session.audit_lines(filter).await? {
        show(&line.map_err(ibyok_core::Error::from)?, cx)?;
    }
    let Some(mut follow) = follow else {
        return Ok(Exit::Done);
    };
    let mut stop = std::pin::pin!(stopped());
    loop {
        for line in follow.poll().map_err(ibyok_core::Error::from)? {
            show(&line, cx)?;
        }
        tokio::select! {
            () = &mut stop => return Ok(Exit::Done),
            () = tokio::time::sleep(FOLLOW) => {}
        }
    }
}

fn show(line: &Line, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_line(line.text());
    }
    let text = people(line.entry());
    cx.io.answer_line(&clean(&text))
}

/// A line as a person reads it.
fn people(entry: &Entry) -> String {
    let who = &entry.principal;
    let name = who.name.as_deref().or(who.id.as_deref()).unwrap_or("");
    let what = match (&entry.environment, &entry.key) {
        (Some(environment), Some(key)) => format!(" {environment}/{key}"),
        (Some(environment), None) => format!(" {environment}"),
        (None, Some(key)) => format!(" {key}"),
        (None, None) => String::new(),
    };
    let version = entry
        .version
        .map(|version| format!(" version {version}"))
        .unwrap_or_default();
    let target = entry
        .target
        .as_ref()
        .map(|target| format!(" {} {}", target.kind, target.id))
        .unwrap_or_default();
    let phase = entry
        .phase
        .and_then(|phase| text_of(&phase))
        .map(|phase| format!(" ({phase})"))
        .unwrap_or_default();
    let reason = entry
        .reason
        .as_deref()
        .map(|reason| format!(": {reason}"))
        .unwrap_or_default();
    let from = entry.client.ip.map(|ip| format!(" from {ip}")).unwrap_or_default();
    let count = if entry.count > 1 {
        format!(" ×{}", entry.count)
    } else {
        String::new()
    };
    let outcome = text_of(&entry.outcome).unwrap_or_default();
    format!(
        "{:<27} {outcome:<7} {:<14} {} {name}{from}{what}{version}{target}{phase}{count}{reason}",
        entry.time.to_string(),
        entry.action,
        who.kind
    )
}

fn text_of(word: &impl serde::Serialize) -> Option<String> {
    document(word).ok().as_ref().and_then(Value::as_str).map(str::to_owned)
}

fn trusted(given: &[String]) -> Result<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for text in given {
        if let Ok(key) = text.parse() {
            keys.push(key);
            continue;
        }
        let path = Path::new(text);
        let file = super::import::read_file(path, 64 * 1024).map_err(|_| no_key(text))?;
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty()) {
            keys.push(line.parse().map_err(|_| no_key(text))?);
        }
    }
    Ok(keys)
}

fn no_key(text: &str) -> Error {
    let shown: String = text.chars().take(64).collect();
    Error::usage(
        format!("`{}` is no public key of a log", clean(&shown)),
        "give one as `ibyok audit keys` prints it",
    )
}

async fn verify(keys: &[VerifyingKey], cx: &mut Cx<'_>) -> Result<Exit> {
    let here = match crate::access::here("audit verify", cx.globals, cx.environment, cx.io).await {
        Ok(here) => here,
        Err(error) if Exit::from(&error) == Exit::Unavailable => return verify_without_vault(keys, error, cx),
        Err(error) => return Err(error),
    };
    let spinner = spinner(cx, "verifying");
    let report = here.session.verify_audit(keys).await;
    spinner.finish_and_clear();
    let closed = here.close().await;
    let exit = answer(&document(&report?)?, cx)?;
    closed.map(|()| exit)
}

/// What remains where the vault does not open, perhaps since its log is damaged. A log without a fault then does not explain it.
fn verify_without_vault(keys: &[VerifyingKey], why: Error, cx: &mut Cx<'_>) -> Result<Exit> {
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    let Ok(report) = ibyok_core::verify_log(&settings.audit, keys) else {
        return Err(why);
    };
    if report.ok {
        return Err(why);
    }
    cx.io.warn(&format!("the vault does not open: {why}"));
    cx.io
        .warn("verified without it, and without the checkpoints in its store");
    answer(&document(&report)?, cx)
}

fn answer(report: &Value, cx: &mut Cx<'_>) -> Result<Exit> {
    let ok = at(report, "ok") == true;
    if cx.globals.json {
        cx.io.answer_json(report)?;
        return Ok(if ok { Exit::Done } else { Exit::Findings });
    }
    let logs = at(report, "logs").as_array().map(Vec::as_slice).unwrap_or_default();
    Table::of(
        logs,
        &[
            ("LOG", "id"),
            ("SLOT", "slot"),
            ("LINES", "events"),
            ("CHECKPOINTS", "checkpoints"),
            ("CHAINED ONLY", "chained_only"),
            ("KEY TRUSTED", "trusted_key"),
            ("FIRST BAD LINE", "first_bad.seq"),
        ],
    )
    .print(cx.io)?;
    if ok {
        cx.io.say(&format!(
            "verified {} lines: nothing was changed, removed, inserted or moved",
            text(at(report, "events"))
        ));
        return Ok(Exit::Done);
    }
    for bad in logs
        .iter()
        .map(|log| at(log, "first_bad"))
        .chain([at(report, "first_bad")])
        .filter(|bad| bad.is_object())
        .take(1)
    {
        cx.io.warn(&format!(
            "{}: log {}, {} line {} (number {})",
            text(at(bad, "what")),
            text(at(bad, "log")),
            text(at(bad, "segment")),
            text(at(bad, "line")),
            text(at(bad, "seq")),
        ));
    }
    Ok(Exit::Findings)
}

async fn export(here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let spinner = if cx.io.terminal.output {
        ProgressBar::hidden()
    } else {
        spinner(cx, "exporting")
    };
    let lines = here.session.audit_lines(&Filter::default()).await?;
    let written = write_lines(lines, cx.io.out(), &spinner);
    spinner.finish_and_clear();
    written.map(|()| Exit::Done)
}

fn write_lines(lines: Lines, out: &mut dyn Write, spinner: &ProgressBar) -> Result<()> {
    let mut out = std::io::BufWriter::with_capacity(1 << 16, out);
    for line in lines {
        let line = line.map_err(ibyok_core::Error::from)?;
        out.write_all(line.text().as_bytes())
            .and_then(|()| out.write_all(b"\n"))
            .map_err(Error::Output)?;
        spinner.inc(1);
    }
    out.flush().map_err(Error::Output)
}

async fn keys(here: &Here, cx: &mut Cx<'_>) -> Result<Exit> {
    let keys = here.session.audit_keys().await?;
    if cx.globals.json {
        let items: Vec<_> = keys
            .iter()
            .map(|key| json!({ "log": key.log(), "key": key.to_string() }))
            .collect();
        cx.io.answer_json(&json!({ "items": items, "next": null }))?;
        return Ok(Exit::Done);
    }
    for key in keys {
        cx.io.answer_line(&key.to_string())?;
    }
    Ok(Exit::Done)
}

fn spinner(cx: &Cx<'_>, what: &'static str) -> ProgressBar {
    if !cx.io.terminal.error || cx.io.quiet || cx.globals.json {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg} {pos} {elapsed}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.set_message(what);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
