//! The settings of one source: flags, variables or the file. All three use the same names.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use ibyok_core::{Error, Result};
use ibyok_operations::reviews::Thresholds;
use serde::Deserialize;

use crate::sinks::{SINKS, SinkGiven};

/// The largest file of settings that is read, in bytes.
const FILE_MAX: u64 = 64 * 1024;

/// Settings as one source gives them; `None` is not said there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Given {
    /// `--vault`, `IBYOK_VAULT`: the vault's directory. Not in the file, which is in it.
    #[serde(skip)]
    pub vault: Option<String>,
    /// `--store`, `IBYOK_STORE`: `file`, or a URL. One with a password comes by variable or file only.
    pub store: Option<String>,
    /// `--kek`, `IBYOK_KEK`: `local`, `passphrase` or `aws-kms:KEY`, and `ENV=KEK` for single environments, separated by commas.
    pub kek: Option<String>,
    /// `[kek_for]` in the file, and only there: the KEK of each environment that has its own.
    pub kek_for: Option<BTreeMap<String, String>>,
    /// `--also-kek`, `IBYOK_ALSO_KEK`: KEKs that open and never wrap, in the same form.
    #[serde(default, deserialize_with = "list_or_text")]
    pub also_kek: Option<String>,
    /// `--kek-file`, `IBYOK_KEK_FILE`: where a local KEK is.
    pub kek_file: Option<String>,
    /// `--passphrase-file`, `IBYOK_PASSPHRASE_FILE`: where the passphrase is.
    pub passphrase_file: Option<String>,
    /// `--audit`, `IBYOK_AUDIT`: the directory of the logs (or `file`, the usual one), or the URL of the database that keeps them and after
    /// it a directory for its copy. `,stdout` copies lines to standard output, and `,webhook:https://…` and the like to further sinks. In the
    /// file it may also be a list.
    #[serde(default, deserialize_with = "list_or_text")]
    pub audit: Option<String>,
    /// `IBYOK_AUDIT_SINKS`: further sinks of the log, separated by commas or white space.
    #[serde(skip)]
    pub audit_sinks: Option<String>,
    /// `[[audit_sink]]` in the file, and only there: further sinks of the log.
    pub audit_sink: Option<Vec<SinkGiven>>,
    /// `IBYOK_AUDIT_ROTATE_AFTER`: the age at which a segment of the log ends.
    pub audit_rotate_after: Option<String>,
    /// `IBYOK_AUDIT_ROTATE_SIZE`: the size at which a segment of the log ends.
    pub audit_rotate_size: Option<String>,
    /// `IBYOK_AUDIT_RETENTION`: the time for which lines stay in the log's directory.
    pub audit_retention: Option<String>,
    /// `--listen`, `IBYOK_LISTEN`: the server's address.
    pub listen: Option<String>,
    /// `--tls-cert`, `IBYOK_TLS_CERT`: the PEM file of the server's certificates.
    pub tls_cert: Option<String>,
    /// `--tls-key`, `IBYOK_TLS_KEY`: the PEM file of the server's private key.
    pub tls_key: Option<String>,
    /// `--namespace`, `IBYOK_NAMESPACE`.
    pub namespace: Option<String>,
    /// `--environment`, `IBYOK_ENV`: the server's own environment.
    pub environment: Option<String>,
    /// `--key-cache-ttl`, `IBYOK_KEY_CACHE_TTL`.
    pub key_cache_ttl: Option<String>,
    /// `--durability`, `IBYOK_DURABILITY`: `synced` or `written`.
    pub durability: Option<String>,
    /// `--trusted-proxy`, `IBYOK_TRUSTED_PROXIES`: networks, separated by commas.
    pub trusted_proxies: Option<String>,
    /// `--vault-mount`, `IBYOK_VAULT_MOUNT`: the mount under which Vault's clients find the keys.
    pub vault_mount: Option<String>,
    /// `--geoip`, `IBYOK_GEOIP`: a MaxMind DB file in which reviews of the log look up countries.
    pub geoip: Option<String>,
    /// `--dev-mode-forced`, `DEV_MODE_FORCED`: the one mode of environments of class dev, `mock` or `live`.
    pub dev_mode_forced: Option<String>,
    /// `--staging-mode-forced`, `STAGING_MODE_FORCED`: the same of class staging.
    pub staging_mode_forced: Option<String>,
    /// `--prod-mode-forced`, `PROD_MODE_FORCED`: the same of class prod.
    pub prod_mode_forced: Option<String>,
    /// `--prod-mock-allowed`, `PROD_MOCK_ALLOWED`: whether keys and environments of class prod may be set to mock.
    #[serde(default, deserialize_with = "crate::guardrails::word_or_bool")]
    pub prod_mock_allowed: Option<String>,
    /// `[review]` in the file, and only there: from where on a review finds something worth a look.
    pub review: Option<Thresholds>,
}

