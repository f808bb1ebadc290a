//! Fingerprints to take along: for machines that must not open the vault.

use std::collections::{HashMap, HashSet};
use std::fmt;

use data_encoding::BASE64;
use ibyok_audit::Action;
use ibyok_crypto::FingerprintKey;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use super::{Key, KnownValue, KnownValues, Set};
use crate::base::error::{Error, Part, Result};
use crate::base::remedy::Remedy;
use crate::gate::attempt::Attempt;
use crate::model::name::FieldName;
use crate::retrieve::open_fields;
use crate::vault::handles::KnownValueVerbs;

/// The least that a value must be for its fingerprint to keep it secret: in bytes, and in different ones.
const LEN_MIN: usize = 16;
const DIFFERENT_MIN: usize = 8;

/// A bundle of fingerprints under its own key, as text.
///
/// It names keys, and lets its holder test values: it is no secret of the values themselves, as long as they cannot
/// be guessed. That is why short ones, and those of few different characters, are left out.
#[non_exhaustive]
pub struct FingerprintBundle {
    /// The bundle's text, to be written to a file of mode 0600.
    pub text: SecretString,
    /// The number of values in it.
    pub values: u64,
    /// The number of values that were left out since they could be guessed.
    pub left_out: u64,
    /// The number of key records that are damaged: their values are not in it.
    pub damaged: u64,
}

impl fmt::Debug for FingerprintBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FingerprintBundle")
            .field("values", &self.values)
            .field("left_out", &self.left_out)
            .finish_non_exhaustive()
    }
}

/// The bundle's text is the JSON of this.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    ibyok_fingerprints: u32,
    created: Timestamp,
    key: String,
    values: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    fingerprint: String,
    #[serde(rename = "ref")]
    reference: String,
    version: u32,
}

/// The form of a bundle.
const FORM: u32 = 1;

impl KnownValues {
    /// The most bytes that a bundle may have.
    pub const BUNDLE_MAX: usize = 64 << 20;

    /// The values of a bundle, as [`KnownValueVerbs::export`](crate::known_values::KnownValueVerbs::export) made it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a text that is none; [`Error::TooLarge`] beyond [`BUNDLE_MAX`](Self::BUNDLE_MAX).
    pub fn from_bundle(text: &str) -> Result<Self> {
        if text.len() > Self::BUNDLE_MAX {
            return Err(Error::TooLarge {
                what: "the bundle",
                limit: Self::BUNDLE_MAX,
            });
        }
        let none = || Error::invalid("the file is not a bundle of fingerprints", Remedy::GiveBundle);
        let mut body: Body = serde_json::from_str(text).map_err(|_| none())?;
        if body.ibyok_fingerprints != FORM {
            return Err(none());
        }
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).ok().map(Zeroizing::new);
        let key = Zeroizing::new(std::mem::take(&mut body.key));
        let key = bytes(&key).and_then(|key| <[u8; 32]>::try_from(key.as_slice()).ok().map(Zeroizing::new));
        let key = FingerprintKey::from_bytes(&*key.ok_or_else(none)?);
        let mut values = HashMap::new();
        for entry in body.values {
            let fingerprint = bytes(&entry.fingerprint).and_then(|one| <[u8; 32]>::try_from(one.as_slice()).ok());
            let known = KnownValue {
                reference: entry.reference,
                version: entry.version,
            };
            values.insert(fingerprint.ok_or_else(none)?, known);
        }
        Ok(KnownValues {
            sets: vec![Set {
                key: Key::Bundle(key),
                values,
            }],
            damaged: 0,
        })
    }

    /// The length in bytes below which no value of a bundle is.
    #[must_use]
    pub fn shortest_in_bundle() -> usize {
        LEN_MIN
    }
}

impl KnownValueVerbs<'_> {
    /// Makes a bundle of fingerprints of every version that has a value, for an operator: each value is opened for it, and none is in it.
    /// Recorded as `key.export` with the reason `fingerprints` and the number of values.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Integrity`] for a value that does not open, [`Error::Unavailable`].
    pub async fn export(self) -> Result<FingerprintBundle> {
        let mut attempt = self.session.attempt(Action::KeyExport);
        attempt.facts.reason = Some("fingerprints");
        let outcome = self.try_export_fingerprints(&mut attempt).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_export_fingerprints(self, attempt: &mut Attempt<'_>) -> Result<FingerprintBundle> {
        let key = FingerprintKey::generate().map_err(|error| Error::unavailable(Part::Kek, error))?;
        let (mut values, mut left_out) = (Vec::new(), 0);
        let all = self.all_versions(attempt).await?;
        for (realm, versions) in all.realms {
            for one in versions.iter().filter(|one| one.version.sealed.is_some()) {
                let opened = open_fields((&realm, one.id, &one.reference), &one.version, None)?;
                let Some(value) = opened.get(&FieldName::value()).map(ExposeSecret::expose_secret) else {
                    continue;
                };
                if can_be_guessed(value) {
                    left_out += 1;
                    continue;
                }
                values.push(Entry {
                    fingerprint: BASE64.encode(&key.fingerprint(value)),
                    reference: one.reference.clone(),
                    version: one.version.number,
                });
            }
        }
        attempt.facts.count = u64::try_from(values.len()).unwrap_or(u64::MAX);
        let mut body = Body {
            ibyok_fingerprints: FORM,
            created: attempt.at,
            key: BASE64.encode(key.expose()),
            values,
        };
        let text = serde_json::to_string_pretty(&body).map_err(|_| Error::integrity("the bundle"));
        body.key.zeroize();
        let text = text?;
        Ok(FingerprintBundle {
            text: SecretString::from(text),
            values: attempt.facts.count,
            left_out,
            damaged: all.damaged,
        })
    }
}

/// True if a value could be guessed by trying.
fn can_be_guessed(value: &[u8]) -> bool {
    let different: HashSet<&u8> = value.iter().collect();
    value.len() < LEN_MIN || different.len() < DIFFERENT_MIN
}
