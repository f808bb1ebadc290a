//! `ibyok export`

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use ibyok_core::{EnvironmentName, Session, policy::Pattern, secrecy::ExposeSecret};
use ibyok_operations::dotenv::{Format, print};
use zeroize::Zeroizing;

use super::{Cx, fetch, tokens};
use crate::access::fetched;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::out_file::write_secret;
use crate::words::{counted, is_or_are};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Export the keys of this environment
    #[arg(long, value_name = "ENV")]
    env: String,
    /// The format of the output
    #[arg(long, value_parser = formats(), default_value = Format::Dotenv.as_str())]
    format: Format,
    /// Export only keys that match this pattern: `*` matches any characters, `?` one character
    #[arg(long, value_name = "PATTERN")]
    only: Vec<String>,
    /// Skip keys that match this pattern
    #[arg(long, value_name = "PATTERN")]
    skip: Vec<String>,
    /// Write to this file (mode 0600) instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Parses the word of a format; help shows the reader of each.
fn formats() -> impl TypedValueParser<Value = Format> {
    let reader = |format| match format {
        Format::Dotenv => "A `.env` file that python-dotenv, Node.js and a POSIX shell read alike",
        Format::Json => "One JSON object of strings",
        Format::Docker => "`docker run --env-file`, which supports neither quotes nor line breaks",
        Format::Shell => "A POSIX shell: `export` lines to be sourced",
    };
    PossibleValuesParser::new(Format::ALL.map(|format| PossibleValue::new(format.as_str()).help(reader(format))))
        .try_map(|word| word.parse::<Format>())
}

pub(super) async fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let environment: EnvironmentName = args.env.parse()?;
    let (only, skip): (Vec<Pattern>, Vec<Pattern>) = (tokens::patterns(&args.only)?, tokens::patterns(&args.skip)?);
    let format = if cx.globals.json { Format::Json } else { args.format };
    cx.with_vault("export", async |here, cx| {
        let any = |patterns: &[Pattern], name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let wants = |name: &str| (only.is_empty() || any(&only, name)) && !any(&skip, name);
        let wanted = fetch::of_environment(here, cx, &environment, wants).await?;
        let session = &here.session;
        let exported = stream::iter(wanted).map(|one| async move { export(session, one).await });
        let exported: Vec<(_, bool)> = exported.buffered(fetch::AT_ONCE).try_collect().await?;
        let mocks = exported.iter().filter(|(_, mock)| *mock).count();
        let variables: Vec<_> = exported.into_iter().map(|(variable, _)| variable).collect();
        if mocks > 0 {
            cx.io.warn(&format!(
                "warning: {mocks} of {} {} mocked",
                counted(variables.len(), "value"),
                is_or_are(mocks)
            ));
        }
        let written = print(format, &variables)?;
        let (printed, quoted) = (written.text, written.quoted);
        if quoted {
            cx.io
                .say("some values are in quotes; for `docker run --env-file`, use `--format docker`");
        }
        if variables.is_empty() {
            cx.io.say("no keys");
        }
        match &args.output {
            Some(path) => {
                write_secret(path, printed.as_bytes())?;
                cx.io.say(&format!(
                    "wrote {} to {}",
                    counted(variables.len(), "key"),
                    path.display()
                ));
            }
            None => cx.io.answer(printed.as_bytes())?,
        }
        Ok(Exit::Done)
    })
    .await
}

async fn export(session: &Session, wanted: fetch::Wanted) -> Result<((String, Zeroizing<String>), bool)> {
    let fetched = fetched(session.keys().export(&wanted.key).await?, None)?;
    let text = std::str::from_utf8(fetched.value.expose_secret()).map_err(|_| {
        Error::usage(
            format!("cannot export `{}`: its value is not text", wanted.key),
            "skip the key with `--skip`, and write its value with `ibyok get REF -n -o FILE`",
        )
    })?;
    let mock = fetched.mode == "mock";
    Ok(((wanted.variable, Zeroizing::new(text.to_owned())), mock))
}
