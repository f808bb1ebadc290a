//! The vault's health.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use ibyok_audit::{LogStatus, SinkStatus};
use ibyok_crypto::{Kek, RealmRecord};
use ibyok_storage::Durability;
use serde::Serialize;

use crate::base::error::Result;
use crate::base::words::words;
use crate::floor::FloorsStatus;
use crate::model::guardrails::Guardrails;
use crate::realm::vault_record::FORMAT;
use crate::realm::{FILE, RealmName};
use crate::records::survey::RecordsStatus;
use crate::vault::{Inner, Vault};
use ibyok_audit::words::{counted, was_or_were};

/// The longest time for which `status` looks for damaged records: it is the first command in an incident, and must answer soon. A
/// server checks every record over time.
const SURVEY: Duration = Duration::from_secs(1);

/// The vault's health, for people and for `status --json`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The vault's id.
    pub vault: String,
    /// The format of the vault.
    pub format: u32,
    /// The store.
    pub store: StoreStatus,
    /// The KEKs at hand; the first one wraps.
    pub keks: Vec<String>,
    /// The audit log of this process.
    pub audit: AuditStatus,
    /// The environments, and which KEK wraps the key of each.
    pub environments: BTreeMap<String, String>,
    /// The separation of the environments: cryptographic if that of each of them is.
    pub separation: Separation,
    /// The separation of each environment from the others.
    pub separations: BTreeMap<String, Separation>,
    /// The modes that this node enforces in each class of environments, over the vault's settings.
    pub guardrails: Guardrails,
    /// The records of the store that are damaged.
    pub records: RecordsStatus,
    /// The revisions below which this node refuses records.
    pub floors: FloorsStatus,
    /// The warnings for operators.
    pub warnings: Vec<String>,
}

words! {
    /// The separation of a vault's environments.
    pub enum Separation {
        /// Every environment has its own KEK.
        Cryptographic = "cryptographic",
        /// Environments share a KEK, so only the policy separates them.
        PolicyOnly = "policy only",
    }
}

words! {
    /// The failure that a write to the store survives once it returned.
    pub enum Survives {
        /// A loss of power.
        PowerLoss = "power loss",
        /// The end of the process.
        ProcessExit = "process exit",
        /// None: the store is in memory.
        Nothing = "nothing",
    }
}

words! {
    /// The durability of a line of the audit log once it is acknowledged.
    pub enum LineDurability {
        /// The line survives a loss of power.
        Synced = "synced",
        /// The line survives the end of the process.
        Written = "written",
        /// The sink promises nothing.
        None = "none",
    }
}

/// The health of the store.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct StoreStatus {
    /// The kind of store.
    pub backend: String,
    /// The failure that a write that returned survives.
    pub survives: Survives,
    /// The backend's own facts about itself.
    pub detail: BTreeMap<String, String>,
}

/// The health of the audit log.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditStatus {
    /// The id of this process's log.
    pub log: String,
    /// The directory of all logs, or the home that the logs are kept in.
    pub place: String,
    /// The slot of the directory that this process writes.
    pub slot: u32,
    /// The durability of a line that was acknowledged.
    pub durability: LineDurability,
    /// The number of its last line.
    pub seq: u64,
    /// The reason for which it refuses, if it does.
    pub failure: Option<String>,
    /// The sinks that receive its lines besides the home.
    pub sinks: Vec<SinkStatus>,
}

