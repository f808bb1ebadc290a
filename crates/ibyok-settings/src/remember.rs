//! The vault's file as `init` writes it: every setting that was given and differs from the default, and never a password.

use std::path::Path;

use ibyok_core::Result;
use toml::{Table, Value};

use crate::given::Given;
use crate::kek::KekChoice;
use crate::keks::KekChoices;
use crate::log_home::home_of;
use crate::settings::{FILE, LISTEN, Settings};
use crate::sinks::{SINKS, is_sink, parts};

/// The text of a vault's file, and the variables that it does not hold.
pub(crate) struct Remembered {
    pub(crate) text: String,
    pub(crate) variables: Vec<Variable>,
}

/// A variable that later commands need.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// Its value; `None` for one that holds a secret.
    pub value: Option<String>,
}

impl Variable {
    pub(crate) fn new(name: &'static str, value: Option<String>) -> Self {
        Variable { name, value }
    }
}

/// A setting of a vault's file.
struct Entry {
    key: &'static str,
    variable: &'static str,
    value: Value,
}

impl Settings {
    /// Makes the text of the file. `keks` are the choices as the file has them.
    pub(crate) fn remembered(&self, keks: &KekChoices) -> Result<Remembered> {
        let path = self.directory.join(FILE);
        let mut variables = Vec::new();
        let mut entries = self.entries();
        if self.url_has_password() {
            entries.retain(|entry| entry.key != "store");
            variables.push(match &self.store_file_given {
                Some(path) => Variable::new("IBYOK_STORE_FILE", Some(absolute(path))),
                None => Variable::new("IBYOK_STORE", None),
            });
        }
        if self.given.audit.as_deref().and_then(home_of).is_some_and(has_password) {
            entries.retain(|entry| entry.key != "audit");
            variables.push(match &self.audit_file_given {
                Some(path) => Variable::new("IBYOK_AUDIT_FILE", Some(absolute(path))),
                None => Variable::new("IBYOK_AUDIT", None),
            });
        }
        if let Some(sinks) = &self.given.audit_sinks {
            let shown = Some(sinks.clone()).filter(|sinks| !parts(sinks).any(has_password));
            variables.push(Variable::new(SINKS, shown));
        }
        // The vault's directory must not show a finder the way to its passphrase.
        let own = |file: &Path| self.given.passphrase_file.as_deref().map(Path::new) != Some(file);
        let passphrases = self.keks.iter().filter_map(|(_, kek)| match kek {
            KekChoice::Passphrase(file) => Some(file.as_deref()),
            KekChoice::Local(_) | KekChoice::AwsKms(_) => None,
        });
        let passphrases: Vec<Option<&Path>> = passphrases.collect();
        if let (false, Some(path)) = (passphrases.is_empty(), &self.given.passphrase_file) {
            variables.push(Variable::new("IBYOK_PASSPHRASE_FILE", Some(absolute(path))));
        }
        let is_named = passphrases.into_iter().flatten().any(own);
        if is_named || path.exists() && self.given.kek.as_deref().is_some_and(|kek| kek.contains('=')) {
            variables.push(Variable::new("IBYOK_KEK", Some(self.keks.words())));
        }
        let mut table = keks.as_table();
        if path.exists() {
            // The user's own file is left as it is.
            let there = Given::from_file(&path)?.as_table();
            variables.extend(
                entries
                    .iter()
                    .filter(|entry| there.get(entry.key) != Some(&entry.value))
                    .map(|entry| Variable::new(entry.variable, entry.value.as_str().map(str::to_owned))),
            );
        }
        table.extend(entries.into_iter().map(|entry| (entry.key.to_owned(), entry.value)));
        Ok(Remembered {
            text: table.to_string(),
            variables,
        })
    }

