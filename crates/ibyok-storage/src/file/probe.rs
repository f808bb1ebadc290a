//! Checks that the disk can read a store's files. SQLite reports a read that fails with EIO as damage
//! (`SQLITE_CORRUPT`), and does not say more.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The number of bytes read at once: a page of SQLite's.
const CHUNK: usize = 4096;

/// Larger files are not read through: a request waits for it.
const LARGEST: u64 = 1 << 30;

/// The time for which a file that was read without a failure is not read again.
const PAUSE: Duration = Duration::from_secs(10);

/// The files that were opened here, and when each was last read without a failure. A descriptor is never closed: closing it would
/// end SQLite's locks on the file, which belong to the process.
static OPENED: Mutex<Option<HashMap<PathBuf, Opened>>> = Mutex::new(None);

struct Opened {
    file: File,
    fine: Option<Instant>,
}

/// Reads a store's files from beginning to end, and returns the first failure.
pub(super) fn read_through(path: &Path) -> Option<io::Error> {
    let wal = PathBuf::from(format!("{}-wal", path.display()));
    [path, &wal].into_iter().find_map(|path| read_file(path).err())
}

fn read_file(path: &Path) -> io::Result<()> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let opened = opened.get_or_insert_default();
    if !opened.contains_key(path) {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        opened.insert(path.to_owned(), Opened { file, fine: None });
    }
    let Some(one) = opened.get_mut(path) else { return Ok(()) };
    if one.fine.is_some_and(|fine| fine.elapsed() < PAUSE) {
        return Ok(());
    }
    if one.file.metadata()?.len() <= LARGEST {
        let mut chunk = vec![0; CHUNK];
        let mut at: u64 = 0;
        loop {
            match one.file.read_at(&mut chunk, at) {
                Ok(0) => break,
                Ok(read) => at += u64::try_from(read).unwrap_or(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
    one.fine = Some(Instant::now());
    Ok(())
}
