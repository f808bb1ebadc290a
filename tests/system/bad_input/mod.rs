//! Bad input, with its documented answer: nothing lost, nothing released, and a hint of what to do.

use ibyok_tests::{Home, Oracle, Run};

use crate::home_with_vault;

/// Names by the command line and over HTTP.
mod names;
/// Tokens that are none, or no longer.
mod tokens;
/// Values at the limits, and what a program cannot have.
mod values;
/// Vaults that are damaged, elsewhere, or another user's.
mod vaults;

fn get(home: &Home) -> Run {
    home.ibyok(["--json", "get", "prod/key"])
}

fn home_with_a_key() -> Home {
    let home = home_with_vault();
    home.set("prod/key", "value");
    home
}

/// Puts an end to a fault, and finds everything as it was.
#[track_caller]
fn all_is_well(home: &Home) {
    let mut oracle = Oracle::new();
    oracle.acknowledge("prod/key", "value");
    oracle.check(home);
}
