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
use ibyok_storage::{MapChange, MapDurability, RecordId};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::entry::{raise, unavailable};
use super::file::Floors;
use super::key;
use crate::base::error::{Error, Part, Result};
use crate::base::remedy::Remedy;

/// The first line, with the newest format that this program knows.
const FORMAT: &str = "ibyok-floors v1";

/// Separates this MAC from every other use of the realm's keyed hash.
const LABEL: &str = "ibyok floors export v1";

/// The longest line that is read.
const LINE_MAX: u64 = 256;

/// The number of floors that are raised in one transaction.
const BATCH: usize = 1000;

impl Floors {
    pub(crate) async fn export(&self, out: &mut (dyn Write + Send)) -> Result<u64> {
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
        // The MAC is over a hash of the lines, so that neither side holds the whole file in memory.
        let mac = self.mac(&hash.finalize());
        out.write_all(format!("mac {mac}\n").as_bytes())
            .and_then(|()| out.flush())
            .map_err(failed)?;
        Ok(count)
    }

    pub(crate) async fn import(&self, floors: &[(RecordId, u64)]) -> Result<()> {
        for batch in floors.chunks(BATCH) {
            let changes: Vec<MapChange> = batch.iter().map(|(record, rev)| raise(record, *rev)).collect();
            self.apply(changes, MapDurability::Kernel).await?;
        }
        // With the floors of a node that has a history, this one has one.
        self.forget_no_history().await
    }

    /// Reads a whole export and checks it.
    pub(crate) fn read_export(&self, text: &mut (dyn BufRead + Send)) -> Result<Vec<(RecordId, u64)>> {
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
                // Text after the MAC is outside it, so it makes the file invalid.
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
            "the file is not an export of floors",
            Remedy::GiveFloorsExport,
        ));
    }
    Err(match word(expected).as_str() {
        "vault" | "realm" => Error::invalid(
            format!("the export has the floors of another {}", word(expected)),
            "give an export from a node of this vault",
        ),
        _ => Error::invalid(
            "the export of floors has an unknown format",
            "use a newer version of IBYOK",
        ),
    })
}

fn next_line(text: &mut (dyn BufRead + Send)) -> Result<Option<String>> {
    let mut line = Vec::new();
    // Bounded before the MAC is checked: until then the file can be anybody's.
    let read = text.take(LINE_MAX).read_until(b'\n', &mut line).map_err(|error| {
        Error::invalid(
            format!("cannot read the export of floors: {error}"),
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
    Error::invalid("the export of floors is incomplete", "export the floors again")
}

fn changed() -> Error {
    Error::invalid(
        "the export of floors was changed after it was written",
        "export the floors again, and copy the file unchanged",
    )
}

fn failed(error: std::io::Error) -> Error {
    Error::unavailable(Part::AuditLog, format!("cannot write the export of floors: {error}"))
}
