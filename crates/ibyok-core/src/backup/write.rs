//! Taking a backup.

use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Seek, Write};
use std::path::Path;

use async_trait::async_trait;
use data_encoding::HEXLOWER;
use ibyok_audit::{Action, Phase};
use ibyok_crypto::Secret;
use secrecy::ExposeSecret;

use super::frames::{END, FILE, FloorsOut, FrameWriter, HEAD, MANIFEST, failed};
use super::manifest::{BackupFloors, BackupInfo, BackupLog, Head, mac};
use super::partial::Partial;
use super::sweep::{End, Sweep, Swept, Take};
use crate::base::error::{Error, Part, Result};
use crate::changes::Edit;
use crate::gate::attempt::{Attempt, outcome_of};
use crate::gate::principal::Principal;
use crate::model::attestation::{ATTESTATIONS_ID, Attestation, AttestationRecord};
use crate::vault::handles::BackupVerbs;

/// The number of times that a backup begins again where the store's feed does not keep as many changes as were made meanwhile.
const TRIES: usize = 3;

/// The bytes that are written to the file at a time.
const BUFFER: usize = 1 << 18;

/// The item of the checklist that a backup attests.
const ITEM: &str = "backup";

/// The extra contents of a backup, and the function that is told its progress.
#[derive(Default)]
#[must_use]
pub struct BackupRequest<'a> {
    files: Vec<(&'static str, Secret)>,
    progress: Option<&'a (dyn Fn(u64, u64) + Send + Sync)>,
}

impl fmt::Debug for BackupRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupRequest").finish_non_exhaustive()
    }
}

impl<'a> BackupRequest<'a> {
    /// Adds the vault's file of settings.
    pub fn settings(mut self, text: Secret) -> Self {
        self.files.push((super::read::SETTINGS, text));
        self
    }

    /// Adds the file of the local KEK: who has the backup then has the keys.
    pub fn kek(mut self, bytes: Secret) -> Self {
        self.files.push((super::read::KEK, bytes));
        self
    }

    /// Calls a function with the number of records so far, and the number that is expected.
    pub fn progress(mut self, progress: &'a (dyn Fn(u64, u64) + Send + Sync)) -> Self {
        self.progress = Some(progress);
        self
    }
}

