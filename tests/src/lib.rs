//! The harness of the whole-system tests: vaults that the real programs made, servers that run, faults, and the one
//! checker of the state after each of them.
//!
//! - [`Home`] is a user's machine in a temporary directory: it runs the command line with a clean environment.
//! - [`Server`] is a server of a home's vault, on a port of its own; [`Request`] is a request to it, byte by byte if
//!   need be.
//! - [`Oracle`] remembers the values and answers that clients got, and checks them against log and store.
//! - [`Sentinel`] is a secret that can be found again in any place.
//!
//! Nothing here uses the vault's own code to judge it: log files are read as the documentation describes them.
#![forbid(unsafe_code)]

mod command;
mod home;
mod http;
mod log;
mod oracle;
mod pages;
mod sentinel;
mod server;
mod store;
mod stranger;

pub use command::{Finished, Run};
pub use home::{Home, Programs, copy_tree};
pub use http::{Answer, Request};
pub use log::{AuditLine, audit_lines, segments};
pub use oracle::Oracle;
pub use sentinel::{Finding, Sentinel};
pub use server::{Server, ServerOptions, free_port};
pub use store::Behind;
pub use stranger::strangers_token;

use std::time::{Duration, Instant};

/// Asks again and again until it is so, and fails after the time that is given.
///
/// # Panics
/// If it is not so in time, saying what was waited for.
pub fn wait_until(what: &str, patience: Duration, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < patience, "waited {patience:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A number that looks random, for moments and names; the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Makes dice that fall differently in each run, and prints their seed, so that a failure can be repeated with
    /// IBYOK_TEST_SEED.
    #[must_use]
    pub fn of_this_run(test: &str) -> Self {
        let given = std::env::var("IBYOK_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let seed = given.unwrap_or_else(|| now.map_or(1, |now| now.as_nanos() as u64 | 1));
        println!("{test}: IBYOK_TEST_SEED={seed}");
        Dice(seed)
    }

    /// Dice that fall as this seed says.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Dice(seed)
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        // splitmix64, <https://prng.di.unimi.it/splitmix64.c>
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
