//! The bytes of a backup: a first line, then frames of a kind, a length and a payload (`docs/backup-format.md`).

use std::io::{self, BufRead, Read, Write};

use ibyok_crypto::Secret;
use ibyok_storage::{Collection, Kind, MAX_RECORD, RecordId, Stored};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::base::error::{Error, Part, Result};

/// The first line, without its version.
const MAGIC: &str = "ibyok-backup v";

/// The version that this program writes, and the newest that it knows.
const VERSION: u32 = 1;

/// The kinds of frames.
pub(crate) const HEAD: u8 = b'H';
pub(crate) const RECORD: u8 = b'R';
pub(crate) const GONE: u8 = b'G';
pub(crate) const FILE: u8 = b'S';
pub(crate) const FLOORS: u8 = b'F';
pub(crate) const MANIFEST: u8 = b'M';
pub(crate) const END: u8 = b'E';

/// The bytes of a record's id: kind, realm, id.
const ID: usize = 25;

/// The largest payload of a frame that is no record.
const SMALL: usize = 1 << 20;

/// The longest first line.
const LINE_MAX: u64 = 64;

/// A backup that is being written.
pub(crate) struct FrameWriter<W> {
    out: W,
    hash: Sha256,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(crate) fn begin(out: W) -> Result<Self> {
        let mut writer = FrameWriter {
            out,
            hash: Sha256::new(),
            bytes: 0,
            frames: 0,
        };
        writer.write(format!("{MAGIC}{VERSION}\n").as_bytes())?;
        Ok(writer)
    }

    /// Writes a frame whose payload is these parts.
    pub(crate) fn frame(&mut self, kind: u8, parts: &[&[u8]]) -> Result<()> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).map_err(|_| failed(&io::Error::other("a frame is too large")))?;
        self.write(&[kind])?;
        self.write(&length.to_be_bytes())?;
        for part in parts {
            self.write(part)?;
        }
        self.frames += 1;
        Ok(())
    }

    pub(crate) fn record(&mut self, id: &RecordId, stored: Option<&Stored>) -> Result<()> {
        let name = name_of(id);
        match stored {
            Some(stored) => {
                let revision = stored.revision.as_u64().to_be_bytes();
                self.frame(RECORD, &[&name, &revision, &stored.bytes])
            }
            None => self.frame(GONE, &[&name]),
        }
    }

    /// The digest of everything that was written so far.
    pub(crate) fn digest(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    pub(crate) fn into_inner(self) -> W {
        self.out
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| failed(&error))?;
        self.hash.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(())
    }
}

/// The frames of the floors: their text goes through here in pieces.
pub(crate) struct FloorsOut<'w, W>(pub(crate) &'w mut FrameWriter<W>);

impl<W: Write> Write for FloorsOut<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let piece = bytes.get(..SMALL).unwrap_or(bytes);
        self.0
            .frame(FLOORS, &[piece])
            .map_err(|error| io::Error::other(error.to_string()))?;
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame as it is read.
pub(crate) enum Frame {
    Head(Vec<u8>),
    Record(RecordId, u64, Vec<u8>),
    Gone(RecordId),
    File(String, Secret),
    Floors(Vec<u8>),
    /// The manifest, and the digest of everything before it.
    Manifest(Vec<u8>, [u8; 32]),
    End([u8; 32]),
}

/// A backup that is being read.
pub(crate) struct FrameReader<R> {
    input: R,
    hash: Sha256,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
}

impl<R: BufRead> FrameReader<R> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that is no backup, or one of a newer version.
    pub(crate) fn begin(mut input: R) -> Result<Self> {
        let mut line = Vec::new();
        let read = input.by_ref().take(LINE_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| unread(&error))?;
        let text = std::str::from_utf8(&line).ok().and_then(|text| text.strip_suffix('\n'));
        let version = text.and_then(|text| text.strip_prefix(MAGIC)?.parse::<u32>().ok());
        match version {
            Some(VERSION) => {}
            Some(version) if version > VERSION => return Err(newer(version)),
            _ => return Err(no_backup()),
        }
        let mut hash = Sha256::new();
        hash.update(&line);
        Ok(FrameReader {
            input,
            hash,
            bytes: u64::try_from(line.len()).unwrap_or(u64::MAX),
            frames: 0,
        })
    }

    /// Reads the next frame. The last one is [`Frame::End`].
    pub(crate) fn next(&mut self) -> Result<Frame> {
        let mut head = [0; 5];
        self.fill(&mut head)?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        let most = if kind == RECORD {
            MAX_RECORD + ID + 8
        } else {
            SMALL.max(MAX_RECORD)
        };
        if length > most {
            return Err(damaged("a frame is too long"));
        }
        // A file with a secret is wiped; no other payload is one.
        let mut payload = Zeroizing::new(vec![0; length]);
        self.fill(&mut payload)?;
        let before = (kind == MANIFEST).then(|| self.hash.clone().finalize().into());
        self.hash.update(head);
        self.hash.update(payload.as_slice());
        self.bytes += u64::try_from(length).unwrap_or(u64::MAX).saturating_add(5);
        self.frames += 1;
        parse(kind, payload, before)
    }

    /// Fails if there is anything after the end.
    pub(crate) fn ends(&mut self) -> Result<()> {
        match self.input.fill_buf().map_err(|error| unread(&error))? {
            [] => Ok(()),
            _ => Err(damaged("there are bytes after its end")),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.input.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => truncated(),
            _ => unread(&error),
        })
    }
}