/// The readiness of the vault, part by part: `None` is well, else the reason.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Ready {
    /// The store.
    pub store: Option<String>,
    /// The KEK.
    pub kek: Option<String>,
    /// The audit log.
    pub audit: Option<String>,
    /// The sinks that receive the lines of the audit log besides its home. A required sink that fails makes the audit log fail; a
    /// best-effort sink does not keep the vault from serving.
    pub sinks: Vec<SinkStatus>,
    /// The lease that caches live on.
    pub lease: Option<String>,
    /// The number of records that this process knows to be damaged. Each of them is refused, and the others are
    /// served.
    pub damaged_records: u64,
    /// The distance by which the store is behind the audit log, in words; `None` if it is not behind. A file store
    /// is then not ready. Other stores continue to serve.
    pub behind: Option<String>,
    /// The floors: if they cannot be written, nothing can be taken away.
    pub floors: Option<String>,
    /// The number of findings about the floors that no operator has acknowledged. The floors were rebuilt, so they do not keep the vault from
    /// serving.
    pub floors_findings: u64,
    /// False if this node began without floors for the records that the store held then. It still serves.
    pub has_history: bool,
    /// The warnings about faults that do not keep the vault from serving.
    pub warnings: Vec<String>,
}

impl Ready {
    /// True if every part is well.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        [&self.store, &self.kek, &self.audit, &self.lease, &self.floors]
            .iter()
            .all(|part| part.is_none())
    }
}

impl Vault {
    /// Returns the vault's health. Nothing of it is secret, and nothing of it is recorded.
    ///
    /// # Errors
    /// [`Error::Unavailable`](crate::Error::Unavailable) if the store does not answer.
    pub async fn status(&self) -> Result<Status> {
        let inner = &self.inner;
        let health = inner.records.store.check().await?;
        let (realms, mut warnings) = inner.realm_keks().await?;
        let separations = separations(&realms);
        let is_separate = |separation: &Separation| *separation == Separation::Cryptographic;
        let separate = separations.len() > 1 && separations.values().all(is_separate);
        let opened = realms.into_iter().filter(|realm| realm.opens);
        let environments = opened
            .filter_map(|realm| Some((realm.environment?, realm.kek)))
            .collect();
        let audit = AuditStatus::of(inner.recorder.log.status());
        warnings.extend(audit.sinks.iter().filter_map(sink_warning));
        let floors = inner
            .records
            .floors
            .status()
            .await
            .unwrap_or_else(|error| FloorsStatus {
                failure: Some(error.to_string()),
                ..FloorsStatus::default()
            });
        warnings.extend(floors.warnings());
        warnings.extend(
            inner
                .recorder
                .warnings
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .cloned(),
        );
        let records = inner.records.survey_within(SURVEY).await?;
        warnings.extend(inner.damage_warnings(&records, floors.records));
        warnings.extend(inner.records.store_is_behind().map(|behind| behind.to_string()));
        if let Some(behind) = inner.records.clock.set_back() {
            warnings.push(format!(
                "the machine's clock is {behind:?} behind the time that this process or the audit log has seen"
            ));
        }
        Ok(Status {
            vault: inner.records.vault.to_string(),
            format: FORMAT,
            store: StoreStatus {
                backend: health.backend,
                survives: health.durability.into(),
                detail: health.detail.into_iter().collect(),
            },
            keks: inner.described_keks(),
            audit,
            separation: match separate {
                true => Separation::Cryptographic,
                false => Separation::PolicyOnly,
            },
            separations,
            environments,
            guardrails: inner.modes.guardrails,
            records,
            floors,
            warnings,
        })
    }

    /// Describes in words the distance by which the store is behind the audit log; `None` if it is not behind.
    #[must_use]
    pub fn store_behind(&self) -> Option<String> {
        self.inner.records.store_is_behind().map(|behind| behind.to_string())
    }

