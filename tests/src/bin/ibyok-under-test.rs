//! `ibyok`, as these tests run it.

fn main() -> std::process::ExitCode {
    let environment = ibyok_cli::process_environment();
    ibyok_cli::run(
        std::env::args_os(),
        &environment,
        ibyok_cli::Io::of_process(&environment),
    )
}