fn parse(kind: u8, payload: Zeroizing<Vec<u8>>, before: Option<[u8; 32]>) -> Result<Frame> {
    let plain = || payload.to_vec();
    match (kind, before) {
        (HEAD, _) => Ok(Frame::Head(plain())),
        (FLOORS, _) => Ok(Frame::Floors(plain())),
        (MANIFEST, Some(before)) => Ok(Frame::Manifest(plain(), before)),
        (END, _) => <[u8; 32]>::try_from(payload.as_slice())
            .map(Frame::End)
            .map_err(|_| damaged("its end is not of the right length")),
        (GONE, _) => id_of(&payload)
            .map(Frame::Gone)
            .ok_or_else(|| damaged("the id of a record does not parse")),
        (RECORD, _) => record(&payload).ok_or_else(|| damaged("a record does not parse")),
        (FILE, _) => file(&payload).ok_or_else(|| damaged("a file does not parse")),
        _ => Err(damaged("it has a frame of an unknown kind")),
    }
}

fn record(payload: &[u8]) -> Option<Frame> {
    let (id, rest) = payload.split_at_checked(ID)?;
    let (revision, bytes) = rest.split_first_chunk::<8>()?;
    Some(Frame::Record(id_of(id)?, u64::from_be_bytes(*revision), bytes.to_vec()))
}

fn file(payload: &[u8]) -> Option<Frame> {
    let (length, rest) = payload.split_first()?;
    let (name, bytes) = rest.split_at_checked(usize::from(*length))?;
    Some(Frame::File(
        std::str::from_utf8(name).ok()?.to_owned(),
        Secret::copy_of(bytes),
    ))
}

fn name_of(id: &RecordId) -> [u8; ID] {
    let mut name = [0; ID];
    let collection = id.collection();
    let parts = [collection.kind().as_u8()]
        .into_iter()
        .chain(*collection.realm())
        .chain(*id.id());
    for (to, from) in name.iter_mut().zip(parts) {
        *to = from;
    }
    name
}

fn id_of(name: &[u8]) -> Option<RecordId> {
    let (kind, rest) = name.split_first()?;
    let (realm, id) = rest.split_first_chunk::<8>()?;
    let root = Collection::root(Kind::new(*kind));
    let collection = if realm == root.realm() {
        root
    } else {
        Collection::new(Kind::new(*kind), *realm).ok()?
    };
    Some(RecordId::new(collection, id.try_into().ok()?))
}

/// The error of a file that cannot be written.
pub(crate) fn failed(error: &io::Error) -> Error {
    Error::unavailable(Part::Backup, format!("cannot write the file: {error}"))
}

/// The error of a file that cannot be read.
pub(crate) fn unread(error: &io::Error) -> Error {
    Error::unavailable(Part::Backup, format!("cannot read the file: {error}"))
}

fn no_backup() -> Error {
    Error::invalid("the file is not a backup of a vault", "give a file that `backup` wrote")
}

fn newer(version: u32) -> Error {
    Error::invalid(
        format!("the backup has format {version}, and this program supports format {VERSION}"),
        "restore it with a newer version of IBYOK",
    )
}

fn truncated() -> Error {
    Error::invalid(
        "the backup is truncated: the file ends before the backup does",
        "copy the file again, or use another backup",
    )
}

pub(crate) fn damaged(why: &str) -> Error {
    Error::invalid(
        format!("the backup is damaged: {why}"),
        "copy the file again, or use another backup",
    )
}

#[cfg(test)]
mod tests {
    use ibyok_storage::Revision;

    use super::*;

    fn written() -> Vec<u8> {
        let mut writer = FrameWriter::begin(Vec::new()).unwrap();
        let id = RecordId::new(Collection::new(Kind::new(3), *b"aB3dE5gH").unwrap(), [7; 16]);
        writer.frame(HEAD, &[b"{}"]).unwrap();
        let stored = Stored::new(b"sealed".to_vec(), Revision::new(9));
        writer.record(&id, Some(&stored)).unwrap();
        writer.record(&id, None).unwrap();
        writer.frame(FILE, &[&[1], b"k", b"bytes"]).unwrap();
        writer.frame(MANIFEST, &[b"{}"]).unwrap();
        writer.frame(END, &[&[5; 32]]).unwrap();
        writer.into_inner()
    }

    fn read(bytes: &[u8]) -> Result<usize> {
        let mut reader = FrameReader::begin(bytes)?;
        let mut count = 0;
        loop {
            count += 1;
            if let Frame::End(_) = reader.next()? {
                reader.ends()?;
                return Ok(count);
            }
        }
    }

    #[test]
    fn frames_read_back() {
        assert_eq!(read(&written()).unwrap(), 6);
    }

    #[test]
    fn a_backup_that_is_cut_anywhere_is_truncated_or_none() {
        let whole = written();
        for length in 0..whole.len() {
            let error = read(&whole[..length]).unwrap_err().to_string();
            let first_line = length < 16;
            assert!(
                error.contains("truncated") || first_line && error.contains("not a backup"),
                "{length}: {error}"
            );
        }
        let longer = [whole.as_slice(), b"x"].concat();
        assert!(read(&longer).unwrap_err().to_string().contains("after its end"));
    }

    #[test]
    fn a_newer_format_and_a_stranger_are_told_apart() {
        let newer = read(b"ibyok-backup v2\n").unwrap_err().to_string();
        assert!(newer.contains("format 2") && newer.contains("format 1"), "{newer}");
        for stranger in [b"".as_slice(), b"SQLite format 3\0", b"ibyok-backup vx\n", &[0xff; 100]] {
            assert!(read(stranger).unwrap_err().to_string().contains("not a backup"));
        }
    }
}
