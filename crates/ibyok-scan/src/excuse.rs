//! Excuses: a comment `ibyok:allow REASON` on the line of a finding.

/// The beginning of an excuse.
const MARK: &[u8] = b"ibyok:allow";

/// The number of letters or digits that make a reason.
const REASON: usize = 3;

/// The statement of a line about the findings on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excuse {
    /// Nothing.
    None,
    /// They are excused, for a reason.
    Reason,
    /// They are said to be excused, and there is no reason.
    Bare,
}

/// Looks for an excuse on a line.
pub(crate) fn excuse(line: &[u8]) -> Excuse {
    let Some(at) = memchr::memmem::find(line, MARK) else {
        return Excuse::None;
    };
    let rest = line.get(at + MARK.len()..).unwrap_or_default();
    if rest.first().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return Excuse::None;
    }
    let letters = String::from_utf8_lossy(rest)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .count();
    if letters >= REASON {
        Excuse::Reason
    } else {
        Excuse::Bare
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excuse_needs_a_reason() {
        assert_eq!(excuse(b"x = 1 # ibyok:allow an example of the docs"), Excuse::Reason);
        assert_eq!(excuse(b"<!-- ibyok:allow: fixture -->"), Excuse::Reason);
        assert_eq!(excuse(b"x = 1 // ibyok:allow"), Excuse::Bare);
        assert_eq!(excuse(b"/* ibyok:allow -- */"), Excuse::Bare);
        assert_eq!(excuse(b"x = 1 # ibyok:allowed"), Excuse::None);
        assert_eq!(excuse(b"x = 1"), Excuse::None);
    }
}
