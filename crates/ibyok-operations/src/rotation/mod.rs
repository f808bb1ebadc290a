//! The rotation of keys over time: the keys and tokens that are due.

mod due;

pub use self::due::{Due, DueExt, DueFound, DueKind};
