//! `ibyok completions`

use clap_complete::Shell;

use super::Cx;
use super::help::command;
use crate::error::Result;
use crate::exit::Exit;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell to print completions for
    shell: Shell,
}

pub(super) fn run(args: Args, cx: &mut Cx<'_>) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command(true), "ibyok", &mut script);
    cx.io.answer(&script)?;
    Ok(Exit::Done)
}