    /// The settings that flags and variables gave. Relative places become absolute ones: a later command has another current
    /// directory.
    fn entries(&self) -> Vec<Entry> {
        let given = &self.given;
        let place = |text: &String| absolute(text);
        let word = |text: &String| text.clone();
        let all: [(&'static str, &'static str, Option<String>); 19] = [
            (
                "store",
                "IBYOK_STORE",
                given.store.clone().filter(|store| store != "file"),
            ),
            ("audit", "IBYOK_AUDIT", given.audit.as_deref().map(absolute_audit)),
            (
                "audit_rotate_after",
                "IBYOK_AUDIT_ROTATE_AFTER",
                given.audit_rotate_after.as_ref().map(word),
            ),
            (
                "audit_rotate_size",
                "IBYOK_AUDIT_ROTATE_SIZE",
                given.audit_rotate_size.as_ref().map(word),
            ),
            (
                "audit_retention",
                "IBYOK_AUDIT_RETENTION",
                given.audit_retention.as_ref().map(word),
            ),
            ("listen", "IBYOK_LISTEN", given.listen.as_ref().map(word)),
            ("tls_cert", "IBYOK_TLS_CERT", given.tls_cert.as_ref().map(place)),
            ("tls_key", "IBYOK_TLS_KEY", given.tls_key.as_ref().map(place)),
            ("namespace", "IBYOK_NAMESPACE", given.namespace.as_ref().map(word)),
            ("environment", "IBYOK_ENV", given.environment.as_ref().map(word)),
            (
                "key_cache_ttl",
                "IBYOK_KEY_CACHE_TTL",
                given.key_cache_ttl.as_ref().map(word),
            ),
            ("durability", "IBYOK_DURABILITY", given.durability.as_ref().map(word)),
            (
                "trusted_proxies",
                "IBYOK_TRUSTED_PROXIES",
                given.trusted_proxies.as_ref().map(word),
            ),
            ("vault_mount", "IBYOK_VAULT_MOUNT", given.vault_mount.as_ref().map(word)),
            ("geoip", "IBYOK_GEOIP", given.geoip.as_ref().map(place)),
            (
                "dev_mode_forced",
                "DEV_MODE_FORCED",
                given.dev_mode_forced.as_ref().map(word),
            ),
            (
                "staging_mode_forced",
                "STAGING_MODE_FORCED",
                given.staging_mode_forced.as_ref().map(word),
            ),
            (
                "prod_mode_forced",
                "PROD_MODE_FORCED",
                given.prod_mode_forced.as_ref().map(word),
            ),
            (
                "prod_mock_allowed",
                "PROD_MOCK_ALLOWED",
                given.prod_mock_allowed.as_ref().map(word),
            ),
        ];
        let said = all.into_iter().filter_map(|(key, variable, value)| {
            let value = value.filter(|value| DEFAULTS.iter().all(|(name, usual)| *name != key || value != usual))?;
            Some(Entry {
                key,
                variable,
                value: Value::String(value),
            })
        });
        said.collect()
    }

    /// Returns true if the store's URL holds a password, in any place.
    fn url_has_password(&self) -> bool {
        self.store.as_deref().is_some_and(has_password)
    }
}

/// The defaults, which need not be written down.
const DEFAULTS: [(&str, &str); 6] = [
    ("listen", LISTEN),
    ("namespace", "default"),
    ("key_cache_ttl", "5m"),
    ("durability", "synced"),
    ("vault_mount", "secret"),
    ("prod_mock_allowed", "false"),
];

/// Returns true if a URL holds a password: before its host, or as a parameter. A parameter whose name is escaped counts as one.
#[must_use]
pub fn has_password(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else {
        return false;
    };
    let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
    let authority = authority.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map(|(user, _)| user);
    let names = ["password", "pass", "sslpassword"];
    let secret = |name: &str| name.contains('%') || names.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    user.is_some_and(|user| user.contains(':'))
        || query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .any(|(name, value)| secret(name) && !value.is_empty())
}

fn absolute(path: &str) -> String {
    std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// The directory among the parts of `audit`.
fn absolute_audit(given: &str) -> String {
    let parts = given.split(',').map(str::trim).map(|part| match part {
        "stdout" | "file" => part.to_owned(),
        sink if is_sink(sink) => part.to_owned(),
        path => absolute(path),
    });
    parts.collect::<Vec<_>>().join(",")
}

impl Given {
    /// The texts that this source gives, by their names in the vault's file.
    fn as_table(&self) -> Table {
        let all = [
            ("store", &self.store),
            ("audit", &self.audit),
            ("audit_rotate_after", &self.audit_rotate_after),
            ("audit_rotate_size", &self.audit_rotate_size),
            ("audit_retention", &self.audit_retention),
            ("listen", &self.listen),
            ("tls_cert", &self.tls_cert),
            ("tls_key", &self.tls_key),
            ("namespace", &self.namespace),
            ("environment", &self.environment),
            ("key_cache_ttl", &self.key_cache_ttl),
            ("durability", &self.durability),
            ("trusted_proxies", &self.trusted_proxies),
            ("vault_mount", &self.vault_mount),
            ("geoip", &self.geoip),
            ("dev_mode_forced", &self.dev_mode_forced),
            ("staging_mode_forced", &self.staging_mode_forced),
            ("prod_mode_forced", &self.prod_mode_forced),
            ("prod_mock_allowed", &self.prod_mock_allowed),
        ];
        let said = all
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?.into())));
        said.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn a_password_is_seen_wherever_a_url_may_hold_one() {
        for url in [
            "redis://:secret@h/0",
            "postgres://me:secret@h/db",
            "postgres://me@h/db?sslmode=require&password=secret",
            "postgres://me@h/db?p%61ssword=secret",
            "postgres://me@h/db?sslpassword=secret",
        ] {
            assert!(has_password(url), "{url}");
        }
        for url in [
            "redis://h:6379/0",
            "postgres://me@h:5432/db?sslmode=require",
            "file",
            "rediss://h",
        ] {
            assert!(!has_password(url), "{url}");
        }
    }
}
