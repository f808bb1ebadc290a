//! The parts of a retrieval and the whole of it: `cargo bench -p ibyok-benches --bench retrieve`.
fn main() {}