    /// Returns the readiness of the vault now.
    pub async fn ready(&self) -> Ready {
        let inner = &self.inner;
        let text = |error: crate::Error| Some(error.to_string());
        let behind = inner.records.store_is_behind().map(|behind| behind.to_string());
        let home = RealmName {
            ..inner.records.home.name.clone()
        };
        let floors = inner
            .records
            .floors
            .status()
            .await
            .unwrap_or_else(|error| FloorsStatus {
                failure: Some(error.to_string()),
                ..FloorsStatus::default()
            });
        let own = inner.own_records().await;
        let store = match inner.records.store.check().await {
            Ok(health) if health.backend == FILE => behind.clone(),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        let store = match store {
            Some(failure) => Some(failure),
            None => inner.logs.store_refuses_writes().await,
        };
        let mut warnings = floors.warnings();
        warnings.extend(own.warnings);
        Ready {
            store: store.or(own.home),
            kek: inner
                .records
                .kek_failure(&home)
                .await
                .filter(is_of_the_kek)
                .and_then(text),
            audit: inner.audit_failure(),
            sinks: inner.recorder.log.status().further,
            lease: inner.records.hold_lease().await.err().and_then(text),
            damaged_records: inner.records.damaged_count(),
            behind,
            floors: floors.failure.clone(),
            floors_findings: u64::try_from(floors.findings.len()).unwrap_or(u64::MAX),
            has_history: floors.no_history_before.is_none(),
            warnings,
        }
    }

    /// Returns the readiness without asking store and KEK again: their part is taken from `before`. For an answer
    /// that anybody may ask for often.
    #[must_use]
    pub fn ready_given(&self, before: &Ready) -> Ready {
        Ready {
            audit: self.inner.audit_failure(),
            sinks: self.inner.recorder.log.status().further,
            damaged_records: self.inner.records.damaged_count(),
            floors: self.inner.records.floors.failure().or_else(|| before.floors.clone()),
            ..before.clone()
        }
    }
}

impl Inner {
    /// Returns one line for each damaged record, with those that an earlier request met. `seen` is the number of records that this node
    /// has seen.
    fn damage_warnings(&self, found: &RecordsStatus, seen: u64) -> Vec<String> {
        let named = found.records.iter().map(|record| {
            let of = record.environment.as_ref().map(|name| format!(" of `{name}`"));
            let of = of.unwrap_or_default();
            let (kind, id, damage) = (record.kind, &record.id, record.damaged);
            format!("{kind} {id}{of} {damage}: the vault refuses record {}", record.record)
        });
        let mut warnings: Vec<String> = named.collect();
        let shown = u64::try_from(warnings.len()).unwrap_or(u64::MAX);
        let others = found.damaged.max(self.records.damaged_count()).saturating_sub(shown);
        match others {
            0 => {}
            1 => warnings.push("1 more record is damaged: the vault refuses it".to_owned()),
            _ => warnings.push(format!("{others} more records are damaged: the vault refuses them")),
        }
        if !found.complete {
            warnings.push(format!(
                "only {} of about {seen} {} checked for damage; `ibyok checklist` checks every record",
                counted(found.checked, "record"),
                was_or_were(found.checked),
            ));
        }
        warnings
    }

    fn audit_failure(&self) -> Option<String> {
        self.recorder.log.status().failure.or_else(|| self.closed())
    }

    fn closed(&self) -> Option<String> {
        self.recorder.is_closed().then(|| "the vault was closed".to_owned())
    }

    fn described_keks(&self) -> Vec<String> {
        let ring = self.records.keks.ring();
        let mut all: Vec<String> = Vec::new();
        for kek in ring.iter().map(|kek| describe(kek.as_ref())) {
            if !all.contains(&kek) {
                all.push(kek);
            }
        }
        all
    }

    /// Returns the KEK of each realm of the home namespace, and a warning for each environment that does not open.
    async fn realm_keks(&self) -> Result<(Vec<RealmKek>, Vec<String>)> {
        let (mut keks, mut warnings) = (Vec::new(), Vec::new());
        for name in self.records.realms_of(&self.records.home.name.namespace).await? {
            let environment = name.environment.as_ref().map(ToString::to_string);
            let opened = self.records.realm(&name).await;
            if let Some(environment) = &environment {
                match &opened {
                    Ok(Some(_)) => {}
                    Ok(None) => warnings.push(format!("environment `{environment}` has no key")),
                    Err(error) => warnings.push(format!("environment `{environment}`: {error}")),
                }
            }
            let (kek, opens) = match opened {
                Ok(Some(realm)) => (Some(realm.kek.clone()), true),
                _ => (self.kek_in_the_clear(&name).await?, false),
            };
            keks.extend(kek.map(|kek| RealmKek {
                environment,
                kek,
                opens,
            }));
        }
        Ok((keks, warnings))
    }

