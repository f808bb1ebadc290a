//! The IBYOK server as a binary: everything is in the library.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    ibyok_server::command_line()
}
