//! `ibyok scan`

pub(super) mod known;
mod show;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ibyok_scan::{
    Engine, Error as ScanError, ExcusedFiles, Installed, Progress, Report, Repository, TreeOptions, scan_files,
    scan_stream, scan_tree,
};
use serde_json::json;

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::globals::Environment;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, a directory with everything below it, or `-` for standard input; a place in a repository for what is about that
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
    /// What the next commit would change, as it is in git's index
    #[arg(long, conflicts_with_all = ["history", "no_ignore"])]
    staged: bool,
    /// Every text of git's whole history
    #[arg(long, conflicts_with = "no_ignore")]
    history: bool,
    /// Install a git hook that runs `ibyok scan --staged` before each commit
    #[arg(long, conflicts_with_all = ["staged", "history", "no_ignore", "binary", "sarif"])]
    install_hook: bool,
    /// Know the vault's keys by a bundle of fingerprints instead of the vault
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Write such a bundle and scan nothing: whoever has it can try values, and learns the names of keys
    #[arg(long, value_name = "FILE", conflicts_with_all = ["staged", "history", "no_ignore", "binary", "sarif", "install_hook", "bundle", "no_vault"])]
    export_bundle: Option<PathBuf>,
    /// Look for shapes alone, and do not open the vault
    #[arg(long, conflicts_with = "bundle")]
    no_vault: bool,
    /// Write the findings to this file as SARIF 2.1.0 too
    #[arg(long, value_name = "FILE")]
    sarif: Option<PathBuf>,
    /// Also what git ignores
    #[arg(long)]
    no_ignore: bool,
    /// Also binary files
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
            "`-` is standard input, and no place in a repository",
            "leave out --staged, --history and --no-ignore, or give a path",
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
                format!("standard input cannot be read to its end: {error}"),
                "see that the program before `|` ended well",
            )
        })?;
        return show::answer(&report, sarif.as_deref(), cx);
    }
    let environment = cx.environment.clone();
    let scanned = tokio::task::spawn_blocking(move || look(&args, &environment, &engine, &progress)).await;
    watch.stop();
    let report = scanned.map_err(|_| Error::failed("the scan came to no end", "this is a bug"))??;
    show::answer(&report, sarif.as_deref(), cx)
}

/// Returns true if a path is standard input.
fn is_input(path: &Path) -> bool {
    ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"]
        .iter()
        .any(|name| path == Path::new(name))
}

fn look(args: &Args, environment: &Environment, engine: &Engine, progress: &Progress) -> Result<Report> {
    let repository = || Repository::open(&args.path, environment);
    Ok(if args.staged {
        repository()?.scan_staged(engine, progress)?
    } else if args.history {
        repository()?.scan_history(engine, progress)?
    } else {
        tree(&args.path, args.no_ignore, environment, engine, progress)?
    })
}

/// Scans a tree: what git ignores only if asked, or if git has it all the same.
pub(super) fn tree(
    path: &Path,
    no_ignore: bool,
    environment: &Environment,
    engine: &Engine,
    progress: &Progress,
) -> Result<Report> {
    let options = TreeOptions::default().no_ignore(no_ignore);
    let report = scan_tree(engine, path, options, progress)?;
    if no_ignore || !path.is_dir() {
        return Ok(report);
    }
    // Where there is no repository, or no git, nothing is tracked.
    let tracked = Repository::open(path, environment).and_then(|repository| repository.ignored_and_tracked());
    Ok(match tracked {
        Ok(files) if !files.is_empty() => report.and(scan_files(engine, path, &files, progress)),
        _ => report,
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
            "installed `{shown}`: commits with a key in them are refused from now on"
        ));
    } else {
        cx.io.say(&format!("`{shown}` was installed before"));
    }
    Ok(Exit::Done)
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        let what = error.to_string();
        match error {
            ScanError::Root { .. } => Error::usage(what, "see that the path is right, and may be read by you"),
            ScanError::Excuses { .. } => Error::usage(
                what,
                "it holds git's patterns, and above each block of them a comment `# WHY`",
            ),
            ScanError::NoGit => Error::failed(what, "install git; a tree of files is scanned without it"),
            ScanError::Git { .. } => Error::usage(
                what,
                "give a place in a repository that is yours; git's `safe.directory` lets you read somebody else's",
            ),
            ScanError::Hook { .. } => {
                Error::failed(what, "add this line to your own hook: ibyok scan --staged || exit 1")
            }
            _ => Error::failed(what, "see that the path may be read by you"),
        }
    }
}
