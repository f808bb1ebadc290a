//! Further sinks of the audit log: they come from configuration alone, and never by a request.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ibyok_core::audit::{Sink, SinkMode};
use ibyok_core::{Error, Result};
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::given::Given;
use crate::log_home::home_of;
use crate::remember::has_password;
use crate::secret_file;

/// The variables of further sinks, and of the secret of webhooks that name no file of their own.
pub(crate) const SINKS: &str = "IBYOK_AUDIT_SINKS";
const SINKS_FILE: &str = "IBYOK_AUDIT_SINKS_FILE";
const SECRET: &str = "IBYOK_WEBHOOK_SECRET";
const SECRET_FILE: &str = "IBYOK_WEBHOOK_SECRET_FILE";

/// The form of a sink as text, for hints.
const FORM: &str = "use `webhook:https://…`, `syslog:udp://…`, `postgres://…` or `redis://…`, with `required:` before a sink that must not miss a line";

/// One `[[audit_sink]]` of the file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SinkGiven {
    /// The kind: `webhook`, `syslog`, `postgres` or `redis`.
    pub kind: SinkKind,
    /// The URL, without a password.
    pub url: Option<String>,
    /// A file (0600) that holds the URL.
    pub url_file: Option<String>,
    /// `required`, or `best_effort` unless given.
    pub mode: Option<SinkModeGiven>,
    /// A file (0600) that holds the secret of a webhook: one line, or two while it is changed.
    pub secret_file: Option<String>,
    /// A file of authorities (PEM) that are trusted instead of the system's.
    pub ca_file: Option<String>,
    /// True if a webhook may connect to private addresses.
    pub allow_private: Option<bool>,
}

/// The kind of a sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SinkKind {
    /// Signed batches by HTTPS.
    Webhook,
    /// RFC 5424.
    Syslog,
    /// A table of PostgreSQL.
    Postgres,
    /// Streams of Redis.
    Redis,
}

/// The part that a sink has in the acknowledgement of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SinkModeGiven {
    /// The vault releases nothing that the sink does not hold.
    Required,
    /// The sink may miss lines.
    BestEffort,
}

/// A further sink of the log.
#[derive(Clone)]
pub(crate) struct SinkChoice {
    kind: SinkKind,
    required: bool,
    url: Source,
    secret: Option<Source>,
    authorities: Option<PathBuf>,
    #[cfg_attr(
        not(feature = "webhook"),
        expect(dead_code, reason = "only webhooks need leave for private addresses")
    )]
    allow_private: bool,
}

/// A text that may be secret, or the file that holds it.
#[derive(Clone)]
enum Source {
    Text(Zeroizing<String>),
    File(PathBuf),
}

impl fmt::Debug for SinkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SinkChoice")
            .field("kind", &self.kind)
            .field("required", &self.required)
            .finish_non_exhaustive()
    }
}

/// Returns the sinks of a text: URLs, separated by commas or white space.
pub(crate) fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c == ',' || c.is_whitespace())
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// Returns true if a part of the setting `audit` is a sink, and not a directory.
pub(crate) fn is_sink(part: &str) -> bool {
    const KINDS: [&str; 10] = [
        "webhook:",
        "syslog:",
        "postgres:",
        "postgresql:",
        "redis:",
        "rediss:",
        "required:",
        "best_effort:",
        "https:",
        "http:",
    ];
    KINDS.iter().any(|kind| part.starts_with(kind))
}

/// Resolves the sinks of `audit`, and those of the variables or else of the file.
pub(crate) fn resolve(
    all: &Given,
    environment: &BTreeMap<String, String>,
    directory: &Path,
) -> Result<Vec<SinkChoice>> {
    let secret = secret_of(environment)?;
    let mut sinks = Vec::new();
    let audit = all.audit.as_deref().unwrap_or_default();
    // The first part is the home, if it is a database.
    let behind = usize::from(home_of(audit).is_some());
    for part in parts(audit).skip(behind).filter(|part| is_sink(part)) {
        if has_password(part) {
            return Err(Error::invalid(
                "a URL in `audit` must not hold a password",
                format!(
                    "put the sink into {SINKS}, or its URL into a file that `url_file` of an `[[audit_sink]]` names"
                ),
            ));
        }
        sinks.push(of_text(part)?);
    }
    match given_by_variable(all, environment)? {
        Some(text) => {
            for part in parts(&text) {
                sinks.push(of_text(part)?);
            }
        }
        None => {
            for given in all.audit_sink.iter().flatten() {
                sinks.push(of_table(given, directory)?);
            }
        }
    }
    for sink in &mut sinks {
        sink.check(secret.as_ref())?;
    }
    Ok(sinks)
}

