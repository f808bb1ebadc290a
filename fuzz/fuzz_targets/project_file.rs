#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibyok_cli::fuzzing::project_file(data));
