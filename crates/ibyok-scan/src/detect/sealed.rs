//! Values that are encrypted in place: `encryptedData` of a SealedSecret.

use memchr::memmem;

/// The name of the mapping whose values are encrypted.
const MAPPING: &[u8] = b"encryptedData";

/// The number of bytes before a value in which the mapping may begin. Its values have a kilobyte each.
const LOOK: usize = 64 * 1024;

/// Returns true if the name that begins at a place is in the mapping `encryptedData`, in YAML or JSON.
pub(crate) fn is_sealed(text: &[u8], name: usize) -> bool {
    let from = name.saturating_sub(LOOK);
    let before = text.get(from..name).unwrap_or_default();
    let Some(at) = memmem::rfind(before, MAPPING) else {
        return false;
    };
    let within = before.get(at + MAPPING.len()..).unwrap_or_default();
    let open = within.iter().position(|byte| *byte == b'{');
    let line = memchr::memchr(b'\n', within).unwrap_or(within.len());
    match open {
        Some(open) if open < line || within.get(..open).is_some_and(|gap| gap.trim_ascii() == b":") => {
            depth(within) > 0
        }
        _ => is_indented(before, at, within),
    }
}

/// Returns the number of open braces.
fn depth(text: &[u8]) -> usize {
    text.iter().fold(0, |depth: usize, byte| match byte {
        b'{' => depth + 1,
        b'}' => depth.saturating_sub(1),
        _ => depth,
    })
}

/// Returns true if every line since the mapping's is indented more than it.
fn is_indented(before: &[u8], at: usize, within: &[u8]) -> bool {
    let start = memchr::memrchr(b'\n', before.get(..at).unwrap_or_default()).map_or(0, |end| end + 1);
    let indent = at - start;
    let blanks = |line: &[u8]| line.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let mut lines = within.split(|byte| *byte == b'\n').skip(1).peekable();
    while let Some(line) = lines.next() {
        let empty = lines.peek().is_some() && line.trim_ascii().is_empty();
        if !empty && blanks(line) <= indent {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_within_the_mapping_is_sealed() {
        let sealed = |text: &str| is_sealed(text.as_bytes(), text.find("password").unwrap());
        assert!(sealed("spec:\n  encryptedData:\n    user: AgB\n    password: AgB"));
        assert!(sealed(
            "{\"spec\": {\"encryptedData\": {\"user\": \"AgB\", \"password\": \"AgB\"}}}"
        ));
        assert!(!sealed("spec:\n  encryptedData:\n    user: AgB\n  password: AgB"));
        assert!(!sealed(
            "{\"spec\": {\"encryptedData\": {\"user\": \"AgB\"}, \"password\": \"AgB\"}}"
        ));
        assert!(!sealed("password: AgB"));
    }
}
