//! The check for values of the vault in a text: by keyed fingerprints, so that no value leaves the vault.

mod bundle;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_crypto::{FingerprintKey, Secret};

pub use bundle::FingerprintBundle;

use crate::base::error::Result;
use crate::gate::attempt::Attempt;
use crate::model::key::{KeyRecord, VersionRecord};
use crate::realm::Realm;
use crate::vault::handles::KnownValueVerbs;
use crate::verbs::environments::operators_only;

/// A version of a key whose value a text is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KnownValue {
    /// The key: `environment/name`; outside of the home namespace `ibyok://namespace/environment/name`.
    pub reference: String,
    /// The version.
    pub version: u32,
}

/// The values that a vault had when it was asked, by their keyed fingerprints: answers from memory whether a text is one of them.
///
/// It stays in this process. Its holder can test texts, as an operator of the vault can; it never reveals a value.
pub struct KnownValues {
    sets: Vec<Set>,
    damaged: u64,
}

/// Fingerprints under one key.
struct Set {
    key: Key,
    values: HashMap<[u8; 32], KnownValue>,
}

enum Key {
    Realm(Arc<Realm>),
    Bundle(FingerprintKey),
}

impl KnownValues {
    /// The version whose value `text` is, byte for byte.
    #[must_use]
    pub fn find(&self, text: &[u8]) -> Option<&KnownValue> {
        self.sets.iter().filter(|set| !set.values.is_empty()).find_map(|set| {
            let fingerprint = match &set.key {
                Key::Realm(realm) => realm.keys.fingerprint(&Secret::copy_of(text)),
                Key::Bundle(key) => key.fingerprint(text),
            };
            set.values.get(&fingerprint)
        })
    }

    /// Returns the number of values that are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sets.iter().map(|set| set.values.len()).sum()
    }

    /// Returns the number of damaged records of keys and of environments: their values are not known.
    #[must_use]
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// True if no value is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KnownValues")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

impl KnownValueVerbs<'_> {
    /// Returns the means to recognise the values of the vault in a text: of every version of every key that has one,
    /// retired ones too. For an operator; recorded once, as `key.list` with the reason `scan` and the number of
    /// values. No value is opened.
    ///
    /// # Errors
    /// [`Error::Denied`](crate::Error::Denied) for a token, [`Error::Kek`](crate::Error::Kek) and
    /// [`Error::Unavailable`](crate::Error::Unavailable) where a realm does not open.
    pub async fn collect(self) -> Result<KnownValues> {
        let mut attempt = self.session.attempt(Action::KeyList);
        attempt.facts.reason = Some("scan");
        let outcome = self.try_known(&mut attempt).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_known(self, attempt: &mut Attempt<'_>) -> Result<KnownValues> {
        let mut sets = Vec::new();
        attempt.facts.count = 0;
        let all = self.all_versions(attempt).await?;
        for (realm, versions) in all.realms {
            let fingerprinted = versions.into_iter().filter_map(|one| {
                let fingerprint = <[u8; 32]>::try_from(one.version.fingerprint.0.as_slice()).ok()?;
                Some((fingerprint, one.known()))
            });
            let values: HashMap<_, _> = fingerprinted.collect();
            attempt.facts.count += u64::try_from(values.len()).unwrap_or(u64::MAX);
            sets.push(Set {
                key: Key::Realm(realm),
                values,
            });
        }
        Ok(KnownValues {
            sets,
            damaged: all.damaged,
        })
    }

    /// Every version of every key of the namespace, for an operator, by realm.
    async fn all_versions(self, attempt: &mut Attempt<'_>) -> Result<AllVersions> {
        let principal = self.session.authenticate(attempt).await?;
        operators_only(&principal)?;
        let names = self
            .session
            .inner
            .records
            .environment_names(principal.namespace())
            .await?;
        let opened = self.session.inner.gate.open_environments(&principal, names).await?;
        let mut all = AllVersions {
            damaged: u64::try_from(opened.damaged.len()).unwrap_or(u64::MAX),
            ..AllVersions::default()
        };
        for realm in opened.realms {
            let (versions, damaged) = self.versions_of(&realm).await?;
            all.realms.push((realm, versions));
            all.damaged += damaged;
        }
        Ok(all)
    }

    async fn versions_of(self, realm: &Arc<Realm>) -> Result<(Vec<One>, u64)> {
        let (mut versions, mut damaged) = (Vec::new(), 0);
        let mut walk = self.session.inner.records.walk_records::<KeyRecord>(realm, None)?;
        while let Some(met) = walk.next_live_keys().await? {
            for (id, record) in met {
                let Ok(record) = record else {
                    damaged += 1;
                    continue;
                };
                let reference = realm.reference(&record.name);
                versions.extend(record.versions.iter().map(|version| One {
                    id: *id.id(),
                    reference: reference.clone(),
                    version: version.clone(),
                }));
            }
        }
        Ok((versions, damaged))
    }
}

/// The versions of a namespace's keys, by realm.
#[derive(Default)]
struct AllVersions {
    realms: Vec<(Arc<Realm>, Vec<One>)>,
    /// The records of keys and environments that are damaged.
    damaged: u64,
}

/// A version of a key.
struct One {
    id: [u8; 16],
    reference: String,
    version: VersionRecord,
}

impl One {
    fn known(&self) -> KnownValue {
        KnownValue {
            reference: self.reference.clone(),
            version: self.version.number,
        }
    }
}
