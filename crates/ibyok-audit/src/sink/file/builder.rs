//! The settings of a file sink.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::log_sink::FileSink;
use super::scratch::TemporaryPlace;
use super::slot::Slot;
use crate::error::Error;
use crate::home::Home;
use crate::sink::describe::SinkDurability;

/// The settings of a [`FileSink`].
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it is opened"]
pub struct FileSinkBuilder {
    settings: Settings,
}

#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) root: PathBuf,
    pub(super) durability: SinkDurability,
    zero_fill: bool,
    pub(super) segment_bytes: u64,
    pub(super) rotate_after: Option<Duration>,
    pass_over: Vec<String>,
    pub(super) home: Option<Arc<dyn Home>>,
    /// The directory, if it is one that goes with the last user of the settings.
    pub(super) temporary: Option<Arc<TemporaryPlace>>,
}

impl Settings {
    /// Zeros are written ahead only where each batch is synced: they keep the sync from being about more than data. A copy of a home
    /// has the home's bytes and no others.
    pub(super) fn fills(&self) -> bool {
        self.zero_fill && self.durability == SinkDurability::Synced && self.home.is_none()
    }
}

impl FileSinkBuilder {
    pub(super) fn new(root: PathBuf) -> Self {
        let settings = Settings {
            root,
            durability: SinkDurability::Synced,
            zero_fill: true,
            segment_bytes: 64 << 20,
            rotate_after: None,
            pass_over: Vec::new(),
            home: None,
            temporary: None,
        };
        Self { settings }
    }

    /// Makes settings for a log in a directory that is removed with its last user. Give them a [home](FileSinkBuilder::home): nothing else
    /// keeps the lines.
    pub fn temporary(place: Arc<TemporaryPlace>) -> Self {
        let mut builder = Self::new(place.path().to_owned());
        builder.settings.temporary = Some(place);
        builder
    }

    pub(super) fn from_settings(settings: Settings) -> Self {
        Self { settings }
    }

    /// Sets the durability of each batch: [`SinkDurability::Synced`] (the default) or [`SinkDurability::Written`]. With a home the home's
    /// own durability counts.
    pub fn durability(mut self, durability: SinkDurability) -> Self {
        self.settings.durability = durability;
        self
    }

    /// Fills segments with zeros ahead of the lines (the default), so that a sync writes nothing but data. Turn it off for other tools
    /// that follow the file.
    pub fn zero_fill(mut self, zero_fill: bool) -> Self {
        self.settings.zero_fill = zero_fill;
        self
    }

    /// Sets the size in bytes at which the next segment begins; at least 4,096.
    pub fn segment_bytes(mut self, bytes: u64) -> Self {
        self.settings.segment_bytes = bytes.max(4096);
        self
    }

    /// Begins the next segment also when the first line of a segment is this old; at least one minute. By default only the size counts.
    ///
    /// Only closed segments can be archived ([`Plan`](crate::Plan)), so a log with few lines needs this.
    pub fn rotate_after(mut self, age: Duration) -> Self {
        self.settings.rotate_after = Some(age.max(Duration::from_secs(60)));
        self
    }

    /// Leaves the slots of these logs alone: they belong to another owner.
    pub fn pass_over(mut self, logs: impl IntoIterator<Item = String>) -> Self {
        self.settings.pass_over.extend(logs);
        self
    }

    /// Keeps the logs in a home, and a copy of them in the directory.
    ///
    /// Opening brings the copy up to date with the home. Every batch of lines is in the home before it counts as written. A directory
    /// that held logs before has its logs put into the home.
    pub fn home(mut self, home: impl Home + 'static) -> Self {
        self.settings.home = Some(Arc::new(home));
        self
    }

    /// Takes a slot and finds the end of its log, off the runtime's threads. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open_blocking`].
    pub async fn open(self) -> Result<FileSink, Error> {
        tokio::task::spawn_blocking(|| self.open_blocking())
            .await
            .map_err(|_| Error::unavailable("opening it was cut short"))?
    }

    /// Takes a slot and finds the end of its log.
    ///
    /// # Errors
    /// Returns [`Error::NotADirectory`] if the path is something else, [`Error::NoFreeSlot`], [`Error::Damaged`] if the files do
    /// not fit together and there is no checkpoint to continue from, [`Error::Io`], and the errors of the home.
    pub fn open_blocking(self) -> Result<FileSink, Error> {
        let settings = self.settings;
        let home = settings.home.as_deref();
        let taken = Slot::take(&settings.root, &settings.pass_over, home)?;
        FileSink::from_slot(settings, taken)
    }
}
