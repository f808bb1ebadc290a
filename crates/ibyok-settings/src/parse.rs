//! From the text of a setting to its value, and the message for text that has no value.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ibyok_core::{Error, Result, audit::SinkDurability, jiff::SignedDuration};
use ibyok_operations::reviews::Thresholds;
use ipnet::IpNet;

use crate::given::Given;
use crate::log_home::home_of;
use crate::remember::has_password;
use crate::sinks::is_sink;

/// Refuses a password in a flag, which every user of the machine can read in the list of processes.
pub(crate) fn refuse_password_in_flag(flags: &Given) -> Result<()> {
    let authority = flags
        .store
        .as_deref()
        .and_then(|store| store.split_once("://"))
        .map(|(_, rest)| rest);
    let user = authority
        .and_then(|rest| rest.split('/').next())
        .and_then(|authority| authority.rsplit_once('@'));
    if user.is_some_and(|(user, _)| user.contains(':')) {
        return Err(Error::invalid(
            "a flag must not hold a store's URL with a password",
            "give the URL in the variable `IBYOK_STORE`, or as `store` in `vault.toml`",
        ));
    }
    if flags.audit.as_deref().and_then(home_of).is_some_and(has_password) {
        return Err(Error::invalid(
            "a flag must not hold the URL of the log's home with a password",
            "give the URL in the variable `IBYOK_AUDIT`, in a file that `IBYOK_AUDIT_FILE` names, or as `audit` in `vault.toml`",
        ));
    }
    Ok(())
}

/// The parts of the setting `audit`, without its sinks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditPlaces {
    /// The directory of the logs, or of the copy of their home; `None` if none is named.
    pub(crate) directory: Option<PathBuf>,
    /// True if lines go to standard output as well.
    pub(crate) stdout: bool,
}

/// Reads the parts of `audit`. `usual` is the directory that `file` means.
pub(crate) fn audit_places(given: Option<&str>, usual: &Path) -> Result<AuditPlaces> {
    let mut places = AuditPlaces::default();
    for part in given.unwrap_or("file").split(',').map(str::trim) {
        let directory = match part {
            "stdout" => {
                places.stdout = true;
                continue;
            }
            sink if is_sink(sink) => continue,
            "" => {
                return Err(Error::invalid(
                    "`audit` has an empty part",
                    "give a directory or `postgres://…`, and `,stdout` or `,webhook:https://…` after it",
                ));
            }
            "file" => {
                places.directory.get_or_insert_with(|| usual.to_owned());
                continue;
            }
            other => PathBuf::from(other),
        };
        if places.directory.replace(directory).is_some_and(|other| other != usual) {
            return Err(Error::invalid(
                "`audit` names two directories",
                "give only one directory",
            ));
        }
    }
    Ok(places)
}

/// Returns the mount of Vault's clients: one part of a path that means nothing else there.
pub(crate) fn mount(given: Option<&str>) -> Result<String> {
    let name = given.unwrap_or("secret");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let fits = (1..=64).contains(&name.len()) && name.bytes().all(plain);
    if !fits || ["sys", "auth"].contains(&name) {
        return Err(Error::invalid_name(
            "vault_mount",
            name,
            "letters, digits, `-` and `_`, at most 64 characters, and neither `sys` nor `auth`",
        ));
    }
    Ok(name.to_owned())
}

pub(crate) fn durability(given: Option<&str>) -> Result<SinkDurability> {
    match given.unwrap_or("synced") {
        "synced" => Ok(SinkDurability::Synced),
        "written" => Ok(SinkDurability::Written),
        other => Err(Error::invalid_name("durability", other, "`synced` or `written`")),
    }
}

pub(crate) fn parsed<T: std::str::FromStr>(name: &str, text: &str, form: &str) -> Result<T> {
    text.parse().map_err(|_| Error::invalid_name(name, text, form))
}

pub(crate) fn thresholds(given: Option<Thresholds>) -> Result<Thresholds> {
    let thresholds = given.unwrap_or_default();
    let wrong =
        |error: ibyok_core::audit::Error| Error::invalid(error.to_string(), "correct `[review]` in `vault.toml`");
    thresholds.check().map_err(wrong)?;
    Ok(thresholds)
}

/// A period of time such as `90s`, `5m` or `0`.
pub(crate) fn period(name: &str, text: &str) -> Result<Duration> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let wrong = || Error::invalid_name(name, text, "a period such as `90s` or `5m`, or 0");
    let period: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(period).map_err(|_| wrong())
}

pub(crate) fn networks(given: Option<&str>) -> Result<Vec<IpNet>> {
    let parts = given
        .unwrap_or("")
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    parts
        .map(|part| {
            parsed(
                "trusted_proxies",
                part,
                "networks such as `10.0.0.0/8`, separated by commas",
            )
        })
        .collect()
}
