//! Handing floors to another node: a text file with a MAC under the vault.
//!
//! ```text
//! ibyok-floors v1
//! vault 5I9L8vM4tzPvUVcixURNwK
//! realm default/whole
//! 3.aB3dE5gH.00112233445566778899aabbccddeeff 12
//! …
//! mac <64 hex digits>
//! ```

use std::io::{BufRead, Read, Write};

use data_encoding::HEXLOWER;
use ibyok_audit::Action;
use ibyok_storage::{MapChange, MapDurability, RecordId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::{Floors, key, raise, unavailable};
use crate::error::{Error, Part, Result};
use crate::session::Session;

/// The first line, with the newest format that this program knows.
const FORMAT: &str = "ibyok-floors v1";

/// Separates this MAC from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok floors export v1";

/// The longest line that is read.
const LINE_MAX: u64 = 256;

/// How many floors are raised in one transaction.
const BATCH: usize = 1000;

impl Session {
    /// Writes every floor of this node as a text with a MAC, for [`Session::import_floors`] on another. Returns how many.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token, [`Error::Unavailable`] if the floors cannot be read or the text cannot be written.
    pub async fn export_floors(&self, out: &mut (dyn Write + Send)) -> Result<u64> {
        self.operator_of_home(Action::LogFloorsExported).await?;
        let mut attempt = self.attempt(Action::LogFloorsExported);
        let outcome = async {
            self.inner.authenticate(&mut attempt, &self.asking).await?;
            self.inner.floors.flush(None).await?;
            let count = self.inner.floors.export(out).await?;
            attempt.count = count;
            Ok(count)
        }
        .await;
        self.inner.answering(&attempt, outcome).await
    }

    /// Raises floors by those of another node of this vault, as [`Session::export_floors`] wrote them. Nothing is lowered, and
    /// nothing is taken over unless the whole text is as it was written. Returns how many floors the text has.
    ///
    /// # Errors
    /// [`Error::Denied`] for a token; [`Error::Invalid`] for a text that was cut, changed, made by another vault, or has a newer
    /// format; [`Error::Unavailable`] if the floors cannot be written.
    pub async fn import_floors(&self, text: &mut (dyn BufRead + Send)) -> Result<u64> {
        self.operator_of_home(Action::LogFloorsImported).await?;
        let mut attempt = self.attempt(Action::LogFloorsImported);
        let outcome = async {
            self.inner.authenticate(&mut attempt, &self.asking).await?;
            let floors = self.inner.floors.read_export(text)?;
            attempt.count = u64::try_from(floors.len()).unwrap_or(u64::MAX);
            self.inner.floors.import(&floors).await?;
            // Records that are below their new floors must not be served from memory.
            self.inner.cache.clear();
            Ok(attempt.count)
        }
        .await;
        self.inner.answering(&attempt, outcome).await
    }
}

impl Floors {
    pub(super) async fn export(&self, out: &mut (dyn Write + Send)) -> Result<u64> {
        let mut hash = Sha256::new();
        let mut write = |line: String| {
            hash.update(&line);
            out.write_all(line.as_bytes()).map_err(failed)
        };
        write(self.head())?;
        let (mut count, mut after) = (0, None::<Vec<u8>>);
        loop {
            let page = self.map().numbers(after.as_deref()).await.map_err(unavailable)?;
            let Some((last, _)) = page.last() else { break };
            after = Some(last.clone());
            for (record, rev) in page.iter().filter_map(|(name, rev)| Some((key::record_of(name)?, rev))) {
                write(format!("{record} {rev}\n"))?;
                count += 1;
            }
        }
        let mac = self.mac(&hash.finalize());
        out.write_all(format!("mac {mac}\n").as_bytes())
            .and_then(|()| out.flush())
            .map_err(failed)?;
        Ok(count)
    }

    pub(super) async fn import(&self, floors: &[(RecordId, u64)]) -> Result<()> {
        for batch in floors.chunks(BATCH) {
            let changes: Vec<MapChange> = batch.iter().map(|(record, rev)| raise(record, *rev)).collect();
            self.apply(changes, MapDurability::Kernel).await?;
        }
        // With the floors of a node that has a history, this one has one.
        self.forget_no_history().await
    }

    /// Reads a whole export and checks it.
    pub(super) fn read_export(&self, text: &mut (dyn BufRead + Send)) -> Result<Vec<(RecordId, u64)>> {
        let mut hash = Sha256::new();
        let mut floors = Vec::new();
        for expected in self.head().lines() {
            let line = next_line(text)?.ok_or_else(cut)?;
            check_head(&line, expected)?;
            hash.update(&line);
            hash.update(b"\n");
        }
        loop {
            let line = next_line(text)?.ok_or_else(cut)?;
            if let Some(mac) = line.strip_prefix("mac ") {
                let ours = self.mac(&hash.finalize());
                let whole = bool::from(ours.as_bytes().ct_eq(mac.as_bytes())) && next_line(text)?.is_none();
                return if whole { Ok(floors) } else { Err(changed()) };
            }
            hash.update(&line);
            hash.update(b"\n");
            let floor = line.split_once(' ').and_then(|(record, rev)| {
                // One spelling only, as it was written.
                let rev: u64 = rev.parse().ok().filter(|number: &u64| number.to_string() == rev)?;
                Some((record.parse().ok()?, rev))
            });
            floors.push(floor.ok_or_else(changed)?);
        }
    }

    fn head(&self) -> String {
        let key = &self.setup.key;
        format!("{FORMAT}\nvault {}\nrealm {}\n", key.vault, key.home.name)
    }

    fn mac(&self, digest: &[u8]) -> String {
        HEXLOWER.encode(&self.setup.key.home.keys.keyed_hash(LABEL, digest))
    }
}

/// Compares a line of the head with the one of this vault.
fn check_head(line: &str, expected: &str) -> Result<()> {
    if line == expected {
        return Ok(());
    }
    let word = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
    if word(line) != word(expected) {
        return Err(Error::invalid(
            "the file is no export of floors",
            "give a file that `ibyok audit floors export` wrote",
        ));
    }
    Err(match word(expected).as_str() {
        "vault" | "realm" => Error::invalid(
            format!("the floors are those of another {}", word(expected)),
            "give the floors of a node of this vault",
        ),
        _ => Error::invalid(
            "the export of floors has a format that this program does not know",
            "use a newer version of IBYOK",
        ),
    })
}

fn next_line(text: &mut (dyn BufRead + Send)) -> Result<Option<String>> {
    let mut line = Vec::new();
    let read = text.take(LINE_MAX).read_until(b'\n', &mut line).map_err(|error| {
        Error::invalid(
            format!("the export of floors cannot be read: {error}"),
            "give another file",
        )
    })?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(cut());
    }
    String::from_utf8(line).map(Some).map_err(|_| changed())
}

fn cut() -> Error {
    Error::invalid("the export of floors was cut", "export the floors again")
}

fn changed() -> Error {
    Error::invalid(
        "the export of floors is not as it was written",
        "export the floors again, and bring the file over unchanged",
    )
}

fn failed(error: std::io::Error) -> Error {
    Error::unavailable(
        Part::AuditLog,
        format!("the export of floors cannot be written: {error}"),
    )
}
