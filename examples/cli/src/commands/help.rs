//! The command line as help shows it: a verb's own options first, the settings of the vault only where they are asked for.

use std::ffi::OsString;

use clap::{Arg, ArgAction, Command, CommandFactory, FromArgMatches};

use super::Cli;
use crate::globals::SETTINGS;

const HELP_ALL: &str = "help-all";

/// Ends the help of every verb.
const TOKENS: &str = "Access tokens: IBYOK_TOKEN holds the token, IBYOK_TOKEN_FILE names a file that holds it, IBYOK_TOKEN_COMMAND is a \
    command that prints it. If one of them is set, `ibyok` acts as that token; `--operator` ignores them.\n\n`--help-all` also shows the settings of \
    the vault (`--store`, `--kek`, …). Each setting has a flag, a variable and a line in `vault.toml`.";

/// Parses arguments.
///
/// # Errors
/// Clap's, which help and version are as well.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Cli, clap::Error> {
    let mut command = command(wants_settings(arguments));
    let mut matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// The command line, with the settings of the vault in its help if `settings` is set.
pub(super) fn command(settings: bool) -> Command {
    let help_all = Arg::new(HELP_ALL)
        .long(HELP_ALL)
        .global(true)
        .action(ArgAction::HelpLong)
        .help("Show this help with the settings of the vault")
        .help_heading("Global options");
    let command = Cli::command().arg(help_all);
    let command = command.mut_args(|arg| match arg.get_help_heading() {
        Some(SETTINGS) => arg.hide(!settings),
        _ => arg,
    });
    command.mut_subcommands(with_tokens)
}

/// Returns true if help shows the settings: where they are asked for, and of the verbs that write them down.
fn wants_settings(arguments: &[OsString]) -> bool {
    let mut ours = arguments.iter().take_while(|argument| *argument != "--");
    ours.any(|argument| ["--help-all", "init", "attach"].iter().any(|word| argument == *word))
}

fn with_tokens(verb: Command) -> Command {
    verb.after_help(TOKENS).mut_subcommands(with_tokens)
}
