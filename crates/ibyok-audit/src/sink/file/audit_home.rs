//! The log that a vault is given: a directory, or a home.

use std::sync::Arc;

use super::builder::FileSinkBuilder;
use super::log_sink::FileSink;
use super::scratch::TemporaryPlace;
use crate::error::Error;
use crate::home::Home;

/// The log that a vault is given: a [`FileSink`], or any [`Home`].
///
/// A home without a directory for its copy gets one in the system's directory for temporary files. It is removed with
/// the log. Give the home to [`FileSinkBuilder::home`] to choose a directory that stays, so that opening copies only
/// the new lines.
#[derive(Debug)]
pub struct AuditHome(Kind);

#[derive(Debug)]
enum Kind {
    File(Box<FileSink>),
    Home(Arc<dyn Home>),
}

impl From<FileSink> for AuditHome {
    fn from(sink: FileSink) -> Self {
        Self(Kind::File(Box::new(sink)))
    }
}

impl<H: Home + 'static> From<H> for AuditHome {
    fn from(home: H) -> Self {
        Self(Kind::Home(Arc::new(home)))
    }
}

impl AuditHome {
    /// Opens the sink that the log is written to. Call it within a tokio runtime.
    ///
    /// # Errors
    /// As [`FileSinkBuilder::open_blocking`].
    pub async fn open(self) -> Result<FileSink, Error> {
        match self.0 {
            Kind::File(sink) => Ok(*sink),
            Kind::Home(home) => {
                let place = Arc::new(TemporaryPlace::choose()?);
                FileSinkBuilder::temporary(place).home(home).open().await
            }
        }
    }
}
