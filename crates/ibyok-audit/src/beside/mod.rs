//! The small files next to the lines of a log: its id, its public key, its checkpoints, and its state at the last of them.

mod files;
mod identity;
mod notes;
mod state;

pub(crate) use self::files::{Beside, replace, sync_directory};
pub(crate) use self::identity::{is_log_id, log_id, public_key};
pub(crate) use self::notes::{append_notes, largest_size, notes, take_up_notes};
pub(crate) use self::state::State;