impl Given {
    /// Reads the settings in variables. A variable that is set and empty gives no setting.
    #[must_use]
    pub fn from_environment(environment: &BTreeMap<String, String>) -> Self {
        // An empty guardrail is one that cannot be read, and not one that is not there.
        let guardrail = |name: &str| environment.get(name).cloned();
        let get = |name: &str| environment.get(name).filter(|value| !value.is_empty()).cloned();
        Given {
            vault: get("IBYOK_VAULT"),
            store: get("IBYOK_STORE"),
            kek: get("IBYOK_KEK"),
            kek_for: None,
            also_kek: get("IBYOK_ALSO_KEK"),
            kek_file: get("IBYOK_KEK_FILE"),
            passphrase_file: get("IBYOK_PASSPHRASE_FILE"),
            audit: get("IBYOK_AUDIT"),
            audit_sinks: get(SINKS),
            audit_sink: None,
            audit_rotate_after: get("IBYOK_AUDIT_ROTATE_AFTER"),
            audit_rotate_size: get("IBYOK_AUDIT_ROTATE_SIZE"),
            audit_retention: get("IBYOK_AUDIT_RETENTION"),
            listen: get("IBYOK_LISTEN"),
            tls_cert: get("IBYOK_TLS_CERT"),
            tls_key: get("IBYOK_TLS_KEY"),
            namespace: get("IBYOK_NAMESPACE"),
            environment: get("IBYOK_ENV"),
            key_cache_ttl: get("IBYOK_KEY_CACHE_TTL"),
            durability: get("IBYOK_DURABILITY"),
            trusted_proxies: get("IBYOK_TRUSTED_PROXIES"),
            vault_mount: get("IBYOK_VAULT_MOUNT"),
            geoip: get("IBYOK_GEOIP"),
            dev_mode_forced: guardrail("DEV_MODE_FORCED"),
            staging_mode_forced: guardrail("STAGING_MODE_FORCED"),
            prod_mode_forced: guardrail("PROD_MODE_FORCED"),
            prod_mock_allowed: guardrail("PROD_MOCK_ALLOWED"),
            review: None,
        }
    }

    /// The same with the store's URL from a file, where the variable `IBYOK_STORE_FILE` names one: so that its password is
    /// not in the environment.
    pub(crate) fn with_store_from(mut self, path: Option<&String>) -> Result<Self> {
        if let Some(path) = path {
            self.store = Some(line_of(
                path,
                ("IBYOK_STORE", "IBYOK_STORE_FILE"),
                self.store.is_some(),
            )?);
        }
        Ok(self)
    }

    /// The same with `audit` from a file, where the variable `IBYOK_AUDIT_FILE` names one.
    pub(crate) fn with_audit_from(mut self, path: Option<&String>) -> Result<Self> {
        if let Some(path) = path {
            self.audit = Some(line_of(
                path,
                ("IBYOK_AUDIT", "IBYOK_AUDIT_FILE"),
                self.audit.is_some(),
            )?);
        }
        Ok(self)
    }

