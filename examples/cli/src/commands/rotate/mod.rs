//! `ibyok rotate`

mod due;
mod quiet;
mod status;

pub(crate) use quiet::plain as quiet_for;

use ibyok_api::Written;
use ibyok_core::keys::{Interval, KeyWrite, WhichVersion};

use super::Cx;
use super::confirm::confirm;
use super::get::parse_version;
use super::keys::{Force, about};
use super::value::{Expected, ValueArgs};
use crate::access::{Drain, KeyArgument, Step};
use crate::error::Result;
use crate::exit::Exit;
use crate::table::Column;
use ibyok_reports::cell::Cell;
use ibyok_reports::keys;
use ibyok_reports::rotation::{After, next_at_provider};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Add a pending version, to test before you promote it; reads the value from standard input
    Stage(Stage),
    /// Make the pending version current. The old version becomes retiring; the vault still serves it by number
    Promote(One),
    /// Make the previous version current again
    Rollback(One),
    /// Retire all retiring versions or one of them, once every consumer has read the current version
    Retire(Retire),
    /// Destroy the value of a version, once every consumer has read the current version
    Destroy(Destroy),
    /// Show the consumers of each version, and those that have not yet read the current version
    Status(status::Args),
    /// List keys to rotate, and keys and tokens that expire soon; exit 10 if the list is not empty
    Due(due::Args),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stage {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    #[command(flatten)]
    value: ValueArgs,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    #[command(flatten)]
    force: Force,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Retire {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// Retire only this version
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    version: Option<u32>,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Destroy {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// The version to destroy; the current version cannot be destroyed
    #[arg(long, value_name = "N|pending", value_parser = parse_version)]
    version: WhichVersion,
    #[command(flatten)]
    drain: DrainArgs,
    #[command(flatten)]
    expected: Expected,
}

#[derive(Debug, clap::Args)]
pub(crate) struct DrainArgs {
    /// Refuse unless the last read of the version is at least this long ago (same as `--quiet 7d`)
    #[arg(long, value_name = "D")]
    quiet_for: Option<Interval>,
    /// Proceed even if consumers still use the version
    #[arg(long, requires = "reason")]
    force: bool,
    /// The reason for `--force`, for the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
}

impl From<DrainArgs> for Drain {
    fn from(args: DrainArgs) -> Self {
        Drain {
            quiet: args.quiet_for,
            force: args.force,
            reason: args.reason,
        }
    }
}

const STAGED: [Column<Written>; 4] = [
    ("key", |written| written.reference.cell()),
    ("id", |written| written.id.cell()),
    ("version", |written| written.version.cell()),
    ("state", |written| written.state.cell()),
];

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    cx.if_version = verb.if_version();
    match verb {
        Verb::Stage(args) => stage(args, cx).await,
        Verb::Promote(One { key, force, .. }) => promote(&key, force.reason(), cx).await,
        Verb::Rollback(One { key, force, .. }) => step(&key, Step::Rollback(force.reason()), cx).await,
        Verb::Retire(args) => retire(args, cx).await,
        Verb::Destroy(args) => destroy(args, cx).await,
        Verb::Status(args) => status::run(args, cx).await,
        Verb::Due(args) => due::run(args, cx).await,
    }
}

impl Verb {
    fn if_version(&self) -> Option<u32> {
        match self {
            Verb::Stage(Stage { expected, .. })
            | Verb::Promote(One { expected, .. })
            | Verb::Rollback(One { expected, .. })
            | Verb::Retire(Retire { expected, .. })
            | Verb::Destroy(Destroy { expected, .. }) => expected.if_version,
            Verb::Status(_) | Verb::Due(_) => None,
        }
    }
}

async fn stage(args: Stage, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let fields = args.value.read(cx.io)?;
    let write = KeyWrite::new(fields).force(args.force.reason());
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?;
        let written = access.stage(&key, write).await?;
        cx.io.notes(keys::written(&written));
        cx.answer_document(&written, &STAGED)?;
        say_next(cx, written.provider.as_deref(), After::Stage);
        Ok(Exit::Done)
    })
    .await
}

async fn promote(key: &str, reason: Option<String>, cx: &mut Cx<'_>) -> Result<Exit> {
    let mut provider = None;
    let exit = about(key, cx, async |access, key| {
        let info = access.rotate(key, Step::Promote(reason)).await?;
        provider.clone_from(&info.provider);
        Ok(info)
    })
    .await?;
    say_next(cx, provider.as_deref(), After::Promote);
    Ok(exit)
}

async fn step(key: &str, step: Step, cx: &mut Cx<'_>) -> Result<Exit> {
    about(key, cx, async |access, key| access.rotate(key, step).await).await
}

async fn retire(args: Retire, cx: &mut Cx<'_>) -> Result<Exit> {
    let step = Step::Retire(args.drain.into());
    about(&args.key, cx, async |access, key| match args.version {
        Some(version) => access.rotate(&key.clone().at_version(version), step).await,
        None => access.rotate(key, step).await,
    })
    .await
}

async fn destroy(args: Destroy, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let what = format!("destroy version {} of the key `{}`", args.version, args.key);
    confirm(cx, &what, "nobody can restore its value")?;
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?.at_version(args.version);
        let destroyed = access.destroy(&key, args.drain.into()).await?;
        if cx.globals.json {
            cx.io.answer_json(&destroyed)?;
        }
        cx.io.say(&format!("destroyed {key}"));
        match &destroyed.remains {
            Some(remains) => cx.io.say(&format!("traces of the value remain: {remains}")),
            None => cx
                .io
                .say("the store's files no longer hold the value; backups may still hold it"),
        }
        say_next(cx, destroyed.key.provider.as_deref(), After::Destroy);
        Ok(Exit::Done)
    })
    .await
}

/// Prints the next step at the provider's pages, if the catalogue has the provider.
fn say_next(cx: &mut Cx<'_>, provider: Option<&str>, after: After) {
    if let Some(step) = provider.and_then(|id| next_at_provider(id, after)) {
        cx.io.say(&step);
    }
}
