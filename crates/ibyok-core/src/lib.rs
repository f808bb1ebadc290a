//! IBYOK as a library: a vault for the API keys that programs use
#![forbid(unsafe_code)]
