//! From arguments to an exit code.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;
use ibyok_operations::run::forbid_core_dumps;
use ibyok_settings::ProcessEnvironment;
use serde_json::json;

use crate::commands::{Cli, Cx, dispatch, parse, quiet_for};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::io::Io;
use crate::show::clean;

/// Runs the command line: parses, does, and reports failures.
///
/// An error goes to standard error, with a line that begins with `hint:`; with `--json` it is the one document on
/// standard output. A command that did a part of its work answers with one document, and its error goes to standard
/// error.
#[must_use]
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: &BTreeMap<String, String>,
    mut io: Io,
) -> ExitCode {
    forbid_core_dumps();
    let arguments = quiet_for(arguments.into_iter().collect());
    let exit = match parse(&arguments) {
        Ok(cli) => {
            io.quiet = cli.globals.quiet;
            let json = cli.globals.json;
            let outcome = work(cli, environment, &mut io);
            outcome.unwrap_or_else(|error| report(&error, json, &mut io))
        }
        Err(error) => not_parsed(&error, asks_for_json(&arguments), &mut io),
    };
    ExitCode::from(exit.code())
}

/// The process's environment as a map that is wiped. A value that is not UTF-8 is there too, if not exactly.
#[must_use]
pub fn process_environment() -> ProcessEnvironment {
    ProcessEnvironment::read()
}

fn work(cli: Cli, environment: &BTreeMap<String, String>, io: &mut Io) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Error::failed(format!("cannot start threads: {error}"), "try again later"))?;
    let mut cx = Cx {
        globals: &cli.globals,
        environment,
        io,
        if_version: None,
    };
    runtime.block_on(dispatch(cli.command, &mut cx))
}

fn report(error: &Error, json: bool, io: &mut Io) -> Exit {
    let exit = Exit::from(error);
    if exit == Exit::NotRead {
        return exit;
    }
    let (what, hint) = (error.to_string(), error.hint());
    // Where an answer stands already, a second document would make both unreadable.
    if json && !io.has_document && !matches!(error, Error::Output(_)) {
        let document = json!({ "error": error.document() });
        if io.answer_json(&document).is_ok() {
            return exit;
        }
    }
    io.warn(&format!("error: {}\nhint: {}", clean(&what), clean(&hint)));
    exit
}

/// Help and version are answers; the rest is wrong usage.
fn not_parsed(error: &clap::Error, json: bool, io: &mut Io) -> Exit {
    let text = error.render().to_string();
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        return match io.answer(text.as_bytes()) {
            Ok(()) => Exit::Done,
            Err(error) => report(&error, json, io),
        };
    }
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        io.warn(&text);
        return Exit::Usage;
    }
    let what = text
        .lines()
        .take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let what: Vec<&str> = what
        .map(|line| line.trim().trim_start_matches("error: "))
        .filter(|l| !l.is_empty())
        .collect();
    report(
        &Error::usage(what.join(" "), "add `--help` after the command to see its arguments"),
        json,
        io,
    )
}

/// Returns true if the error of arguments that do not parse is to be JSON. Arguments after `--` belong to another
/// program.
fn asks_for_json(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .take_while(|argument| *argument != "--")
        .any(|argument| argument == "--json")
}