    /// Returns the KEK that a realm's record names, unproven: the record does not open here.
    async fn kek_in_the_clear(&self, name: &RealmName) -> Result<Option<String>> {
        let id = name.record_id(self.records.vault);
        let stored = self.records.store.get(&id).await?;
        let record = stored.and_then(|stored| RealmRecord::parse(&stored.bytes).ok());
        Ok(record.and_then(|record| record.kek_ids().first().map(ToString::to_string)))
    }
}

/// The KEK of a realm, as `status` compares it with the others.
struct RealmKek {
    /// The environment; `None` for the realm that spans environments.
    environment: Option<String>,
    kek: String,
    /// True if this node opens it.
    opens: bool,
}

/// Returns the separation of each environment. An environment is separate if no other realm shares its KEK, or if the KEK opens
/// only one of the two for this node: then the policy of a key service keeps them apart. The realm that spans environments
/// counts as well, because its keys make tokens for all of them. Two passphrases may be the same one: each has a salt, so
/// their ids differ in any case.
fn separations(realms: &[RealmKek]) -> BTreeMap<String, Separation> {
    let is_passphrase = |realm: &RealmKek| realm.kek.starts_with("passphrase:");
    let shares = |one: &RealmKek, other: &RealmKek| {
        let may_be_one = one.kek == other.kek || (is_passphrase(one) && is_passphrase(other));
        one.environment != other.environment && may_be_one && one.opens == other.opens
    };
    let named = realms
        .iter()
        .filter_map(|realm| Some((realm.environment.clone()?, realm)));
    let judged = named.map(|(name, realm)| match realms.iter().any(|other| shares(realm, other)) {
        true => (name, Separation::PolicyOnly),
        false => (name, Separation::Cryptographic),
    });
    judged.collect()
}

/// Returns the warning about a sink that fails or has missed lines.
fn sink_warning(sink: &SinkStatus) -> Option<String> {
    let (name, waiting, dropped) = (&sink.name, sink.waiting, sink.dropped);
    let missed = format!(
        "{} {} waiting for it, and it missed {}",
        counted(waiting, "line"),
        if waiting == 1 { "is" } else { "are" },
        counted(dropped, "line")
    );
    match &sink.failure {
        Some(failure) => Some(format!("the audit sink `{name}` fails: {failure}; {missed}")),
        None if dropped > 0 => Some(format!("the audit sink `{name}` works again; {missed}")),
        None => None,
    }
}

/// True if an error is the KEK's. A store that does not answer is reported as the store.
fn is_of_the_kek(error: &crate::Error) -> bool {
    !matches!(
        error,
        crate::Error::Unavailable {
            part: crate::errors::Part::Store,
            ..
        }
    )
}

impl From<Durability> for Survives {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::PowerLoss => Survives::PowerLoss,
            Durability::ProcessExit => Survives::ProcessExit,
            Durability::None => Survives::Nothing,
        }
    }
}

fn describe(kek: &dyn Kek) -> String {
    let description = kek.describe();
    description
        .id()
        .map_or_else(|| description.kind().to_owned(), ToString::to_string)
}

impl AuditStatus {
    fn of(status: LogStatus) -> Self {
        AuditStatus {
            log: status.id,
            place: status.home.unwrap_or_else(|| status.place.display().to_string()),
            slot: status.slot,
            durability: match status.durability {
                ibyok_audit::SinkDurability::Synced => LineDurability::Synced,
                ibyok_audit::SinkDurability::Written => LineDurability::Written,
                _ => LineDurability::None,
            },
            seq: status.last_seq,
            failure: status.failure,
            sinks: status.further,
        }
    }
}
