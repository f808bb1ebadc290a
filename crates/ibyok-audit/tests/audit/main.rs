//! The log's promises, by subject.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results"
)]

mod archive;
mod broken_homes; // homes with one fault each
mod conformance; // the file sink passes the suite, broken sinks do not
mod faults; // disks that fail, files that vanish, processes that are killed
mod foreign; // what somebody without the key puts there
mod group_commit; // many tasks, one chain
mod homes; // logs that are kept outside this machine
mod lacking; // lines that a reader lacks
mod measure; // how well a review finds what was done
mod proofs; // what an outsider can check
mod quick; // lines that their callers write
mod reading; // filters, limits, following
mod review; // what is worth a look
mod sinks; // further sinks that fail, hang and come back
mod slots; // places, locks, keys
mod support;
mod tamper; // what is done to a log shows
mod traffic; // made-up months
mod vectors; // the chain that a second implementation checks
