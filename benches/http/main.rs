//! Retrieval over HTTP beside an axum hello world: `cargo bench -p ibyok-benches --bench http`.
//!
//! This program is the generator of load. The servers are this same program started again, each a process of its own: one is
//! the whole of `ibyok-server`, told where its vault is by flags and variables as anybody's would be; the other is an axum
//! hello world whose body has the size of a retrieval's answer. They are measured in turns, round after round. Started once
//! more, it is the whole of `ibyok`.

mod compare;
mod hello;
mod load;
mod process;
mod site;
mod start;

use std::process::ExitCode;

use ibyok_benches::Result;

/// The variable that selects the role of a process: one of the programs in this benchmark.
const ROLE: &str = "IBYOK_BENCH_ROLE";

fn main() -> ExitCode {
    match std::env::var(ROLE).as_deref() {
        Ok("server") => ibyok_server::command_line(),
        Ok("cli") => {
            let environment = ibyok_cli::process_environment();
            let streams = ibyok_cli::Io::of_process(&environment);
            ibyok_cli::run(std::env::args_os(), &environment, streams)
        }
        Ok("hello") => ended(hello::serve()),
        // `cargo test --all-targets` starts benchmarks as well, without this.
        _ if std::env::args().any(|word| word == "--bench") => ended(measure()),
        _ => ExitCode::SUCCESS,
    }
}

fn measure() -> Result<()> {
    // One thread, so that both cores are the server's as far as they can be.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        start::measure().await?;
        compare::measure().await
    })
}

fn ended(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
