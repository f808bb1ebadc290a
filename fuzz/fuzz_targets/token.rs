#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibyok_policy::fuzzing::token(data));
