#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibyok_storage::fuzzing::store_url(data));