fn given_by_variable(all: &Given, environment: &BTreeMap<String, String>) -> Result<Option<Zeroizing<String>>> {
    let file = environment.get(SINKS_FILE).filter(|path| !path.is_empty());
    match (&all.audit_sinks, file) {
        (Some(_), Some(_)) => Err(both(SINKS, SINKS_FILE)),
        (Some(text), None) => Ok(Some(Zeroizing::new(text.clone()))),
        (None, Some(path)) => secret_file::read(Path::new(path), SINKS_FILE).map(Some),
        (None, None) => Ok(None),
    }
}

fn secret_of(environment: &BTreeMap<String, String>) -> Result<Option<Source>> {
    let get = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    match (get(SECRET), get(SECRET_FILE)) {
        (Some(_), Some(_)) => Err(both(SECRET, SECRET_FILE)),
        (Some(text), None) => Ok(Some(Source::Text(Zeroizing::new(text.clone())))),
        (None, Some(path)) => Ok(Some(Source::File(PathBuf::from(path)))),
        (None, None) => Ok(None),
    }
}

fn both(one: &str, other: &str) -> Error {
    Error::invalid(format!("both `{one}` and `{other}` are set"), "set only one of them")
}

/// Parses `[required:|best_effort:][KIND:]URL`. No error repeats the URL.
fn of_text(text: &str) -> Result<SinkChoice> {
    let (required, rest) = match text.split_once(':') {
        Some(("required", rest)) => (true, rest),
        Some(("best_effort", rest)) => (false, rest),
        _ => (false, text),
    };
    let wrong = || Error::invalid("a sink of the audit log is not valid", FORM);
    let (scheme, after) = rest.split_once(':').ok_or_else(wrong)?;
    let (kind, url) = match (scheme, after.starts_with("//")) {
        ("webhook", false) => (SinkKind::Webhook, after),
        ("https" | "http", true) => (SinkKind::Webhook, rest),
        ("syslog", false) => (SinkKind::Syslog, after),
        ("postgres", false) => (SinkKind::Postgres, after),
        ("postgres" | "postgresql", true) => (SinkKind::Postgres, rest),
        ("redis", false) => (SinkKind::Redis, after),
        ("redis" | "rediss", true) => (SinkKind::Redis, rest),
        _ => return Err(wrong()),
    };
    Ok(SinkChoice {
        kind,
        required,
        url: Source::Text(Zeroizing::new(url.to_owned())),
        secret: None,
        authorities: None,
        allow_private: false,
    })
}

fn of_table(given: &SinkGiven, directory: &Path) -> Result<SinkChoice> {
    let file = |path: &String| directory.join(path);
    let url = match (&given.url, &given.url_file) {
        (Some(url), None) if has_password(url) => {
            let hint = "write the URL to a file of mode 0600, and name the file as `url_file`";
            return Err(Error::invalid("`url` of an `[[audit_sink]]` holds a password", hint));
        }
        (Some(url), None) => Source::Text(Zeroizing::new(url.clone())),
        (None, Some(path)) => Source::File(file(path)),
        _ => {
            let what = "an `[[audit_sink]]` needs either `url` or `url_file`";
            return Err(Error::invalid(what, "give one of them"));
        }
    };
    if given.kind != SinkKind::Webhook && (given.secret_file.is_some() || given.allow_private.is_some()) {
        let what = "`secret_file` and `allow_private` are settings of webhooks alone";
        return Err(Error::invalid(what, "remove them from the other `[[audit_sink]]`"));
    }
    if given.kind == SinkKind::Postgres && given.ca_file.is_some() {
        let what = "`ca_file` is no setting of a PostgreSQL sink";
        return Err(Error::invalid(what, "give `sslrootcert` in its URL"));
    }
    Ok(SinkChoice {
        kind: given.kind,
        required: given.mode == Some(SinkModeGiven::Required),
        url,
        secret: given.secret_file.as_ref().map(|path| Source::File(file(path))),
        authorities: given.ca_file.as_ref().map(file),
        allow_private: given.allow_private.unwrap_or(false),
    })
}

