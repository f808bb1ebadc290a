//! The logs that other processes write to the same home, and their copies here.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::{Log, lock};
use crate::error::Error;
use crate::home::Home;
use crate::sink::{LogPlace, TemporaryPlace, copy_logs};

/// A home with the directory that copies it.
#[derive(Debug, Clone)]
pub(super) struct Copies {
    home: Arc<dyn Home>,
    root: PathBuf,
    /// Held while the copies are brought up to date: of two that do so, the second would skip the logs that the first has locked.
    busy: Arc<Mutex<()>>,
}

impl Copies {
    pub(super) fn of(place: &LogPlace) -> Option<Self> {
        Some(Self {
            home: place.home.clone()?,
            root: place.root.clone(),
            busy: Arc::default(),
        })
    }
}

impl Log {
    /// Fetches from the home the lines that other processes wrote to their logs since, so that a reader of the directory finds them. Does
    /// nothing for a log without a home.
    ///
    /// # Errors
    /// Returns the errors of the home.
    pub async fn fetch_others(&self) -> Result<(), Error> {
        let Some(copies) = self.shared.copies.clone() else {
            return Ok(());
        };
        blocking(move || {
            let _busy = lock(&copies.busy);
            copy_logs(&copies.root, &*copies.home)
        })
        .await
    }

    /// Copies every log of the home, this one included, into a new directory; `None` for a log without a home.
    ///
    /// A verification reads this copy. The log's own directory has lines as this process wrote and fetched them, also where somebody
    /// changed them in the home afterwards.
    ///
    /// # Errors
    /// Returns the errors of the home, and those of the directory.
    pub async fn fetch_all(&self) -> Result<Option<TemporaryPlace>, Error> {
        let Some(copies) = self.shared.copies.clone() else {
            return Ok(None);
        };
        blocking(move || {
            let place = TemporaryPlace::choose()?;
            copy_logs(place.path(), &*copies.home)?;
            Ok(Some(place))
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|_| Error::unavailable("copying the home was interrupted"))?
}
