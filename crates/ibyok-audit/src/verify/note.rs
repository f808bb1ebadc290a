//! Reading checkpoints: C2SP `tlog-checkpoint` in a `signed-note`.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature, VerifyingKey as Ed25519Key};
use sha2::{Digest, Sha256};

use crate::key::VerifyingKey;

/// The content of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note {
    pub(super) size: u64,
    pub(super) root: [u8; 32],
    pub(super) signed: bool,
}

/// Returns the notes in a `checkpoints` file. Passes over a note that a crash cut short.
pub(super) fn all(text: &str, key: &VerifyingKey) -> Vec<Note> {
    let mut lines = text.lines().peekable();
    let mut notes = Vec::new();
    while let Some(line) = lines.next() {
        if line != key.name() {
            continue;
        }
        let mut body = format!("{line}\n");
        while let Some(line) = lines.next_if(|line| !line.is_empty() && *line != key.name()) {
            body.push_str(line);
            body.push('\n');
        }
        if lines.next_if(|line| line.is_empty()).is_none() {
            continue;
        }
        if let Some(signature) = lines.next_if(|line| line.starts_with('\u{2014}')) {
            notes.extend(one(&body, signature, key));
        }
    }
    notes
}

fn one(body: &str, signature: &str, key: &VerifyingKey) -> Option<Note> {
    let mut lines = body.lines().skip(1);
    let size = lines.next()?.parse().ok()?;
    let root = BASE64_STANDARD.decode(lines.next()?).ok()?.try_into().ok()?;
    Some(Note {
        size,
        root,
        signed: is_signed(body, signature, key).is_some(),
    })
}

pub(super) fn is_signed(body: &str, line: &str, key: &VerifyingKey) -> Option<()> {
    let (name, bytes) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = BASE64_STANDARD.decode(bytes).ok()?;
    let (id, signature) = bytes.split_at_checked(4)?;
    let mut hasher = Sha256::new();
    hasher.update(key.name());
    hasher.update(b"\n\x01");
    hasher.update(key.as_bytes());
    let digest = hasher.finalize();
    if name != key.name() || !digest.starts_with(id) {
        return None;
    }
    let key = Ed25519Key::from_bytes(key.as_bytes()).ok()?;
    key.verify_strict(body.as_bytes(), &Signature::from_slice(signature).ok()?)
        .ok()
}
