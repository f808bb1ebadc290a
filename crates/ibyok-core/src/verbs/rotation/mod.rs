//! Rotation: a version is staged, tried, promoted; the one before drains, and is retired and destroyed.
//!
//! - `steps`: what each step makes of a record, and which it refuses
//! - `stage`: the verbs that bring a new value in, and back out
//! - `drain`: who still needs a version
//! - `retire`: the verbs that take an old one away
//! - `status`: how far it is
//! - `due`: what is to be rotated, and what ends soon

mod drain;
mod due;
mod retire;
mod stage;
mod status;
mod steps;

pub use due::Due;
pub(crate) use due::reschedule;
pub use retire::{Destroyed, DrainRequest};
pub(crate) use stage::only_the_value;
pub use status::{Consumer, RotationStatus, VersionUse, Waiting};
