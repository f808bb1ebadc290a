//! `ibyok man`

use super::Cx;
use super::help::command;
use crate::error::{Error, Result};
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the page of this command, for example `tokens issue` [default: ibyok itself]
    command: Vec<String>,
}

pub(super) fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let mut command = command(true);
    command.build();
    let mut page = &command;
    for name in &args.command {
        page = page.find_subcommand(name).ok_or_else(|| {
            Error::usage(
                format!("there is no command `{}`", crate::show::clean(name)),
                "`ibyok --help` lists them",
            )
        })?;
    }
    let mut roff = Vec::new();
    clap_mangen::Man::new(page.clone())
        .render(&mut roff)
        .map_err(Error::Output)?;
    cx.io.answer(&roff)?;
    Ok(Exit::Done)
}