impl Source {
    fn text(&self, what: &str) -> Result<Zeroizing<String>> {
        match self {
            Source::Text(text) => Ok(text.clone()),
            Source::File(path) => secret_file::read(path, what),
        }
    }
}

impl SinkChoice {
    fn check(&mut self, secret: Option<&Source>) -> Result<()> {
        if self.kind == SinkKind::Syslog && self.required {
            let what = "a syslog sink cannot be `required`: syslog acknowledges nothing";
            return Err(Error::invalid(what, "use `best_effort`, or another kind of sink"));
        }
        if self.kind == SinkKind::Webhook && self.secret.is_none() {
            self.secret = secret.cloned();
            if self.secret.is_none() {
                let hint = format!("name a file as `secret_file`, or set {SECRET_FILE} or {SECRET}");
                return Err(Error::invalid("a webhook needs a secret that signs its batches", hint));
            }
        }
        Ok(())
    }

    /// Makes the sink. It connects when there are lines. `listen` is the address of this program, to which no webhook connects.
    pub(crate) fn open(&self, listen: SocketAddr) -> Result<(Box<dyn Sink>, SinkMode)> {
        let mode = match self.required {
            true => SinkMode::Required,
            false => SinkMode::BestEffort,
        };
        let url = self.url.text("url_file")?;
        let authorities = self.authorities.as_deref().map(read_authorities).transpose()?;
        let sink = match self.kind {
            SinkKind::Webhook => self.webhook(&url, authorities, listen)?,
            SinkKind::Syslog => Box::new(ibyok_sinks::SyslogSink::new(&url, authorities.as_deref()).map_err(wrong)?),
            SinkKind::Postgres => postgres(&url, self.required)?,
            SinkKind::Redis => redis(&url, self.required, authorities)?,
        };
        Ok((sink, mode))
    }

    #[cfg(feature = "webhook")]
    fn webhook(&self, url: &str, authorities: Option<Vec<u8>>, listen: SocketAddr) -> Result<Box<dyn Sink>> {
        let mut options = ibyok_sinks::WebhookOptions::new(url)
            .allow_private(self.allow_private)
            .listens_on(listen);
        if let Some(pem) = authorities {
            options = options.authorities(pem);
        }
        if let Some(secret) = &self.secret {
            for line in secret
                .text("secret_file")?
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
            {
                options = options.secret(line);
            }
        }
        Ok(Box::new(ibyok_sinks::WebhookSink::new(options).map_err(wrong)?))
    }

    #[cfg(not(feature = "webhook"))]
    fn webhook(&self, _: &str, _: Option<Vec<u8>>, _: SocketAddr) -> Result<Box<dyn Sink>> {
        Err(not_built("webhook"))
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str, must_sync: bool) -> Result<Box<dyn Sink>> {
    Ok(Box::new(ibyok_sinks::PostgresSink::new(url, must_sync).map_err(wrong)?))
}

#[cfg(not(feature = "postgres"))]
fn postgres(_: &str, _: bool) -> Result<Box<dyn Sink>> {
    Err(not_built("postgres"))
}

#[cfg(feature = "redis")]
fn redis(url: &str, must_sync: bool, authorities: Option<Vec<u8>>) -> Result<Box<dyn Sink>> {
    Ok(Box::new(
        ibyok_sinks::RedisSink::new(url, must_sync, authorities).map_err(wrong)?,
    ))
}

#[cfg(not(feature = "redis"))]
fn redis(_: &str, _: bool, _: Option<Vec<u8>>) -> Result<Box<dyn Sink>> {
    Err(not_built("redis"))
}

#[cfg(not(all(feature = "webhook", feature = "postgres", feature = "redis")))]
fn not_built(feature: &str) -> Error {
    let what = format!("this program was built without `{feature}` sinks");
    Error::invalid(
        what,
        format!("build it with the feature `{feature}`, or remove the sink"),
    )
}

fn wrong(error: ibyok_sinks::Error) -> Error {
    Error::invalid(error.what, error.hint)
}

fn read_authorities(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let what = format!(
            "cannot read `{}`, the `ca_file` of an `[[audit_sink]]`: {error}",
            path.display()
        );
        Error::invalid(what, "give a readable PEM file of certificates")
    })
}
