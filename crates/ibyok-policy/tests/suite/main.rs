//! The promises of this crate, through its public surface alone.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results, also in shared functions"
)]

// Shared: random grants and requests, and a second implementation of the token's form.
mod raw;
mod world;

mod attenuate; // narrower tokens, and what is never shown
mod decide; // what is allowed
mod form; // one text for a token, and nothing else parses
mod issue; // what a token may issue
mod mac; // only what the key minted verifies
mod vectors; // vectors/token.json
