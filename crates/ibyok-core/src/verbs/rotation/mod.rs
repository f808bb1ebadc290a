//! Rotation: a version is staged, tried, promoted; the one before drains, and is retired and destroyed.
//!
//! - `steps`: the change that each step makes to a record, and the records it refuses
//! - `stage`: the verbs that bring a new value in, and back out
//! - `drain`: the tokens that still need a version
//! - `retire`: the verbs that take an old one away
//! - `status`: the progress of a rotation
//! - `reschedule`: the times of a key

mod drain;
mod reschedule;
mod retire;
mod stage;
mod status;
mod steps;

pub(crate) use reschedule::reschedule;
pub use retire::{Destroyed, DrainRequest};
pub(crate) use stage::only_the_value;
pub use status::{Consumer, RotationStatus, VersionUse, Waiting, WaitingFor};
