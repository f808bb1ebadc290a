//! `ibyok run`: a program with keys in its environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ibyok_access::{VariableRequest, Variables};
use ibyok_core::mask::{MASKED_MIN, Mask};
use ibyok_operations::run::{
    Project, Streams, allow_core_dumps_again, find_project, forbid_core_dumps, is_ours, run_masked, too_large,
};

use super::{Cx, tokens};
use crate::access::notes;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::globals::Environment;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Set every key of this environment that you may read, each in its variable
    #[arg(long, value_name = "ENV")]
    env: Vec<String>,
    /// Set the variables of a .env file, and resolve `ibyok://` references in it
    #[arg(long, value_name = "FILE")]
    env_file: Vec<PathBuf>,
    /// Set this variable to this key. Repeatable
    #[arg(long, value_name = "VAR=REF")]
    key: Vec<String>,
    /// With `--env`: set only keys that match this pattern: `*` matches any characters, `?` one character
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Use the pending version of each key that has one, else the current version: to test a value before you promote it
    #[arg(long, value_name = "pending", value_parser = ["pending"])]
    version: Option<String>,
    /// Mask the values of keys in the program's output, also in base64 and URL-encoded [default: on if the variable CI is
    /// set, except in output to a terminal]
    #[arg(long, conflicts_with = "no_mask")]
    mask: bool,
    /// Do not mask the program's output, even if the variable CI is set
    #[arg(long)]
    no_mask: bool,
    /// Keep IBYOK_TOKEN in the program's environment
    #[arg(long)]
    keep_token: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    // A refused file of the project is wrong input, for every program.
    let project = project_file(&args, cx.environment)?;
    let variables = variables(&args, project, cx).await;
    let variables = variables.map_err(|error| Error::NotStarted(Box::new(error)))?;
    let streams = streams(&args, cx);
    if streams == Streams::default() {
        return start(&args, cx, &variables);
    }
    start_below(&args, cx, variables, streams).await
}

/// Chooses the program's streams that are masked. Where nobody said, those of a CI job that go to no terminal: a terminal's program
/// knows whether it writes to one.
fn streams(args: &Args, cx: &Cx<'_>) -> Streams {
    let is_ci = cx
        .environment
        .get("CI")
        .is_some_and(|ci| !matches!(ci.as_str(), "" | "0" | "false"));
    let (output, error) = (cx.io.terminal.output, cx.io.terminal.error);
    match (args.mask, args.no_mask) {
        (true, _) => Streams { out: true, err: true },
        (false, false) if is_ci => Streams {
            out: !output,
            err: !error,
        },
        (false, _) => Streams::default(),
    }
}

/// A project's file, if no flag says where the keys come from.
fn project_file(args: &Args, environment: &Environment) -> Result<Option<Project>> {
    if !(args.env.is_empty() && args.env_file.is_empty() && args.key.is_empty()) {
        return Ok(None);
    }
    let here = std::env::current_dir().map_err(|error| {
        let error = Error::failed(
            format!("cannot read the current directory: {error}"),
            "change to a directory that exists",
        );
        Error::NotStarted(Box::new(error))
    })?;
    Ok(find_project(&here, environment.get("HOME").map(Path::new))?)
}

/// Every variable that is not simply passed on. Everything is fetched before this returns, and the vault is closed.
async fn variables(args: &Args, project: Option<Project>, cx: &mut Cx<'_>) -> Result<Variables> {
    let access = crate::access::open(cx.globals, cx.environment, cx.io).await?;
    let outcome = async {
        let environments = args.env.iter().map(|name| name.parse());
        let request = VariableRequest {
            environments: environments.collect::<Result<_, _>>()?,
            project,
            files: &args.env_file,
            own: Some(cx.environment),
            pairs: &args.key,
            only: tokens::patterns(&args.only)?,
            pending: args.version.is_some(),
        };
        Ok(ibyok_access::variables(access.as_ref(), request, &mut notes(cx.io)).await?)
    }
    .await;
    // The program takes our place: what is to be on the audit log has to be there before.
    access.close().await?;
    outcome
}

/// Puts the program in our place: signals and exit code are then its own, and our memory with the secrets in it is gone. Returns
/// only if that fails.
fn start(args: &Args, cx: &mut Cx<'_>, variables: &Variables) -> Result<Exit> {
    let mut command = command(args, variables)?;
    cx.io.flush();
    allow_core_dumps_again();
    let error = command.exec();
    Err(not_started(args, variables, error))
}

/// Starts the program as a child, and masks its output.
async fn start_below(args: &Args, cx: &mut Cx<'_>, variables: Variables, streams: Streams) -> Result<Exit> {
    let command = command(args, &variables)?;
    let keys = variables.iter().filter(|(_, held)| held.is_key);
    let token = cx.environment.get("IBYOK_TOKEN").filter(|_| args.keep_token);
    let values = keys.clone().map(|(_, held)| held.bytes.as_slice());
    let mask = Mask::of(values.chain(token.map(|token| token.as_bytes())));
    let short: Vec<&str> = keys
        .filter(|(_, held)| held.bytes.len() < MASKED_MIN)
        .map(|(name, _)| name.as_str())
        .collect();
    if !short.is_empty() {
        cx.io.warn(&format!(
            "warning: not masked in the program's output, because the values are too short: {}",
            short.join(", ")
        ));
    }
    cx.io.flush();
    let spawn = |command: &mut Command| {
        allow_core_dumps_again();
        let started = command.spawn();
        forbid_core_dumps();
        started
    };
    match run_masked(command, &mask, streams, spawn).await {
        Ok(code) => Ok(Exit::Program(code)),
        Err(error) => Err(not_started(args, &variables, error)),
    }
}

fn command(args: &Args, variables: &Variables) -> Result<Command> {
    let (program, arguments) = args
        .program
        .split_first()
        .ok_or_else(|| Error::usage("no program is given", "give the program after `--`"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_ours(name) && !is_kept(args, name)) {
        command.env_remove(&name);
    }
    let given = variables.iter().filter(|(name, _)| !is_ours(OsStr::new(name)));
    command.envs(given.map(|(name, held)| (name, OsStr::from_bytes(&held.bytes))));
    Ok(command)
}

/// The reason why the program did not start, by the codes of `docker run`.
fn not_started(args: &Args, variables: &Variables, error: io::Error) -> Error {
    let program = args.program.first().map(|program| program.to_string_lossy());
    let program = crate::show::clean(&program.unwrap_or_default());
    match error.kind() {
        io::ErrorKind::NotFound => Error::NoProgram { program },
        io::ErrorKind::InvalidInput => {
            let what = format!("cannot start `{program}`: {error}");
            Error::NotStarted(Box::new(Error::usage(
                what,
                "remove the NUL character from the arguments and variables",
            )))
        }
        io::ErrorKind::ArgumentListTooLong => {
            let inherited = std::env::vars_os().filter(|(name, _)| !is_ours(name) || is_kept(args, name));
            let mut all: BTreeMap<OsString, usize> = inherited.map(|(name, value)| (name, value.len())).collect();
            all.extend(variables.iter().map(|(name, held)| (name.into(), held.bytes.len())));
            let error = too_large(&program, all.into_iter().collect(), &args.program);
            Error::NotStarted(Box::new(error.into()))
        }
        _ => Error::NotExecutable { program, source: error },
    }
}

/// Returns true if a variable of IBYOK's own is left in the program's environment.
fn is_kept(args: &Args, name: &OsStr) -> bool {
    args.keep_token && name.as_bytes().starts_with(b"IBYOK_TOKEN")
}
