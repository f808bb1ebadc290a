//! `ibyok scan`

mod show;
mod watch;

use std::path::PathBuf;
use std::sync::Arc;

use ibyok_scan::{Engine, Error as ScanError, Progress, Report, TreeOptions, scan_tree};

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A file, or a directory with everything below it
    #[arg(default_value = ".", value_name = "PATH")]
    path: PathBuf,
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
    let engine = Engine::new().binary(args.binary);
    let progress = Arc::new(Progress::default());
    let watch = watch::watch(cx, &progress);
    let sarif = args.sarif.clone();
    let scanned = tokio::task::spawn_blocking(move || look(&args, &engine, &progress)).await;
    watch.stop();
    let report = scanned.map_err(|_| Error::failed("the scan came to no end", "this is a bug"))??;
    show::answer(&report, sarif.as_deref(), cx)
}

fn look(args: &Args, engine: &Engine, progress: &Progress) -> Result<Report> {
    let options = TreeOptions::default().no_ignore(args.no_ignore);
    Ok(scan_tree(engine, &args.path, options, progress)?)
}

impl From<ScanError> for Error {
    fn from(error: ScanError) -> Self {
        let what = error.to_string();
        match error {
            ScanError::Root { .. } => Error::usage(what, "see that the path is right, and may be read by you"),
            _ => Error::failed(what, "see that the path may be read by you"),
        }
    }
}
