//! The request for a review.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ibyok_core::jiff::Timestamp;

use super::{GeoIp, Thresholds};

/// The way in which a program reviews the log: the thresholds, and the source of countries.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReviewHabits {
    /// The thresholds from which a review reports a finding.
    pub thresholds: Thresholds,
    /// The database in which reviews look up countries; without it they show none.
    pub geoip: Option<GeoIp>,
}

impl ReviewHabits {
    /// Sets the thresholds.
    #[must_use]
    pub fn thresholds(mut self, thresholds: Thresholds) -> Self {
        self.thresholds = thresholds;
        self
    }

    /// Sets the database of countries.
    #[must_use]
    pub fn geoip(mut self, geoip: impl Into<Option<GeoIp>>) -> Self {
        self.geoip = geoip.into();
        self
    }
}

/// The request for a review.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ReviewRequest {
    /// The beginning of the review; seven days ago unless given.
    pub since: Option<Timestamp>,
    /// The way in which the program reviews the log.
    pub habits: ReviewHabits,
    /// Counts the lines that were read, for a progress bar.
    pub progress: Arc<AtomicU64>,
    /// Archives of the log on this machine, whose lines are reviewed as well. Only a caller in this process can name some.
    pub archives: Vec<PathBuf>,
}

impl ReviewRequest {
    /// Reviews the time since then.
    #[must_use]
    pub fn since(since: impl Into<Option<Timestamp>>) -> Self {
        ReviewRequest {
            since: since.into(),
            ..ReviewRequest::default()
        }
    }

    /// Sets the way in which the program reviews the log.
    #[must_use]
    pub fn habits(mut self, habits: &ReviewHabits) -> Self {
        self.habits = habits.clone();
        self
    }
}
