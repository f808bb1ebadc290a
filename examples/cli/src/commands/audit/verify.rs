//! `ibyok audit verify`

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ibyok_core::audit::{LogReport, VerifyProgress, VerifyReport, VerifyingKey};
use ibyok_operations::file::read_text;
use ibyok_reports::{cell::Cell, verification};
use ibyok_settings::home_of;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::prove;
use crate::access::{Access, document_of as document};
use crate::commands::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::progress::{spinner, to_bar};
use crate::show::clean;
use crate::table::{Column, Table};

/// The interval at which the progress is shown.
const SHOWN_EVERY: Duration = Duration::from_millis(100);

pub(super) async fn run(
    keys: &[String],
    proof: Option<&Path>,
    archives: Vec<PathBuf>,
    cx: &mut Cx<'_>,
) -> Result<Exit> {
    let keys = trusted(keys)?;
    match proof {
        Some(path) => prove::check(path, &keys, cx),
        None => match place(&keys, cx).map(str::to_owned) {
            Some(place) => verify_by_keys(&place, archives, keys, cx).await,
            None => verify(&keys, archives, cx).await,
        },
    }
}

/// Returns the directory or the home that is verified by keys alone: a caller that names it and the keys needs no vault. A vault
/// that is named with it takes precedence.
fn place<'a>(keys: &[VerifyingKey], cx: &Cx<'a>) -> Option<&'a str> {
    let given = &cx.globals.settings;
    let named = given.audit.as_deref();
    let named = named.filter(|_| cx.globals.vault.is_none() && given.store.is_none());
    named.filter(|_| !keys.is_empty())
}

async fn verify_by_keys(place: &str, archives: Vec<PathBuf>, keys: Vec<VerifyingKey>, cx: &mut Cx<'_>) -> Result<Exit> {
    let report = match (home_of(place), place.split(',').next()) {
        (None, Some(directory)) => outside(PathBuf::from(directory), archives, keys, cx).await?,
        _ => {
            let settings = crate::settings::resolve(cx.globals, cx.environment)?;
            settings.fetch_logs().await?;
            outside(settings.audit.clone(), archives, keys, cx).await?
        }
    };
    answer(&Verified::of(report?), cx)
}

/// Verifies without a vault, with per cent, on a separate thread: it reads files all the time.
async fn outside(
    place: PathBuf,
    archives: Vec<PathBuf>,
    keys: Vec<VerifyingKey>,
    cx: &Cx<'_>,
) -> Result<ibyok_core::Result<VerifyReport>> {
    let (spinner, progress) = (spinner(cx, "verifying"), Arc::new(VerifyProgress::default()));
    let counted = Arc::clone(&progress);
    let verify = move || ibyok_core::audit::verify_log_watched(&place, &archives, &keys, counted);
    let work = tokio::task::spawn_blocking(verify);
    let report = watched(work, &progress, &spinner).await;
    spinner.finish_and_clear();
    report.map_err(|error| Error::failed(format!("the verification stopped early: {error}"), "this is a bug"))
}

/// Waits for a verification, and shows per cent as soon as the size of the logs is known.
async fn watched<T>(work: impl Future<Output = T>, progress: &VerifyProgress, bar: &ProgressBar) -> T {
    let mut work = std::pin::pin!(work);
    let mut is_bar = false;
    loop {
        tokio::select! {
            done = &mut work => return done,
            () = tokio::time::sleep(SHOWN_EVERY) => {
                let total = progress.total();
                if total > 0 && !is_bar {
                    to_bar(bar, total);
                    is_bar = true;
                }
                bar.set_position(progress.read().min(total));
            }
        }
    }
}

fn trusted(given: &[String]) -> Result<Vec<VerifyingKey>> {
    let mut keys = Vec::new();
    for text in given {
        if let Ok(key) = text.parse() {
            keys.push(key);
            continue;
        }
        let path = Path::new(text);
        let file = read_text(path, 64 * 1024).map_err(|_| no_key(text))?;
        for line in file.lines().map(str::trim).filter(|line| !line.is_empty()) {
            keys.push(line.parse().map_err(|_| no_key(text))?);
        }
    }
    Ok(keys)
}

fn no_key(text: &str) -> Error {
    let shown: String = text.chars().take(64).collect();
    Error::usage(
        format!("`{}` is not the public key of a log", clean(&shown)),
        "give a key as `ibyok audit keys` prints it",
    )
}

