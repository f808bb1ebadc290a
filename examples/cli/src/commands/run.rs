//! `ibyok run`: a program with keys in its environment.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ibyok_core::{EnvironmentName, ExposeSecret, KeyRef, Pattern};

use super::fetch::{self, Wanted};
use super::{Cx, tokens};
use crate::access::{Access, Fetched, KeyArgument};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::{dotenv, hardening, project};

/// What a value begins with that is to be resolved.
const SCHEME: &str = "ibyok://";

/// The largest `--env-file`, in bytes.
const ENV_FILE_MAX: u64 = 16 << 20;

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
    /// Leave IBYOK_TOKEN in the program's environment
    #[arg(long)]
    keep_token: bool,
    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

/// What a variable is to hold.
enum Source {
    /// This text.
    Plain(String),
    /// This key's value.
    Key(KeyArgument),
}

type Sources = BTreeMap<String, Source>;

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let sources = match project_file(&args)? {
        Some(project) => Gathered::Project(project),
        None => Gathered::Flags,
    };
    let variables = variables(&args, sources, cx)
        .await
        .map_err(|error| Error::NotStarted(Box::new(error)))?;
    start(&args, cx, &variables)
}

/// Where the keys come from.
enum Gathered {
    Flags,
    Project(project::Project),
}

/// A project's file, if no flag says where the keys come from. One that is refused is wrong input, whatever the program.
fn project_file(args: &Args) -> Result<Option<project::Project>> {
    if !(args.env.is_empty() && args.env_file.is_empty() && args.key.is_empty()) {
        return Ok(None);
    }
    let here = std::env::current_dir();
    let here = here.map_err(|error| Error::failed(format!("no current directory: {error}"), "change to one"));
    here.map_err(|error| Error::NotStarted(Box::new(error)))
        .and_then(|here| project::find(&here))
}

/// Every variable that is not simply passed on. Everything is fetched before this returns, and the vault is closed.
async fn variables(args: &Args, sources: Gathered, cx: &mut Cx<'_>) -> Result<BTreeMap<String, OsString>> {
    let only: Vec<Pattern> = tokens::patterns(&args.only)?;
    let access = crate::access::open(cx.globals, cx.environment, cx.io).await?;
    let outcome = async {
        let sources = gather(args, sources, &only, access.as_ref(), cx).await?;
        resolve(access.as_ref(), sources).await
    }
    .await;
    // The program takes our place: what is to be on the audit log has to be there before.
    access.close().await?;
    outcome
}

/// Later sources win: environments, files, our own variables, single keys.
async fn gather(
    args: &Args,
    sources: Gathered,
    only: &[Pattern],
    access: &dyn Access,
    cx: &mut Cx<'_>,
) -> Result<Sources> {
    let mut gathered = Sources::new();
    let (mut environments, mut singles) = (Vec::new(), Vec::new());
    match sources {
        Gathered::Project(project) => {
            cx.io.say(&format!("keys as {} says", project.path.display()));
            environments.extend(project.environment);
            singles.extend(
                project
                    .keys
                    .into_iter()
                    .map(|(variable, key)| (variable, KeyArgument::Reference(key))),
            );
        }
        Gathered::Flags => {
            environments = args
                .env
                .iter()
                .map(|name| name.parse())
                .collect::<Result<Vec<EnvironmentName>, _>>()?;
        }
    }
    let wants = |name: &str| only.is_empty() || only.iter().any(|pattern| pattern.matches(name));
    for environment in &environments {
        for Wanted { variable, key } in fetch::of_environment(access, cx, environment, wants).await? {
            gathered.insert(variable, Source::Key(KeyArgument::Reference(key)));
        }
    }
    for (variable, key) in singles {
        gathered.insert(variable, Source::Key(key));
    }
    for path in &args.env_file {
        gathered.extend(file(path)?);
    }
    own(cx, &mut gathered)?;
    for pair in &args.key {
        let (variable, reference) = pair
            .split_once('=')
            .filter(|(variable, _)| !variable.is_empty())
            .ok_or_else(|| {
                Error::usage(
                    format!("`{}` is no `VAR=REF`", crate::show::clean(pair)),
                    "for example `--key TOKEN=prod/stripe`",
                )
            })?;
        gathered.insert(variable.to_owned(), Source::Key(reference.parse()?));
    }
    if gathered.is_empty() && args.env.is_empty() && args.env_file.is_empty() && environments.is_empty() {
        return Err(Error::usage(
            "nothing says which keys the program is to have",
            "give `--env`, `--env-file` or `--key`, or write a `.ibyok.toml`",
        ));
    }
    Ok(gathered)
}

fn file(path: &Path) -> Result<Sources> {
    let text = super::import::read_file(path, ENV_FILE_MAX)?;
    let parsed = dotenv::parse(&text)?;
    let sources = parsed.assignments.iter().map(|assignment| {
        let source = source(&assignment.variable, &assignment.value)?;
        Ok((assignment.variable.clone(), source))
    });
    sources.collect()
}

/// Our own variables win over what was gathered: references among them are resolved, others pass as they are.
fn own(cx: &mut Cx<'_>, gathered: &mut Sources) -> Result<()> {
    for (variable, value) in cx
        .environment
        .iter()
        .filter(|(variable, _)| !variable.starts_with("IBYOK_"))
    {
        if value.starts_with(SCHEME) {
            gathered.insert(variable.clone(), source(variable, value)?);
        } else if let Some(Source::Key(_)) = gathered.remove(variable) {
            cx.io
                .say(&format!("{variable} is in our environment already, and stays as it is"));
        }
    }
    Ok(())
}

fn source(variable: &str, value: &str) -> Result<Source> {
    if !value.starts_with(SCHEME) {
        return Ok(Source::Plain(value.to_owned()));
    }
    let key: KeyRef = value.parse().map_err(|error: ibyok_core::Error| {
        let hint = error.hint().unwrap_or_default();
        Error::usage(format!("{}: {error}", crate::show::clean(variable)), hint)
    })?;
    Ok(Source::Key(KeyArgument::Reference(key)))
}

async fn resolve(access: &dyn Access, sources: Sources) -> Result<BTreeMap<String, OsString>> {
    let mut variables = BTreeMap::new();
    let mut wanted = Vec::new();
    for (variable, source) in sources {
        match source {
            Source::Plain(text) => drop(variables.insert(variable, OsString::from(text))),
            Source::Key(key) => wanted.push(Wanted {
                key: key.resolve(access).await?,
                variable,
            }),
        }
    }
    for (variable, fetched) in fetch::all(access, &wanted).await? {
        variables.insert(variable.clone(), os_value(&variable, &fetched)?);
    }
    Ok(variables)
}

fn os_value(variable: &str, fetched: &Fetched) -> Result<OsString> {
    let bytes = fetched.value.expose_secret();
    if bytes.contains(&0) {
        return Err(Error::usage(
            format!(
                "the value of `{}` holds a NUL, which no variable can ({variable})",
                fetched.reference
            ),
            "`ibyok get REF -n -o FILE` writes it to a file",
        ));
    }
    Ok(OsString::from_vec(bytes.to_vec()))
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