    /// Reads the settings in a file. A file that does not exist gives none.
    pub(crate) fn from_file(path: &Path) -> Result<Self> {
        let shown = path.display();
        let meta = match std::fs::metadata(path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Given::default()),
            Err(error) => {
                return Err(Error::invalid(
                    format!("cannot read `{shown}`: {error}"),
                    "check its permissions",
                ));
            }
        };
        if meta.len() > FILE_MAX {
            return Err(Error::invalid(
                format!("`{shown}` is too large for a settings file"),
                "check that it is a `vault.toml` of a few lines",
            ));
        }
        crate::directory::check_owned(path)?;
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::invalid(format!("cannot read `{shown}`: {error}"), "check its permissions"))?;
        toml::from_str(&text).map_err(|error| {
            let line = error
                .span()
                .map_or(1, |span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
            // The message alone: what the line holds could be a password.
            Error::invalid(
                format!("`{shown}`, line {line}: {}", error.message()),
                "docs/operations.md lists the settings",
            )
        })
    }

    /// This source, and below it another.
    #[must_use]
    pub fn or(&self, below: &Self) -> Self {
        let or = |above: &Option<String>, below: &Option<String>| above.clone().or_else(|| below.clone());
        // All choices of KEKs come from one source: a node that is given one environment's KEK holds no other by surprise.
        let chooser = match self.kek.is_some() || self.kek_for.is_some() {
            true => self,
            false => below,
        };
        let also_kek = match &self.also_kek {
            Some(also) => Some(also.clone()),
            None => chooser.also_kek.clone(),
        };
        Given {
            vault: or(&self.vault, &below.vault),
            store: or(&self.store, &below.store),
            kek: chooser.kek.clone(),
            kek_for: chooser.kek_for.clone(),
            also_kek,
            kek_file: or(&self.kek_file, &below.kek_file),
            passphrase_file: or(&self.passphrase_file, &below.passphrase_file),
            audit: or(&self.audit, &below.audit),
            audit_sinks: or(&self.audit_sinks, &below.audit_sinks),
            audit_sink: self.audit_sink.clone().or_else(|| below.audit_sink.clone()),
            audit_rotate_after: or(&self.audit_rotate_after, &below.audit_rotate_after),
            audit_rotate_size: or(&self.audit_rotate_size, &below.audit_rotate_size),
            audit_retention: or(&self.audit_retention, &below.audit_retention),
            listen: or(&self.listen, &below.listen),
            tls_cert: or(&self.tls_cert, &below.tls_cert),
            tls_key: or(&self.tls_key, &below.tls_key),
            namespace: or(&self.namespace, &below.namespace),
            environment: or(&self.environment, &below.environment),
            key_cache_ttl: or(&self.key_cache_ttl, &below.key_cache_ttl),
            durability: or(&self.durability, &below.durability),
            trusted_proxies: or(&self.trusted_proxies, &below.trusted_proxies),
            vault_mount: or(&self.vault_mount, &below.vault_mount),
            geoip: or(&self.geoip, &below.geoip),
            dev_mode_forced: or(&self.dev_mode_forced, &below.dev_mode_forced),
            staging_mode_forced: or(&self.staging_mode_forced, &below.staging_mode_forced),
            prod_mode_forced: or(&self.prod_mode_forced, &below.prod_mode_forced),
            prod_mock_allowed: or(&self.prod_mock_allowed, &below.prod_mock_allowed),
            review: self.review.clone().or_else(|| below.review.clone()),
        }
    }
}

/// Reads the one line of a private file that a variable names, in place of another variable with the URL itself.
fn line_of(path: &str, (variable, file_variable): (&str, &str), is_set: bool) -> Result<String> {
    if is_set {
        return Err(Error::invalid(
            format!("both `{variable}` and `{file_variable}` are set"),
            "set only one of them",
        ));
    }
    let hint = "write the URL to the file, on one line";
    let unreadable = |error: std::io::Error| {
        Error::invalid(
            format!("cannot read `{path}`, the file in `{file_variable}`: {error}"),
            hint,
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    crate::directory::check_private(Path::new(path))?;
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(unreadable)?;
    let url = text.trim();
    if url.is_empty() || url.contains(char::is_whitespace) {
        return Err(Error::invalid(
            format!("`{path}`, the file in `{file_variable}`, holds no URL"),
            hint,
        ));
    }
    Ok(url.to_owned())
}

/// Reads a list of texts, or one text with commas.
fn list_or_text<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum ListOrText {
        List(Vec<String>),
        Text(String),
    }
    Ok(Some(match ListOrText::deserialize(deserializer)? {
        ListOrText::List(all) => all.join(","),
        ListOrText::Text(text) => text,
    }))
}
