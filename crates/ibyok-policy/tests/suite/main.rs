//! What this crate promises, through its public surface alone.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests say what they expect, also in functions that they share"
)]

// Shared: random grants and requests, and a second implementation of the token's form.
mod raw;
mod world;

mod decide; // what is allowed
mod issue; // what a token may issue
mod token; // the token's form, its MAC and its attenuation
mod vectors; // vectors/token.json
