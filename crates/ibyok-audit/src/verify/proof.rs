//! Checking a proof without the log: C2SP's `tlog-proof`, with the line as its extra data.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::note;
use crate::error::Error;
use crate::key::VerifyingKey;
use crate::read::Line;

/// A proof is no longer than this.
const LONGEST: usize = 256 * 1024;

type Hash = [u8; 32];

/// The facts that a proof proves.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Proven {
    /// The line, and its place in its log.
    pub line: Line,
    /// The number of lines that the log had at the checkpoint.
    pub size: u64,
}

/// Checks that a proof holds: a key that the caller trusts signed the checkpoint, and the line is in its tree. Needs nothing else.
///
/// # Errors
/// [`Error::NotAProof`] for a text that is none, [`Error::DoesNotHold`] for one that proves nothing under these keys.
pub fn verify_proof(text: &str, keys: &[VerifyingKey]) -> Result<Proven, Error> {
    let parts = parse(text)?;
    let origin = parts.checkpoint.lines().next().unwrap_or_default();
    let key = keys.iter().find(|key| key.name() == origin);
    let key = key.ok_or(Error::DoesNotHold {
        why: "none of the given keys signed its checkpoint",
    })?;
    let note = note::all(parts.checkpoint, key).into_iter().next();
    let note = note.ok_or(Error::NotAProof {
        why: "its checkpoint cannot be read",
    })?;
    if !note.signed {
        return Err(Error::DoesNotHold {
            why: "the signature of its checkpoint does not hold",
        });
    }
    let mut hasher = Sha256::new();
    hasher.update(b"\x00");
    hasher.update(&parts.line);
    if root_of(hasher.finalize().into(), parts.index, note.size, &parts.path) != Some(note.root) {
        return Err(Error::DoesNotHold {
            why: "the line is not in the tree of its checkpoint",
        });
    }
    let line = String::from_utf8(parts.line).map_err(|_| Error::NotAProof {
        why: "its line is not text",
    })?;
    let line = Line::parse(line).map_err(|_| Error::NotAProof {
        why: "its line is not a line of an audit log",
    })?;
    let place = line.entry();
    if Some(place.seq) != parts.index.checked_add(1) || Some(place.log.as_str()) != key.log() {
        return Err(Error::DoesNotHold {
            why: "the line names another place in the log as its own",
        });
    }
    Ok(Proven { line, size: note.size })
}

struct Parts<'a> {
    line: Vec<u8>,
    index: u64,
    path: Vec<Hash>,
    checkpoint: &'a str,
}

fn parse(text: &str) -> Result<Parts<'_>, Error> {
    let wrong = |why| Error::NotAProof { why };
    if text.len() > LONGEST {
        return Err(wrong("it is too long"));
    }
    let (head, checkpoint) = text.split_once("\n\n").ok_or(wrong("it has no checkpoint"))?;
    let mut lines = head.split('\n');
    if lines.next() != Some("c2sp.org/tlog-proof@v1") {
        return Err(wrong("it does not begin with `c2sp.org/tlog-proof@v1`"));
    }
    let extra = lines.next().and_then(|line| line.strip_prefix("extra "));
    let extra = extra.ok_or(wrong("its second line is not `extra` and the line that is proved"))?;
    let index = lines.next().and_then(|line| line.strip_prefix("index "));
    let index = index.and_then(|index| index.parse().ok().filter(|number: &u64| number.to_string() == index));
    let decode = |text: &str| {
        BASE64_STANDARD
            .decode(text)
            .map_err(|_| wrong("a part of it is not valid base64"))
    };
    let path = lines.map(|line| {
        decode(line)?
            .try_into()
            .map_err(|_| wrong("one of its hashes does not have 32 bytes"))
    });
    Ok(Parts {
        line: decode(extra)?,
        index: index.ok_or(wrong("its third line is not `index` and a number"))?,
        path: path.take(65).collect::<Result<_, _>>()?,
        checkpoint,
    })
}

/// The root that a leaf and its audit path make: RFC 9162 section 2.1.3.2. `None` if they cannot belong together.
pub(crate) fn root_of(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    let (mut node, mut last) = (index, size.checked_sub(1)?);
    if node > last {
        return None;
    }
    let mut root = leaf;
    for hash in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = join(hash, &root);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            root = join(&root, hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

fn join(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"\x01");
    hasher.update(left);
    hasher.update(right);
    hasher.finalize().into()
}
