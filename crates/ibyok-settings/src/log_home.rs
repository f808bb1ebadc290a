//! The home of the audit log: a database that several nodes share, in place of a directory of this machine.

use std::fmt;
use std::sync::Arc;

use ibyok_core::audit::{FileSink, FileSinkBuilder, TemporaryPlace, copy_logs};
use ibyok_core::{Error, Home, Result, errors::Part};
use zeroize::Zeroizing;

use crate::settings::Settings;

/// The schemes of a home's URL.
const SCHEMES: [&str; 4] = ["postgres://", "postgresql://", "redis://", "rediss://"];

/// The URL of the database that keeps the logs. It may hold a password.
#[derive(Clone)]
pub(crate) struct LogHome(Zeroizing<String>);

impl fmt::Debug for LogHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogHome(..)")
    }
}

/// Returns the URL of the home in the setting `audit`: its first part, if that is a database. A database behind a directory or with a word
/// such as `required:` before it is a further sink.
#[must_use]
pub fn home_of(audit: &str) -> Option<&str> {
    let first = audit.split(',').next().unwrap_or_default().trim();
    SCHEMES.iter().any(|scheme| first.starts_with(scheme)).then_some(first)
}

impl LogHome {
    pub(crate) fn of(audit: Option<&str>) -> Option<Self> {
        let url = audit.and_then(home_of)?;
        Some(LogHome(Zeroizing::new(url.to_owned())))
    }

    /// Makes the home. It connects when the log is opened.
    fn open(&self) -> Result<Arc<dyn Home>> {
        match self.0.starts_with("redis") {
            true => redis(&self.0),
            false => postgres(&self.0),
        }
    }
}

impl Settings {
    /// The log's settings: its directory, and its home if it has one.
    pub(crate) fn log_builder(&self) -> Result<FileSinkBuilder> {
        let builder = match &self.temporary {
            Some(place) => FileSinkBuilder::temporary(Arc::clone(place)),
            None => FileSink::builder(&self.audit),
        };
        Ok(match &self.home {
            Some(home) => builder.home(home.open()?),
            None => builder,
        })
    }

    /// Copies the logs of the home into the directory of the logs, for a reader that opens no vault. Does nothing without a home.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if the home cannot be read, [`Error::Invalid`] for a setting that is not valid.
    pub async fn fetch_logs(&self) -> Result<()> {
        let audit = self.audit.clone();
        self.with_home(move |home| Ok(copy_logs(&audit, home)?)).await
    }

    /// Refuses a vault whose logs some process writes to the home.
    pub(crate) async fn refuse_users_of_home(&self) -> Result<()> {
        self.with_home(|home| {
            for log in home.logs()? {
                if home.take(&log)?.is_none() {
                    let what = format!(
                        "a process has this vault open (audit log `{log}`), or was killed less than 30 seconds ago: stop every server and \
                         command of the vault, then restore"
                    );
                    return Err(Error::Conflict { what });
                }
            }
            Ok(())
        })
        .await
    }

    async fn with_home(&self, work: impl FnOnce(&dyn Home) -> Result<()> + Send + 'static) -> Result<()> {
        let Some(home) = &self.home else {
            return Ok(());
        };
        let home = home.open()?;
        let work = tokio::task::spawn_blocking(move || work(&*home)).await;
        work.map_err(|_| Error::unavailable(Part::AuditLog, "reading the home was interrupted"))?
    }
}

/// The directory of the logs, if they have a home and the settings name no directory for its copy.
pub(crate) fn temporary(home: Option<&LogHome>, named: bool) -> Result<Option<Arc<TemporaryPlace>>> {
    match home {
        Some(_) if !named => Ok(Some(Arc::new(TemporaryPlace::choose()?))),
        _ => Ok(None),
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<Arc<dyn Home>> {
    let home = ibyok_sinks::PostgresHome::new(url).map_err(wrong)?;
    Ok(Arc::new(home))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str) -> Result<Arc<dyn Home>> {
    Err(not_built("postgres"))
}

#[cfg(feature = "redis")]
fn redis(url: &str) -> Result<Arc<dyn Home>> {
    let home = ibyok_sinks::RedisHome::new(url).map_err(wrong)?;
    Ok(Arc::new(home))
}

#[cfg(not(feature = "redis"))]
fn redis(_: &str) -> Result<Arc<dyn Home>> {
    Err(not_built("redis"))
}

#[cfg(not(all(feature = "postgres", feature = "redis")))]
fn not_built(feature: &str) -> Error {
    Error::invalid(
        format!("this program was built without logs in `{feature}`"),
        format!("build it with the feature `{feature}`, or give a directory as `audit`"),
    )
}

#[cfg(any(feature = "postgres", feature = "redis"))]
fn wrong(error: ibyok_sinks::Error) -> Error {
    Error::invalid(error.what, error.hint)
}

#[cfg(test)]
mod tests {
    use super::home_of;

    #[test]
    fn the_first_part_of_audit_is_the_home_if_it_is_a_database() {
        let url = "postgres://me@h/d?schema=a";
        for audit in [
            url,
            "postgres://me@h/d?schema=a,stdout",
            " postgres://me@h/d?schema=a ,/var/log",
        ] {
            assert_eq!(home_of(audit), Some(url), "{audit}");
        }
        assert_eq!(home_of("rediss://h/0"), Some("rediss://h/0"));
        for audit in [
            "",
            "file",
            "/var/log,postgres://h/d",
            "required:postgres://h/d",
            "postgres:x",
            "webhook:https://h",
        ] {
            assert_eq!(home_of(audit), None, "{audit}");
        }
    }
}
