//! Lines of a log, as tests give them to sinks.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "each test binary uses a part of it"
)]

use ibyok_audit::Batch;

/// The bytes of lines with these numbers.
pub fn lines(log: &str, numbers: std::ops::RangeInclusive<u64>) -> Vec<u8> {
    numbers
        .map(|seq| {
            format!(
                "{{\"v\":1,\"seq\":{seq},\"time\":\"2026-11-24T10:15:00.123456Z\",\"log\":\"{log}\",\"action\":\"key.retrieve\",\"outcome\":\"allowed\"}}\n"
            )
        })
        .collect::<String>()
        .into_bytes()
}

/// A batch of those lines.
pub fn batch(bytes: &[u8], first: u64) -> Batch<'_> {
    let count = bytes.iter().filter(|byte| **byte == b'\n').count();
    Batch::new(bytes, first, count as u64)
}

/// The lines of such bytes, without newlines.
pub fn split(bytes: &[u8]) -> Vec<Vec<u8>> {
    batch(bytes, 1).lines().map(<[u8]>::to_vec).collect()
}
