//! Benchmarks of IBYOK: the numbers; each bench is a target of its own.
#![forbid(unsafe_code)]
