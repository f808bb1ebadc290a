//! The binary `ibyok`: hands the process's arguments, environment and streams to the library, and its exit code back.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = ibyok_cli::process_environment();
    ibyok_cli::run(
        std::env::args_os(),
        &environment,
        ibyok_cli::Io::of_process(&environment),
    )
}
