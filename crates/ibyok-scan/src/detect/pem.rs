//! PEM private keys: of RSA, of elliptic curves, of SSH, of PGP.

use memchr::memmem;

use super::{By, Hit};
use crate::stream::Window;

const BEGIN: &[u8] = b"-----BEGIN ";

/// The longest label, such as `ENCRYPTED PRIVATE KEY`.
const LABEL_MAX: usize = 40;

/// The number of characters of a body that make a key. Code that only names the header has none.
const BODY: usize = 48;

/// The number of bytes after the header in which the body may begin: past line breaks, quotes, and headers such as
/// `Proc-Type`.
const LOOK: usize = 512;

/// Every private key whose header begins in the window.
pub(crate) fn private_keys(window: &Window<'_>, hits: &mut Vec<Hit>) {
    let own = window.get(window.own.start..window.own.end + BEGIN.len());
    for found in memmem::find_iter(own, BEGIN) {
        let at = window.own.start + found;
        if at >= window.own.end {
            return;
        }
        if let Some(length) = header(window.get(at..at + LOOK)) {
            let body = window.get(at + length..at + length + LOOK);
            if has_body(body) {
                hits.push(Hit {
                    span: at..at + length,
                    name: None,
                    prefix: 0,
                    by: By::PrivateKey,
                });
            }
        }
    }
}

/// Returns the length of the header, if it is that of a private key.
fn header(text: &[u8]) -> Option<usize> {
    let rest = text.get(BEGIN.len()..)?;
    let end = memmem::find(rest, b"-----").filter(|end| *end <= LABEL_MAX)?;
    let label = rest.get(..end)?;
    let private = label.ends_with(b"PRIVATE KEY") || label.ends_with(b"PRIVATE KEY BLOCK");
    private.then_some(BEGIN.len() + end + 5)
}

fn has_body(text: &[u8]) -> bool {
    let end = memmem::find(text, b"-----").unwrap_or(text.len());
    let body = text.get(..end).unwrap_or_default();
    let lines = body.split(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')));
    let longest = lines.map(<[u8]>::len).max().unwrap_or_default();
    longest >= BODY && !super::placeholders::is_example(body.get(..BODY).unwrap_or_default())
}
