//! A key as Vault's documents. Vault's clients want every member, and texts where they expect texts.

use std::collections::BTreeMap;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use ibyok_core::Released;
use ibyok_core::jiff::Timestamp;
use ibyok_core::keys::{FieldName, KeyId, KeyInfo, VersionInfo, VersionState, Withheld, Written};
use ibyok_core::secrecy::ExposeSecret;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

/// The facts about a key that stand among its labels in `custom_metadata`. A label of such a name is not shown there.
pub(super) const RESERVED: [&str; 3] = ["provider", "key_id", "mode"];

/// The data of a version with its metadata.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    data: Fields<'a>,
    metadata: Metadata<'a>,
}

impl<'a> Data<'a> {
    pub(super) fn of(released: &'a Released, labels: Option<&'a BTreeMap<String, String>>) -> Self {
        let info = released.info();
        Data {
            data: Fields(released),
            metadata: Metadata {
                created_time: info.version_created,
                custom_metadata: Some(Custom {
                    labels,
                    provider: info.provider.as_deref(),
                    key_id: info.id,
                    mode: Some(info.mode.as_str()),
                }),
                deletion_time: Time(None),
                destroyed: false,
                version: info.version,
            },
        }
    }
}

/// The name under which a Vault client sees a field.
pub(super) fn shown<'a>(name: &'a FieldName, value_name: Option<&'a FieldName>) -> &'a str {
    match value_name {
        Some(other) if name.is_value() => other.as_str(),
        _ => name.as_str(),
    }
}

/// The fields of a released key. One that is not text comes in Base64, under a name that says so.
struct Fields<'a>(&'a Released);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value_name = self.0.info().value_name.as_ref();
        let mut map = serializer.serialize_map(None)?;
        for (name, secret) in self.0.fields() {
            let name = shown(name, value_name);
            match secret.text() {
                Ok(text) => map.serialize_entry(name, text)?,
                Err(_) => map.serialize_entry(&format!("{name}_base64"), &Base64(secret.expose_secret()))?,
            }
        }
        map.end()
    }
}

struct Base64<'a>(&'a [u8]);

impl Serialize for Base64<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Base64Display::new(self.0, &STANDARD))
    }
}

/// The data of a version that the vault withholds: none.
#[derive(Serialize)]
pub(super) struct Deleted {
    data: Option<()>,
    metadata: Metadata<'static>,
}

impl From<Withheld> for Deleted {
    fn from(withheld: Withheld) -> Self {
        Deleted {
            data: None,
            metadata: Metadata {
                created_time: withheld.created,
                custom_metadata: None,
                deletion_time: Time(Some(withheld.since)),
                destroyed: withheld.state == VersionState::Destroyed,
                version: withheld.version,
            },
        }
    }
}

/// The metadata of one version.
#[derive(Serialize)]
pub(super) struct Metadata<'a> {
    created_time: Timestamp,
    custom_metadata: Option<Custom<'a>>,
    deletion_time: Time,
    destroyed: bool,
    version: u32,
}

impl<'a> From<&'a Written> for Metadata<'a> {
    fn from(written: &'a Written) -> Self {
        Metadata {
            created_time: written.version_created,
            custom_metadata: Some(Custom {
                labels: None,
                provider: written.provider.as_deref(),
                key_id: written.id,
                mode: None,
            }),
            deletion_time: Time(None),
            destroyed: false,
            version: written.version,
        }
    }
}

/// A time, or no time as the empty text: a client refuses `null` here.
struct Time(Option<Timestamp>);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(time) => time.serialize(serializer),
            None => serializer.serialize_str(""),
        }
    }
}

/// Labels, and what the vault knows about the key. Every value is a text.
struct Custom<'a> {
    /// `None` for a caller that may not see the labels.
    labels: Option<&'a BTreeMap<String, String>>,
    provider: Option<&'a str>,
    key_id: KeyId,
    mode: Option<&'a str>,
}