async fn verify(keys: &[VerifyingKey], archives: Vec<PathBuf>, cx: &mut Cx<'_>) -> Result<Exit> {
    let here = match crate::access::here("audit verify", cx.globals, cx.environment, cx.io).await {
        Ok(here) => here,
        Err(error) if matches!(Exit::from(&error), Exit::Unavailable | Exit::NotFound) => {
            return verify_without_vault(keys, archives, error, cx).await;
        }
        Err(error) => return Err(error),
    };
    let spinner = spinner(cx, "verifying");
    let progress = Arc::new(VerifyProgress::default());
    let log = here.session().audit().with_archives(&archives);
    let work = log.verify_watched(keys, Arc::clone(&progress));
    let report = watched(work, &progress, &spinner).await;
    let floors = here.session().floors().verify().await;
    spinner.finish_and_clear();
    let closed = here.close().await;
    let (mut verified, floors) = (Verified::of(report?), floors?);
    verified.ok &= floors.ok;
    verified.floors = Some(document(&floors)?);
    verified.findings = floors.findings;
    let exit = answer(&verified, cx)?;
    closed?;
    Ok(exit)
}

/// Verifies the log if the vault does not open, perhaps because its log is damaged. A log without a fault then does
/// not explain the failure.
async fn verify_without_vault(
    keys: &[VerifyingKey],
    archives: Vec<PathBuf>,
    why: Error,
    cx: &mut Cx<'_>,
) -> Result<Exit> {
    let settings = crate::settings::resolve(cx.globals, cx.environment)?;
    if settings.fetch_logs().await.is_err() {
        return Err(why);
    }
    let Ok(report) = outside(settings.audit.clone(), archives, keys.to_vec(), cx).await? else {
        return Err(why);
    };
    // Where there is no vault, the keys that were given are all that is asked about.
    let asked = Exit::from(&why) == Exit::NotFound && !keys.is_empty();
    let floors = match &why {
        Error::Vault(ibyok_core::Error::Floors { what }) => Some(what.clone()),
        _ => None,
    };
    if report.ok && !asked && floors.is_none() {
        return Err(why);
    }
    cx.io.warn(&format!("the vault does not open: {why}"));
    cx.io
        .warn("verified the log without the vault, and without the checkpoints in its store");
    let mut verified = Verified::of(report);
    if let Some(what) = floors {
        verified.ok = false;
        verified.floors = Some(json!({ "ok": false, "findings": [what] }));
        verified.findings = vec![what];
    }
    answer(&verified, cx)
}

/// A verification of the log, and of the floors if the vault or its error says something about them.
struct Verified {
    report: VerifyReport,
    /// True if neither has a finding.
    ok: bool,
    floors: Option<Value>,
    /// The findings about the floors.
    findings: Vec<String>,
}

impl Verified {
    fn of(report: VerifyReport) -> Self {
        Verified {
            ok: report.ok,
            report,
            floors: None,
            findings: Vec::new(),
        }
    }

    /// The document that `--json` prints.
    fn document(&self) -> Result<Value> {
        let mut report = document(&self.report)?;
        if let Value::Object(map) = &mut report {
            map.insert("ok".to_owned(), self.ok.into());
            map.extend(self.floors.clone().map(|floors| ("floors".to_owned(), floors)));
        }
        Ok(report)
    }
}

/// Prints the report and returns the exit code, which reports findings even if the answer could not be printed.
fn answer(verified: &Verified, cx: &mut Cx<'_>) -> Result<Exit> {
    let told = tell(verified, cx);
    if verified.ok {
        return told.map(|()| Exit::Done);
    }
    if let Err(error) = told {
        cx.io
            .warn(&format!("the log was changed after it was written; {error}"));
    }
    Ok(Exit::Findings)
}

const LOGS: [Column<LogReport>; 7] = [
    ("LOG", |log| log.id.cell()),
    ("SLOT", |log| log.slot.cell()),
    ("LINES", |log| log.events.cell()),
    ("CHECKPOINTS", |log| log.checkpoints.cell()),
    ("CHAINED ONLY", |log| log.chained_only.cell()),
    ("KEY TRUSTED", |log| log.trusted_key.cell()),
    ("FIRST BAD LINE", |log| log.first_bad.as_ref().map(|bad| bad.seq).cell()),
];

fn tell(verified: &Verified, cx: &mut Cx<'_>) -> Result<()> {
    if cx.globals.json {
        return cx.io.answer_json(&verified.document()?);
    }
    let report = &verified.report;
    Table::typed(&report.logs, &LOGS).print_or(cx.io, "no logs")?;
    cx.io
        .notes(verification::described(report, verified.ok, &verified.findings));
    Ok(())
}
