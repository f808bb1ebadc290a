//! Proof for an outsider that a line is on a log: RFC 6962's audit path up to a signed checkpoint.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};

use crate::checkpoint::Checkpoint;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::read::Entry;
use crate::read::trust::Vouched;
use crate::tree::{Frontier, Hash, leaf};
use crate::verify::files;
use crate::verify::parts::{Parts, Provable};

/// The proof that a line is on a log.
#[derive(Debug, Clone)]
pub struct Proof {
    seq: u64,
    line: Vec<u8>,
    path: Vec<Hash>,
    checkpoint: Checkpoint,
}

impl Proof {
    /// The number of the line.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The id of the log.
    #[must_use]
    pub fn log(&self) -> &str {
        self.checkpoint.log()
    }

    /// The line itself, without its newline.
    #[must_use]
    pub fn line(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }

    /// Returns the checkpoint that covers the line.
    #[must_use]
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The proof as C2SP's [`tlog-proof`] has it, with the line itself as the extra data.
    ///
    /// [`tlog-proof`]: https://c2sp.org/tlog-proof
    #[must_use]
    pub fn text(&self) -> String {
        let index = self.seq.saturating_sub(1);
        let line = BASE64_STANDARD.encode(&self.line);
        let mut text = format!("c2sp.org/tlog-proof@v1\nextra {line}\nindex {index}\n");
        for hash in &self.path {
            text.push_str(&BASE64_STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(self.checkpoint.text());
        text
    }
}

/// Proves that the line with this number is on a log of a place, under the first checkpoint that covers it.
///
/// `log` may be `None` where only one log of the place has such a line. `keys` and `known` are as for [`verify`](crate::verify()):
/// a checkpoint counts if one of the keys signed it, or the key next to the log if none of them belongs to this log. Reads the log up to
/// that checkpoint once, in bounded memory.
///
/// # Errors
/// [`Error::NoLine`] if there is no such line, [`Error::NotCovered`] if no checkpoint speaks of it yet, [`Error::SeveralLogs`],
/// [`Error::DoesNotHold`] if the log is not as it was signed.
pub fn prove(
    place: &Path,
    log: Option<&str>,
    seq: u64,
    keys: &[VerifyingKey],
    known: &[(String, String)],
) -> Result<Proof, Error> {
    prove_with(place, &[], log, seq, keys, known)
}

/// The same for a log whose older lines are in archives.
///
/// # Errors
/// As [`prove`], and [`Error::Elsewhere`] if the line is in an archive that was not given.
pub fn prove_with(
    place: &Path,
    archives: &[PathBuf],
    log: Option<&str>,
    seq: u64,
    keys: &[VerifyingKey],
    known: &[(String, String)],
) -> Result<Proof, Error> {
    let (log, directory, key) = find(place, archives, log, seq, keys)?;
    let beside = files::text(&directory.join("log.pub"))?.and_then(|text| text.trim_end().parse().ok());
    let key: VerifyingKey = match key.or_else(|| keys.iter().find(|key| key.log() == Some(&log)).cloned()) {
        Some(key) => key,
        None => beside.ok_or_else(|| Error::NotCovered { log: log.clone(), seq })?,
    };
    let parts = Parts::for_proof(&directory, &key, &slots_of(archives)?)?;
    if seq <= parts.before {
        let lines = parts.before;
        return Err(Error::Elsewhere { log, lines });
    }
    let mut text = String::new();
    for directory in &parts.directories {
        text.push_str(&files::text(&directory.join("checkpoints"))?.unwrap_or_default());
        text.push('\n');
    }
    let known = known.iter().filter(|(of, _)| *of == log).map(|(_, note)| note.as_str());
    let notes = std::iter::once(text.as_str()).chain(known).flat_map(notes);
    let checkpoint = notes
        .filter_map(|note| Checkpoint::open(&note, &key))
        .filter(|checkpoint| checkpoint.size() >= seq)
        .min_by_key(Checkpoint::size)
        .ok_or_else(|| Error::NotCovered { log: log.clone(), seq })?;
    let proof = walk(parts, seq, checkpoint)?;
    // A line that no reader believes is not proved either.
    let entry: Option<Entry> = serde_json::from_slice(&proof.line).ok();
    match entry.is_none_or(|entry| key.is_believed_about(&entry)) {
        true => Ok(proof),
        false => Err(Error::NoLine { log: Some(log), seq }),
    }
}

/// The chosen log, its directory, and the key that vouches for it.
type Found = (String, PathBuf, Option<VerifyingKey>);

fn find(
    place: &Path,
    archives: &[PathBuf],
    log: Option<&str>,
    seq: u64,
    keys: &[VerifyingKey],
) -> Result<Found, Error> {
    let vouched = crate::read::trust::vouched(place, keys)?;
    // A log for which none of the keys vouches is proved only if it is named.
    let foreign = |id: &str| !keys.is_empty() && !vouched.iter().any(|one| one.key.log() == Some(id)) && log.is_none();
    let mut found = Vec::new();
    for (slot, directory) in files::slots(place)? {
        let Some(id) = files::log_id(&directory)? else { continue };
        let is_same = |one: &&Vouched| one.key.log() == Some(id.as_str());
        let mut same = vouched.iter().filter(is_same).peekable();
        let is_copy = same.peek().is_some() && same.all(|one| one.slot != slot);
        if foreign(&id) || is_copy {
            continue;
        }
        if log.is_some_and(|log| log != id) || (log.is_none() && !has(&directory, archives, &id, seq)?) {
            continue;
        }
        let key = vouched.iter().find(|one| one.slot == slot).map(|one| one.key.clone());
        found.push((id, directory, key));
    }
    let mut found = found.into_iter();
    match (found.next(), found.next()) {
        (Some(one), None) => Ok(one),
        (Some(_), Some(_)) => Err(Error::SeveralLogs { seq }),
        (None, _) => Err(Error::NoLine {
            log: log.map(str::to_owned),
            seq,
        }),
    }
}

/// The slots of archives.
fn slots_of(archives: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut all = Vec::new();
    for archive in archives {
        all.extend(files::slots(archive)?.into_iter().map(|(_, directory)| directory));
    }
    Ok(all)
}

/// Returns true if a log has a line of this number, here or in an archive.
fn has(directory: &Path, archives: &[PathBuf], id: &str, seq: u64) -> Result<bool, Error> {
    for slot in slots_of(archives)? {
        if files::log_id(&slot)?.as_deref() == Some(id) && has_here(&slot, seq)? {
            return Ok(true);
        }
    }
    has_here(directory, seq)
}

fn has_here(directory: &Path, seq: u64) -> Result<bool, Error> {
    let filter = crate::read::Filter {
        from_seq: Some(seq),
        ..crate::read::Filter::default()
    };
    crate::read::has_line(directory.to_owned(), &filter, seq)
}

/// The notes in a text: three lines, an empty one, a signature.
fn notes(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let five = lines.windows(5).filter_map(|window| match window {
        [origin, size, root, "", signature] if signature.starts_with('\u{2014}') => {
            Some(format!("{origin}\n{size}\n{root}\n\n{signature}\n"))
        }
        _ => None,
    });
    five.collect()
}

/// The stretches of lines whose trees make up the audit path of leaf `index` among `size`, the nearest first:
/// `PATH(m, D[n])` of RFC 6962 section 2.1.1.
fn stretches(index: u64, size: u64) -> Vec<(u64, u64)> {
    let (mut from, mut until) = (0, size);
    let mut found = Vec::new();
    while until - from > 1 {
        let width = until - from;
        let split = from + (1 << (u64::BITS - 1 - (width - 1).leading_zeros()));
        if index < split {
            found.push((split, until));
            until = split;
        } else {
            found.push((from, split));
            from = split;
        }
    }
    found.reverse();
    found
}

/// The tree over the lines of a stretch that are archived, out of the full subtrees over all `before` of them.
///
/// A left sibling on the path of a later line is one of these subtrees, or ends with several of them.
fn begun((from, until): (u64, u64), before: u64, tree: &[Hash]) -> Option<Frontier> {
    let (mut at, mut nodes) = (0, Vec::new());
    let widths = (0..u64::BITS).rev().map(|height| before & (1 << height));
    for (width, node) in widths.filter(|width| *width > 0).zip(tree) {
        if (from..until).contains(&at) {
            nodes.push(*node);
        }
        at += width;
    }
    Frontier::from_parts(until.min(before).saturating_sub(from), nodes)
}

/// Reads the log up to the checkpoint and gathers the path.
fn walk(parts: Provable, seq: u64, checkpoint: Checkpoint) -> Result<Proof, Error> {
    let index = seq.checked_sub(1).ok_or(Error::NoLine { log: None, seq })?;
    let stretches = stretches(index, checkpoint.size());
    let begun = stretches
        .iter()
        .map(|stretch| begun(*stretch, parts.before, &parts.tree));
    let mut trees: Vec<Frontier> = begun
        .collect::<Option<_>>()
        .ok_or_else(|| does_not_hold("the statement about its archived lines is damaged"))?;
    let mut lines = files::Lines::of(parts.segments);
    let mut line = None;
    for at in parts.before..checkpoint.size() {
        let item = lines.next()?.filter(|item| item.whole);
        let item = item.ok_or_else(|| does_not_hold("the log ends before its checkpoint"))?;
        let mut of = stretches.iter().zip(&mut trees);
        if at == index {
            line = Some(item.text);
        } else if let Some((_, tree)) = of.find(|((from, until), _)| (*from..*until).contains(&at)) {
            tree.push(leaf(&item.text));
        }
    }
    let proof = Proof {
        seq,
        line: line.ok_or_else(|| does_not_hold("the line is missing"))?,
        path: trees.iter().map(Frontier::root).collect(),
        checkpoint,
    };
    let root = crate::verify::root_of(leaf(&proof.line), index, proof.checkpoint.size(), &proof.path);
    if root.as_ref() != Some(proof.checkpoint.root()) {
        return Err(does_not_hold(
            "the log differs from its checkpoint; `ibyok audit verify` names the place",
        ));
    }
    Ok(proof)
}

fn does_not_hold(why: &'static str) -> Error {
    Error::DoesNotHold { why }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::node;

    /// The definition, word for word.
    fn root(lines: &[Vec<u8>]) -> Hash {
        match lines {
            [one] => leaf(one),
            many => {
                let k = many.len().next_power_of_two() / 2;
                node(&root(&many[..k]), &root(&many[k..]))
            }
        }
    }

    #[test]
    fn every_leaf_of_every_tree_is_proved_and_no_other() {
        let lines: Vec<Vec<u8>> = (0..70u32).map(|n| n.to_be_bytes().to_vec()).collect();
        for size in 1..lines.len() {
            for index in 0..size {
                let parts = stretches(index as u64, size as u64);
                let path: Vec<Hash> = parts
                    .iter()
                    .map(|(from, until)| root(&lines[*from as usize..*until as usize]))
                    .collect();
                let get = |leaf, index: usize| crate::verify::root_of(leaf, index as u64, size as u64, &path);
                assert_eq!(
                    get(leaf(&lines[index]), index),
                    Some(root(&lines[..size])),
                    "{index} of {size}"
                );
                assert_ne!(get(leaf(b"another"), index), Some(root(&lines[..size])));
                let other = (index + 1) % size;
                if other != index {
                    assert_ne!(
                        get(leaf(&lines[index]), other),
                        Some(root(&lines[..size])),
                        "{index} of {size}"
                    );
                }
            }
        }
    }
}
