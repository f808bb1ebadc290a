//! The checkpoints next to a log.

use std::io;
use std::path::Path;

use super::files::Beside;
use crate::checkpoint::Checkpoint;
use crate::error::Error;

/// The number of checkpoints that are kept before the older half is thinned out.
const NOTES: usize = 4096;

/// The file of checkpoints.
const FILE: &str = "checkpoints";

/// Adds checkpoints to those next to the log, each followed by an empty line, and syncs. Beyond 4,096 every second one of
/// the older half is left out, so that the file stays small and still separates early lines from late ones.
pub(crate) fn append_notes(beside: &Beside, notes: &[Checkpoint], kept: &mut usize) -> Result<(), Error> {
    if *kept + notes.len() > NOTES {
        *kept = thin_out(beside)?;
    }
    let text: String = notes.iter().map(|note| format!("{}\n", note.text())).collect();
    beside.append(FILE, text.as_bytes())?;
    *kept += notes.len();
    Ok(())
}

/// Repairs the file of checkpoints: a checkpoint that a crash cut short is dropped. Returns the number of checkpoints.
pub(crate) fn take_up_notes(beside: &Beside) -> Result<usize, Error> {
    let text = notes_text(beside.directory())?;
    let notes = split_notes(&text);
    let whole: String = notes.iter().map(|note| format!("{note}\n")).collect();
    if whole != text {
        beside.replace(FILE, whole.as_bytes())?;
    }
    Ok(notes.len())
}

fn thin_out(beside: &Beside) -> Result<usize, Error> {
    let text = notes_text(beside.directory())?;
    let notes = split_notes(&text);
    let half = notes.len() / 2;
    let kept: Vec<&str> = notes
        .iter()
        .enumerate()
        // The newer half stays whole, since the newest checkpoints narrow down a change best.
        .filter(|(n, _)| *n >= half || n % 2 == 1)
        .map(|(_, n)| *n)
        .collect();
    let text: String = kept.iter().map(|note| format!("{note}\n")).collect();
    beside.replace(FILE, text.as_bytes())?;
    Ok(kept.len())
}

/// The checkpoints next to a log, signed or not.
pub(crate) fn notes(directory: &Path) -> Result<Vec<String>, Error> {
    let text = notes_text(directory)?;
    Ok(split_notes(&text).into_iter().map(str::to_owned).collect())
}

/// The largest size that a checkpoint next to the log states, signed or not.
pub(crate) fn largest_size(directory: &Path) -> Result<u64, Error> {
    let text = notes_text(directory)?;
    let notes = split_notes(&text);
    let size = |note: &&str| note.lines().nth(1).and_then(|line| line.parse().ok());
    Ok(notes.iter().filter_map(size).max().unwrap_or(0))
}

fn notes_text(directory: &Path) -> Result<String, Error> {
    let path = directory.join(FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Splits the notes of a text. A note is a text, an empty line, and signature lines; an empty line follows each note.
fn split_notes(text: &str) -> Vec<&str> {
    let mut notes = Vec::new();
    let mut rest = text;
    while let Some((body, after)) = rest.split_once("\n\n") {
        let Some((signatures, next)) = after.split_once("\n\n") else {
            break;
        };
        let length = body.len() + 2 + signatures.len() + 1;
        notes.extend(rest.get(..length));
        rest = next;
    }
    notes
}