impl BackupVerbs<'_> {
    /// Writes a backup of the whole vault to a new file, for an operator of the vault's home: every record as the store holds it, sealed.
    ///
    /// Nodes may serve and change the vault meanwhile. Every record is as of one moment between the beginning and the end, and no change
    /// that was acknowledged before the beginning is missing. The file appears at `path` once it is whole and on the disk, with mode 0600.
    /// The audit log has the beginning (`intended`) and the end (`done` or `not_done`). The checklist then knows of the backup.
    ///
    /// # Errors
    /// [`Error::Exists`] if there is a file at `path`; [`Error::Denied`] for a token and for an operator of another namespace;
    /// [`Error::Unavailable`] if the store, the log or the file cannot be used, or changes faster than it can be read.
    pub async fn write(self, path: &Path, request: BackupRequest<'_>) -> Result<BackupInfo> {
        let principal = self.session.operator_of_home(Action::VaultBackup).await?;
        let mut attempt = self.session.attempt(Action::VaultBackup);
        self.session.authenticate(&mut attempt).await?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        attempt.facts.target = Some((ITEM, name));
        let recorder = &self.session.inner.recorder;
        let (partial, file) = recorder.refusing(&attempt, Partial::create(path)).await?;
        recorder.record(attempt.phase(Phase::Intended)).await?;
        let written = self.write_file(partial, file, &request, &principal, &attempt).await;
        match written {
            Ok(info) => {
                attempt.facts.count = info.records;
                attempt.facts.because = Some(format!("sha256 {}", info.sha256));
                recorder.record(attempt.phase(Phase::Done)).await?;
                if let Err(error) = self.attest(&principal, &info).await {
                    tracing::warn!(%error, "the backup is whole, and the checklist does not know of it");
                }
                Ok(info)
            }
            Err(error) => {
                let ended = attempt.ended(outcome_of(&error), error.code().as_str());
                recorder.record(ended.phase(Phase::NotDone)).await?;
                Err(error)
            }
        }
    }

    async fn write_file(
        self,
        partial: Partial,
        mut file: File,
        request: &BackupRequest<'_>,
        principal: &Principal,
        attempt: &Attempt<'_>,
    ) -> Result<BackupInfo> {
        for _ in 0..TRIES {
            if let Some(info) = self.write_once(&file, request, principal, attempt).await? {
                partial.put(&file)?;
                return Ok(info);
            }
            file.set_len(0)
                .and_then(|()| file.rewind())
                .map_err(|error| failed(&error))?;
        }
        let why = "the change feed does not keep as many changes as were made during the backup";
        Err(Error::unavailable(Part::Store, why))
    }

    /// Writes the backup; `None` if it must begin again.
    async fn write_once(
        self,
        file: &File,
        request: &BackupRequest<'_>,
        principal: &Principal,
        attempt: &Attempt<'_>,
    ) -> Result<Option<BackupInfo>> {
        let inner = &self.session.inner;
        let created = inner.records.now();
        let mut frames = FrameWriter::begin(BufWriter::with_capacity(BUFFER, file))?;
        let head = Head {
            vault: inner.records.vault.to_string(),
            created,
        };
        frames.frame(HEAD, &[&json(&head)?])?;
        for (name, bytes) in &request.files {
            let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
            frames.frame(FILE, &[&[length], name.as_bytes(), bytes.expose_secret()])?;
        }
        // Before the records: a floor must not be above the record of the same backup.
        let floors = self.write_floors(&mut frames).await?;
        inner.logs.keep_checkpoint(&mut None).await;
        let mut sweep = Sweep::begin(inner.records.store.as_ref()).await?;
        let mut to = ToFrames {
            frames,
            records: 0,
            expected: floors.records,
            progress: request.progress,
        };
        let End::Whole { is_exact } = sweep.run(&mut to).await? else {
            return Ok(None);
        };
        let kept = inner.logs.checkpoints().await.all().await?.whole;
        let (mut frames, records) = (to.frames, to.records);
        let info = BackupInfo {
            vault: head.vault,
            realm: inner.records.home.name.to_string(),
            created,
            completed: inner.records.now(),
            by: principal.by(),
            records,
            frames: frames.frames,
            bytes: frames.bytes,
            sha256: HEXLOWER.encode(&frames.digest()),
            change_from: sweep.from,
            change_upto: sweep.upto(),
            is_exact,
            floors,
            logs: kept
                .into_iter()
                .map(|(log, kept)| BackupLog {
                    log,
                    checkpoint: kept.note,
                })
                .collect(),
            files: request.files.iter().map(|(name, _)| (*name).to_owned()).collect(),
            unreadable: sweep.unreadable.iter().map(ToString::to_string).collect(),
        };
        tracing::debug!(at = %attempt.at, records, is_exact, "read every record");
        let manifest = json(&info)?;
        frames.frame(MANIFEST, &[&manifest])?;
        frames.frame(END, &[&mac(&inner.records.home, &manifest)])?;
        frames.into_inner().flush().map_err(|error| failed(&error))?;
        Ok(Some(info))
    }

    async fn write_floors(self, frames: &mut FrameWriter<BufWriter<&File>>) -> Result<BackupFloors> {
        let floors = &self.session.inner.records.floors;
        floors.flush(None).await?;
        let generation = floors.status().await?.generation;
        let mut out = BufWriter::with_capacity(BUFFER, FloorsOut(frames));
        let records = floors.export(&mut out).await?;
        out.flush().map_err(|error| failed(&error))?;
        Ok(BackupFloors { generation, records })
    }

    /// Notes the backup for the checklist.
    async fn attest(self, principal: &Principal, info: &BackupInfo) -> Result<()> {
        let mut attempt = self.session.attempt(Action::ChecklistAttest);
        self.session.authenticate(&mut attempt).await?;
        attempt.facts.because = Some(ITEM.to_owned());
        let inner = &self.session.inner;
        let whole = inner.records.whole_realm(principal.namespace()).await?;
        let attested = Attestation {
            at: info.completed,
            by: principal.by(),
            note: None,
            backup: Some(info.sha256.clone()),
        };
        let edit = |_: &mut Attempt<'_>, record: Option<AttestationRecord>| {
            let mut record = record.unwrap_or_default();
            record.items.insert(ITEM.to_owned(), attested.clone());
            Ok(Edit::Gives(record, ()))
        };
        let change = inner
            .changes
            .change(&mut attempt, principal, &whole, ATTESTATIONS_ID, edit);
        change.await
    }
}

/// Puts the records of a sweep into a backup.
struct ToFrames<'a, W> {
    frames: FrameWriter<W>,
    records: u64,
    expected: u64,
    progress: Option<&'a (dyn Fn(u64, u64) + Send + Sync)>,
}

#[async_trait]
impl<W: Write + Send> Take for ToFrames<'_, W> {
    async fn take(&mut self, records: &[Swept]) -> Result<()> {
        for (id, stored) in records {
            self.frames.record(id, stored.as_ref())?;
        }
        self.records += u64::try_from(records.len()).unwrap_or(u64::MAX);
        if let Some(progress) = self.progress {
            progress(self.records, self.expected.max(self.records));
        }
        Ok(())
    }
}

fn json(thing: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(thing).map_err(|_| Error::integrity("the manifest of a backup"))
}
