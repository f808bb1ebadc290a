//! The common parts of IBYOK's benchmarks: a vault that is filled, and the machine's clocks. The benchmarks print
//! numbers and assert nothing.
//!
//! `cargo bench -p ibyok-benches --bench retrieve` measures the parts and the whole with criterion, `--bench cpu` how much
//! CPU a retrieval costs, `--bench allocations` how many allocations, `--bench scale` a vault of many keys, `--bench http` the server beside an
//! axum hello world, and with the feature
//! `servers` `--bench stores` retrieval over each store. The README says what each number means.
#![forbid(unsafe_code)]

mod clock;
mod scene;
mod table;

// The public interface is:
pub use clock::{Cpu, resident_kib};
pub use scene::{Backing, Result, Scene};
pub use table::{median, percentile, quantity};
