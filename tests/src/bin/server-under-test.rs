//! `ibyok-server`, as these tests run it.

fn main() -> std::process::ExitCode {
    ibyok_server::command_line()
}