impl Serialize for Custom<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let labels = self.labels.into_iter().flatten();
        for (name, value) in labels.filter(|(name, _)| !RESERVED.contains(&name.as_str())) {
            map.serialize_entry(name, value)?;
        }
        if let Some(provider) = self.provider {
            map.serialize_entry("provider", provider)?;
        }
        map.serialize_entry("key_id", &Text(self.key_id))?;
        if let Some(mode) = self.mode {
            map.serialize_entry("mode", mode)?;
        }
        map.end()
    }
}

struct Text<T>(T);

impl<T: std::fmt::Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// The facts about a secret and its versions.
#[derive(Serialize)]
pub(super) struct Secret<'a> {
    cas_required: bool,
    created_time: Timestamp,
    current_version: u32,
    delete_version_after: &'static str,
    max_versions: u32,
    oldest_version: u32,
    updated_time: Timestamp,
    custom_metadata: Custom<'a>,
    versions: BTreeMap<u32, Version>,
}

#[derive(Serialize)]
struct Version {
    created_time: Timestamp,
    deletion_time: Time,
    destroyed: bool,
}

impl<'a> From<&'a KeyInfo> for Secret<'a> {
    fn from(info: &'a KeyInfo) -> Self {
        let versions = info.versions.iter();
        let changes = versions
            .clone()
            .flat_map(|version| version.changes.iter().map(|change| change.at));
        let times = versions.clone().map(|version| version.created).chain(changes);
        Secret {
            cas_required: false,
            created_time: info.created,
            current_version: info.version.unwrap_or(0),
            delete_version_after: "0s",
            max_versions: 0,
            oldest_version: versions.clone().map(|version| version.version).min().unwrap_or(0),
            updated_time: times.max().unwrap_or(info.created),
            custom_metadata: of_key(info),
            versions: versions
                .map(|version| (version.version, Version::from(version)))
                .collect(),
        }
    }
}

fn of_key(info: &KeyInfo) -> Custom<'_> {
    Custom {
        labels: Some(&info.labels),
        provider: info.provider.as_deref(),
        key_id: info.id,
        mode: info.mode.map(|mode| mode.as_str()),
    }
}

impl From<&VersionInfo> for Version {
    fn from(version: &VersionInfo) -> Self {
        Version {
            created_time: version.created,
            deletion_time: Time(withheld_since(version)),
            destroyed: version.state == VersionState::Destroyed,
        }
    }
}

/// The time since which the vault withholds a version; `None` for one that it serves.
fn withheld_since(version: &VersionInfo) -> Option<Timestamp> {
    match version.state {
        VersionState::Disabled | VersionState::Retired | VersionState::Destroyed => {
            let mut changes = version.changes.iter().rev();
            let change = changes.find(|change| change.to == version.state.as_str());
            Some(change.map_or(version.created, |change| change.at))
        }
        _ => None,
    }
}

/// The names of a version's fields, without the values.
#[derive(Serialize)]
pub(super) struct Subkeys<'a> {
    subkeys: Option<BTreeMap<&'a str, ()>>,
    metadata: Metadata<'a>,
}

impl<'a> Subkeys<'a> {
    pub(super) fn of(info: &'a KeyInfo, version: &'a VersionInfo) -> Self {
        let since = withheld_since(version);
        let names = version
            .fields
            .iter()
            .map(|name| (shown(name, version.value_name.as_ref()), ()));
        Subkeys {
            subkeys: since.is_none().then(|| names.collect()),
            metadata: Metadata {
                created_time: version.created,
                custom_metadata: Some(of_key(info)),
                deletion_time: Time(since),
                destroyed: version.state == VersionState::Destroyed,
                version: version.version,
            },
        }
    }

    /// Returns true for a version that the vault does not serve.
    pub(super) fn is_deleted(&self) -> bool {
        self.subkeys.is_none()
    }
}
