//! Rotation: a version is staged, tried, promoted; the one before drains, and is retired and destroyed.
//!
//! - `steps`: what each step makes of a record, and which it refuses
//! - `stage`: the verbs that bring a new value in, and back out

mod stage;
mod steps;
