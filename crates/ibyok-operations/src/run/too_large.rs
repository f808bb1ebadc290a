//! Variables and arguments that are too large for the system.

use std::ffi::{OsStr, OsString};

use ibyok_core::Error;

/// The largest number of variables that the message names.
const NAMED: usize = 3;

/// Returns the reason why the system refused to start a program with these variables and arguments. It names the largest variables.
/// `variables` are names with the lengths of their values.
#[must_use]
pub fn too_large(program: &str, variables: Vec<(OsString, usize)>, arguments: &[OsString]) -> Error {
    let mut variables = variables;
    variables.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let variables_take: usize = variables.iter().map(|(name, length)| name.len() + length + 2).sum();
    let arguments_take: usize = arguments.iter().map(|argument| argument.len() + 1).sum();
    let largest = variables.iter().take(NAMED).map(|(name, length)| named(name, *length));
    let what = format!(
        "cannot start `{program}`: its variables take {variables_take} bytes and its arguments {arguments_take}, more than the \
        system allows; the largest variables are {}",
        largest.collect::<Vec<_>>().join(", ")
    );
    let hint =
        "pass fewer keys with `--only`, or let the program read a large value from a file (`ibyok get REF -n -o FILE`)";
    Error::invalid(what, hint)
}

fn named(name: &OsStr, length: usize) -> String {
    format!("{} ({length} bytes)", name.to_string_lossy())
}
