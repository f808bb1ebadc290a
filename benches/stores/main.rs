//! Measures a retrieval over each store, from caches and without them, and counts the calls to a KMS:
//! `cargo bench -p ibyok-benches --features servers --bench stores`.
//!
//! The program starts PostgreSQL, Redis and a stand-in for AWS KMS by itself.
#![allow(
    clippy::allow_attributes,
    reason = "the servers of other tests are taken in as they are"
)]

#[path = "../../crates/ibyok-crypto/tests/kms_stub/mod.rs"]
#[allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::indexing_slicing,
    reason = "it serves other tests as well"
)]
mod kms_stub;
#[path = "../../crates/ibyok-storage/tests/servers/mod.rs"]
mod servers;

/// A KMS as the KEK, and its calls counted.
mod kms;

/// Nodes on a store.
mod node;

/// Retrievals over each store.
mod retrieval;

use ibyok_benches::Result;

fn main() -> Result<()> {
    // `cargo test --all-targets` starts benchmarks as well, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    // As the server's.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        retrieval::compare().await?;
        kms::count().await
    })
}
