//! The parts of the checklist that need the vault: attestations, and the values that environments share.

use std::collections::BTreeMap;
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_crypto::Secret;
use serde::Serialize;

use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::open_realms::OpenRealms;
use crate::model::account::check_account;
use crate::model::attestation::{ATTESTATIONS_ID, Attestation, AttestationRecord, check_item};
use crate::model::key::KeyRecord;
use crate::model::name::FieldName;
use crate::realm::Realm;
use crate::records::damage::DamagedRecord;
use crate::records::page::Page;
use crate::retrieve::open_fields;
use crate::vault::handles::{AttestationVerbs, KnownValueVerbs};
use crate::verbs::environments::operators_only;

/// Keys of several environments that hold one and the same value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SharedValue {
    /// The keys: `environment/name`.
    pub keys: Vec<String>,
}

impl AttestationVerbs<'_> {
    /// Attests an item of the checklist, for an operator.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Invalid`] for an unknown item, [`Error::Unavailable`].
    pub async fn add(self, item: &str, note: Option<String>) -> Result<Attestation> {
        let mut attempt = self.session.attempt(Action::ChecklistAttest);
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            check_item(item)?;
            note.iter().try_for_each(|note| check_account("note", note))?;
            let whole = self.session.inner.records.whole_realm(principal.namespace()).await?;
            let attested = Attestation {
                at: attempt.at,
                by: principal.by(),
                note: note.clone(),
                backup: None,
            };
            attempt.facts.because = Some(item.to_owned());
            let change = self.session.inner.changes.change(
                &mut attempt,
                &principal,
                &whole,
                ATTESTATIONS_ID,
                |_, record: Option<AttestationRecord>| {
                    let mut record = record.unwrap_or_default();
                    record.items.insert(item.to_owned(), attested.clone());
                    Ok(Edit::Gives(record, attested.clone()))
                },
            );
            change.await
        }
        .await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Returns the last attestation of each item, for an operator.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`].
    pub async fn list(self) -> Result<BTreeMap<String, Attestation>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        attempt.facts.reason = Some("checklist");
        let outcome = async {
            let principal = self.session.authenticate(&mut attempt).await?;
            operators_only(&principal)?;
            let whole = self.session.inner.records.whole_realm(principal.namespace()).await?;
            let held = self
                .session
                .inner
                .records
                .load::<AttestationRecord>(&whole, ATTESTATIONS_ID)
                .await?;
            Ok(held.map(|held| held.record.items.clone()).unwrap_or_default())
        }
        .await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }
}

impl KnownValueVerbs<'_> {
    /// Finds the environments that share a value: each current value is opened and compared in memory, for an
    /// operator. None leaves the vault.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Integrity`] for a value that does not open, [`Error::Unavailable`].
    pub async fn shared(self) -> Result<Page<SharedValue>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        attempt.facts.reason = Some("values compared in memory");
        let outcome = self.try_shared(&mut attempt).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_shared(self, attempt: &mut Attempt<'_>) -> Result<Page<SharedValue>> {
        let principal = self.session.authenticate(attempt).await?;
        operators_only(&principal)?;
        let whole = self.session.inner.records.whole_realm(principal.namespace()).await?;
        let keys = BTreeMap::new();
        let mut seen = Fingerprints { whole, keys };
        attempt.facts.count = 0;
        let names = self
            .session
            .inner
            .records
            .environment_names(principal.namespace())
            .await?;
        let mut opened = self.session.inner.gate.open_environments(&principal, names).await?;
        for realm in std::mem::take(&mut opened.realms) {
            attempt.facts.count += self.fingerprint_all(&realm, &mut seen, &mut opened).await?;
        }
        Ok(opened.page(seen.shared()))
    }

    /// Adds the current values of an environment; gives how many.
    async fn fingerprint_all(
        self,
        realm: &Arc<Realm>,
        seen: &mut Fingerprints,
        opened: &mut OpenRealms,
    ) -> Result<u64> {
        let environment = realm.name.environment_word().to_owned();
        let mut count = 0;
        let mut walk = self.session.inner.records.walk_records::<KeyRecord>(realm, None)?;
        while let Some(met) = walk.next_live_keys().await? {
            for (id, record) in met {
                let record = match record {
                    Ok(record) => record,
                    // None of its values can be compared.
                    Err(damage) => {
                        opened.push(DamagedRecord::of::<KeyRecord>(realm, &id, damage));
                        continue;
                    }
                };
                let current = record.current().filter(|version| version.sealed.is_some());
                let Some(version) = current else {
                    continue;
                };
                let reference = realm.reference(&record.name);
                let opened = open_fields((realm, *id.id(), &reference), version, Some(&FieldName::value()))?;
                let value = opened.get(&FieldName::value());
                let value = value.ok_or_else(|| Error::integrity(format!("key `{reference}`")))?;
                seen.add(value, &environment, reference);
                count += 1;
            }
        }
        Ok(count)
    }
}

/// Values by their keyed fingerprints.
struct Fingerprints {
    whole: Arc<Realm>,
    keys: BTreeMap<[u8; 32], Vec<(String, String)>>,
}

impl Fingerprints {
    fn add(&mut self, value: &Secret, environment: &str, reference: String) {
        let keys = self.keys.entry(self.whole.keys.fingerprint(value)).or_default();
        keys.push((environment.to_owned(), reference));
    }

    /// Returns the values that more than one environment has.
    fn shared(&self) -> Vec<SharedValue> {
        let several =
            |keys: &&Vec<(String, String)>| keys.iter().any(|(e, _)| keys.first().is_some_and(|(f, _)| e != f));
        let mut shared: Vec<SharedValue> = self
            .keys
            .values()
            .filter(several)
            .map(|keys| SharedValue {
                keys: keys.iter().map(|(_, reference)| reference.clone()).collect(),
            })
            .collect();
        shared.sort_by(|a, b| a.keys.cmp(&b.keys));
        shared
    }
}
