//! `ibyok rotate`

use std::path::PathBuf;

use ibyok_core::KeyWrite;

use super::Cx;
use super::keys::about;
use crate::access::{KeyArgument, Step};
use crate::error::Result;
use crate::exit::Exit;
use crate::secret_input::read_fields;

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Add a version that is pending, to be tried before it is promoted; the value comes from standard input
    Stage(Stage),
    /// Make the pending version the current one; the one before is retiring, and served by number
    Promote(One),
    /// Make the version that was current before the current one again
    Rollback(One),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stage {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
    /// The field that is given [default: value, the key itself]
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
    /// Read the value from a file, as it is, instead of standard input
    #[arg(long, value_name = "FILE", conflicts_with = "fields_from")]
    from_file: Option<PathBuf>,
    /// Read several fields from a JSON object of strings
    #[arg(long, value_name = "FILE", conflicts_with = "field")]
    fields_from: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// The key: `env/name`, `ibyok://…`, or an id
    #[arg(value_name = "REF")]
    key: String,
}

pub(super) async fn run(verb: Verb, cx: &mut Cx<'_>) -> Result<Exit> {
    match verb {
        Verb::Stage(args) => stage(args, cx).await,
        Verb::Promote(One { key }) => step(&key, Step::Promote, cx).await,
        Verb::Rollback(One { key }) => step(&key, Step::Rollback, cx).await,
    }
}

async fn stage(args: Stage, cx: &mut Cx<'_>) -> Result<Exit> {
    let key: KeyArgument = args.key.parse()?;
    let wanted = args.field.iter().map(|field| field.parse());
    let wanted = wanted.collect::<Result<Vec<_>, _>>()?;
    let fields = read_fields(cx.io, &wanted, args.from_file.as_deref(), args.fields_from.as_deref())?;
    cx.with_access(async |access, cx| {
        let key = key.resolve(access).await?;
        let written = access.stage(&key, KeyWrite::new(fields)).await?;
        cx.answer_one(
            &written,
            &[("key", "ref"), ("id", "id"), ("version", "version"), ("state", "state")],
        )
    })
    .await
}

async fn step(key: &str, step: Step, cx: &mut Cx<'_>) -> Result<Exit> {
    about(key, cx, async |access, key| access.rotate(key, step).await).await
}
