//! Rotation: a version is staged, tried, promoted; the one before drains, and is retired and destroyed.
//!
//! - `steps`: what each step makes of a record, and which it refuses
//! - `stage`: the verbs that bring a new value in, and back out
//! - `drain`: who still needs a version
//! - `retire`: the verbs that take an old one away
//! - `status`: how far it is

mod drain;
mod retire;
mod stage;
mod status;
mod steps;

pub use retire::{Destroyed, DrainRequest};
pub use status::{Consumer, RotationStatus, VersionUse, Waiting};
