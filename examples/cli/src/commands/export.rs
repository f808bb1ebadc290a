//! `ibyok export`

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use ibyok_access::{Exported, export_all, of_environment};
use ibyok_core::{EnvironmentName, policy::Pattern};
use ibyok_operations::dotenv::{Format, print};

use super::{Cx, tokens};
use crate::access::notes;
use crate::error::Result;
use crate::exit::Exit;
use ibyok_core::audit::words::{counted, is_or_are};
use ibyok_operations::file::write_private;

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
        let wanted = of_environment(here, &environment, wants, &mut notes(cx.io)).await?;
        let Exported { variables, mocks, .. } = export_all(here, wanted).await?;
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
                write_private(path, printed.as_bytes())?;
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
