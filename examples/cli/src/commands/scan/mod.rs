//! `ibyok scan`

mod known;
mod show;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_scan::{
    Engine, Error as ScanError, ExcusedFiles, Installed, Progress, Repository, ScanReport, scan_checkout, scan_stream,
};
use serde_json::json;

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::globals::Environment;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, a directory to scan recursively, or `-` for standard input. With --staged, --history or --install-hook: a path
    /// in the repository
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// Scan only the changes of the next commit, from git's index
    #[arg(long, conflicts_with_all = ["history", "no_ignore"])]
    staged: bool,
    /// Scan every text in git's whole history
    #[arg(long, conflicts_with = "no_ignore")]
    history: bool,
    /// Install a git hook that runs `ibyok scan --staged` before each commit
    #[arg(long, conflicts_with_all = ["staged", "history", "no_ignore", "binary", "sarif"])]
    install_hook: bool,
    /// Recognise the vault's keys by a bundle of fingerprints, without opening the vault
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Write a bundle of fingerprints and exit. Keep it secret: its holder can read the names of keys and test values
    #[arg(long, value_name = "FILE", conflicts_with_all = ["staged", "history", "no_ignore", "binary", "sarif", "install_hook", "bundle", "no_vault"])]
    export_bundle: Option<PathBuf>,
    /// Search for shapes only, without opening the vault
    #[arg(long, conflicts_with = "bundle")]
    no_vault: bool,
    /// Also write the findings to this file as SARIF 2.1.0
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Also scan files that git ignores
    #[arg(long)]
    no_ignore: bool,
    /// Also scan binary files
    #[arg(long)]
    binary: bool,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    if args.install_hook {
        return install_hook(&args, cx);
    }
    if let Some(path) = &args.export_bundle {
        return known::export(path, cx).await;
    }
    let input = is_input(&args.path);
    if input && (args.staged || args.history || args.no_ignore) {
        return Err(Error::usage(
            "`-` is standard input, not a path in a repository",
            "remove --staged, --history and --no-ignore, or give a path",
        ));
    }
    let excused = if input { None } else { ExcusedFiles::near(&args.path)? };
    let mut engine = Engine::new().binary(args.binary).excusing(excused);
    if let Some(matcher) = known::matcher(&args, cx).await? {
        engine = engine.with_matcher(matcher);
    }
    let progress = Arc::new(Progress::default());
    let watch = watch::watch(cx, &progress);
    let sarif = args.sarif.clone();
    if input {
        let report = scan_stream(&engine, cx.io.input(), &args.path, &progress);
        watch.stop();
        let report = report.map_err(|error| {
            Error::failed(
                format!("cannot read standard input to its end: {error}"),
                "check that the program before `|` succeeded",
            )
        })?;
        return show::answer(&report, sarif.as_deref(), cx);
    }
    let environment = cx.environment.clone();
    let scanned = tokio::task::spawn_blocking(move || look(&args, &environment, &engine, &progress)).await;
    watch.stop();
    let report = scanned.map_err(|_| Error::failed("the scan stopped early", "this is a bug"))??;
    show::answer(&report, sarif.as_deref(), cx)
}

/// Returns true if a path is standard input.
fn is_input(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]
        .iter()
        .any(|name| path == Path::new(name))
}

fn look(args: &Args, environment: &Environment, engine: &Engine, progress: &Progress) -> Result<ScanReport> {
    let repository = || Repository::open(&args.path, environment);
    Ok(if args.staged {
        repository()?.scan_staged(engine, progress)?
    } else if args.history {
        repository()?.scan_history(engine, progress)?
    } else {
        scan_checkout(engine, &args.path, args.no_ignore, environment, progress)?
    })
}

fn install_hook(args: &Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let installed = Repository::open(&args.path, cx.environment)?.install_hook()?;
    let (path, new) = match &installed {
        Installed::Now(path) => (path, true),
        Installed::Before(path) => (path, false),
        _ => return Ok(Exit::Done),
    };
    let shown = ibyok_scan::printable(path.as_os_str().as_encoded_bytes());
    if cx.globals.json {
        cx.io.answer_json(&json!({ "hook": shown, "new": new }))?;
    } else if new {
        cx.io.say(&format!(
            "installed `{shown}`: git now refuses commits that contain a key"
        ));
    } else {
        cx.io.say(&format!("`{shown}` is already installed"));
    }
    Ok(Exit::Done)
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        let what = error.to_string();
        match error {
            ScanError::Root { .. } => Error::usage(what, "check the path, and that you may read it"),
            ScanError::Excuses { .. } => Error::usage(
                what,
                "write git's patterns, and a comment `# WHY` above each block of them",
            ),
            ScanError::NoGit => Error::failed(what, "install git, or scan a directory of files, which needs no git"),
            ScanError::Git { .. } => Error::usage(
                what,
                "give a path in a repository that you own; git's `safe.directory` also allows other owners' repositories",
            ),
            ScanError::Hook { .. } => {
                Error::failed(what, "add this line to your own hook: ibyok scan --staged || exit 1")
            }
            _ => Error::failed(what, "check that you may read the path"),
        }
    }
}
