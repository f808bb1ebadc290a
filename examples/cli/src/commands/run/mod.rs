//! `ibyok run`: a program with keys in its environment.

mod sources;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use super::Cx;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::{hardening, project};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Every key of this environment that you may read, each under its variable
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// The variables of a .env file; values that are `ibyok://` references are resolved
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// A key for a variable
    #[arg(long, value_name = "VAR=REF")]
    key: Vec<String>,
    /// With `--env`: only keys of this name; `*` and `?` stand for others
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// The pending version of each key that has one, else the current one: to try a value before it is promoted
    #[arg(long, value_name = "pending", value_parser = ["pending"])]
    version: Option<String>,
    /// Leave IBYOK_TOKEN in the program's environment
    #[arg(long)]
    keep_token: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    // A project's file that is refused is wrong input, whatever the program.
    let project = project_file(&args)?;
    let variables = variables(&args, project, cx).await;
    start(
        &args,
        cx,
        &variables.map_err(|error| Error::NotStarted(Box::new(error)))?,
    )
}

/// A project's file, if no flag says where the keys come from.
fn project_file(args: &Args) -> Result<Option<project::Project>> {
    if !(args.env.is_empty() && args.env_file.is_empty() && args.key.is_empty()) {
        return Ok(None);
    }
    let here = std::env::current_dir().map_err(|error| {
        let error = Error::failed(format!("there is no current directory: {error}"), "change to one");
        Error::NotStarted(Box::new(error))
    })?;
    project::find(&here)
}

/// Every variable that is not simply passed on. Everything is fetched before this returns, and the vault is closed.
async fn variables(
    args: &Args,
    project: Option<project::Project>,
    cx: &mut Cx<'_>,
) -> Result<BTreeMap<String, OsString>> {
    let access = crate::access::open(cx.globals, cx.environment, cx.io).await?;
    let outcome = async {
        let sources = sources::gather(args, project, access.as_ref(), cx).await?;
        sources::resolve(access.as_ref(), sources, args.version.is_some(), cx).await
    }
    .await;
    // The program takes our place: what is to be on the audit log has to be there before.
    access.close().await?;
    outcome
}

/// Puts the program in our place: signals and exit code are then its own, and our memory with the secrets in it is gone. Returns
/// only if that fails.
fn start(args: &Args, cx: &mut Cx<'_>, variables: &BTreeMap<String, OsString>) -> Result<Exit> {
    let (program, arguments) = args
        .program
        .split_first()
        .ok_or_else(|| Error::usage("no program", "name one"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        if !(args.keep_token && name.as_bytes().starts_with(b"IBYOK_TOKEN")) {
            command.env_remove(&name);
        }
    }
    command.envs(variables.iter().filter(|(name, _)| !is_ours(OsStr::new(name))));
    cx.io.flush();
    hardening::allow_core_dumps_again();
    let error = command.exec();
    let program = crate::show::clean(&program.to_string_lossy());
    Err(match error.kind() {
        io::ErrorKind::NotFound => Error::NoProgram { program },
        io::ErrorKind::InvalidInput => {
            let what = format!("`{program}` cannot be started: {error}");
            Error::NotStarted(Box::new(Error::usage(what, "no argument or variable may hold a NUL")))
        }
        _ => Error::NotExecutable { program, source: error },
    })
}

fn is_ours(name: &OsStr) -> bool {
    name.as_bytes().starts_with(b"IBYOK_")
}
