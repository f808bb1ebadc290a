//! The state of the sinks that receive lines besides the home, for `status`.

use std::fmt::Debug;
use std::sync::Mutex;

use serde::Serialize;

use super::lock;
use crate::sink::{SinkDescription, SinkDurability};

/// The part that a sink has in the acknowledgement of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkMode {
    /// A line counts only once the sink holds it.
    Required,
    /// The sink may miss lines. A `log.gap` line counts them.
    BestEffort,
}

/// The state of a sink that receives lines besides the home.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SinkStatus {
    /// Its kind and place, such as `syslog udp://10.0.0.7:514`.
    pub name: String,
    /// The part that it has in the acknowledgement of a line.
    pub mode: SinkMode,
    /// The durability that it promises.
    pub durability: SinkDurability,
    /// The number of lines that are on the log, and that the sink did not acknowledge yet.
    pub waiting: u64,
    /// The number of lines that this process did not deliver to the sink and never will.
    pub dropped: u64,
    /// The reason why its last call failed; `None` if the last call succeeded.
    pub failure: Option<String>,
}

impl SinkStatus {
    pub(super) fn new(description: SinkDescription, mode: SinkMode) -> Self {
        Self {
            name: description.name,
            mode,
            durability: description.durability,
            waiting: 0,
            dropped: 0,
            failure: None,
        }
    }
}

/// A sink whose state can be read while another thread uses it.
pub(super) trait Reports: Debug + Send + Sync {
    fn status(&self) -> SinkStatus;
}

impl Reports for Mutex<SinkStatus> {
    fn status(&self) -> SinkStatus {
        lock(self).clone()
    }
}
