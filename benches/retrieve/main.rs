//! The parts of a retrieval and the whole of it: `cargo bench -p ibyok-benches --bench retrieve`.
//!
//! A word after `--` picks those whose name holds it: `-- open`, `-- retrieve/file`.

mod parts;
mod whole;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .sample_size(30)
        .configure_from_args();
    parts::crypto(&mut criterion);
    parts::policy(&mut criterion);
    whole::alone(&mut criterion);
    whole::many(&mut criterion);
    criterion.final_summary();
}
