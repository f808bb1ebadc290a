#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibyok_core::fuzzing::backup(data));
