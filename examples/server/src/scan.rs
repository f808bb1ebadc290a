//! Detects a request head that two parsers could read differently, before hyper repairs it silently.
//!
//! hyper drops `Content-Length` where there is `Transfer-Encoding`, merges equal `Content-Length`s and accepts a bare line feed.
//! Each is harmless for a server alone; behind a proxy that decides otherwise, one request becomes two. This scanner follows the
//! bytes of a connection from head to head and reports them, so that they are refused.

/// The largest number of bytes of a line that the scanner keeps. It holds every usual length and encoding; a line
/// that is cut is ambiguous.
const LINE_MAX: usize = 64;

/// The most digits of a length that is read; more may not fit 64 bits.
const DIGITS_MAX: usize = 19;

/// Follows the bytes of one connection.
#[derive(Debug, Default)]
pub(crate) struct Scanner {
    state: State,
    line: Vec<u8>,
    /// True if the line is longer than its kept part.
    cut: bool,
    lines: usize,
    previous: u8,
    head: Head,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Head,
    /// In a body of which so many bytes are still to come.
    Body(u64),
    /// Behind a body whose end only hyper knows: it closes the connection after it.
    Rest,
}

#[derive(Debug, Default)]
struct Head {
    lengths: usize,
    length: u64,
    encodings: usize,
    bare: bool,
    folded: bool,
    /// A length or an encoding that cannot be read for certain.
    unclear: bool,
}

impl Scanner {
    /// Scans bytes that were read. Returns `false` once a head is ambiguous.
    pub(crate) fn take(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            match self.state {
                State::Rest => return true,
                State::Body(left) => {
                    let here = u64::try_from(bytes.len()).unwrap_or(u64::MAX).min(left);
                    let taken = usize::try_from(here).unwrap_or(bytes.len());
                    bytes = bytes.get(taken..).unwrap_or_default();
                    self.state = if left == here {
                        State::Head
                    } else {
                        State::Body(left - here)
                    };
                }
                State::Head => {
                    let Some((line, rest)) = split_line(bytes) else {
                        self.keep(bytes);
                        return true;
                    };
                    self.keep(line);
                    bytes = rest;
                    if !self.end_of_line() {
                        return false;
                    }
                }
            }
        }
        true
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE_MAX.saturating_sub(self.line.len());
        self.line.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.cut |= bytes.len() > room;
        self.previous = bytes.last().copied().unwrap_or(self.previous);
    }

    /// A line is complete but for its line feed. Gives `false` where the head that it ends is ambiguous.
    fn end_of_line(&mut self) -> bool {
        let bare = std::mem::take(&mut self.previous) != b'\r';
        let cut = std::mem::take(&mut self.cut);
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        let has_text = !line.is_empty();
        if has_text {
            self.head.bare |= bare;
            self.head.folded |= self.lines > 0 && line.first().is_some_and(|b| matches!(b, b' ' | b'\t'));
            if self.lines > 0 {
                self.head.field(line, cut);
            }
            self.lines += 1;
        }
        // Kept, so that a connection has one buffer for all lines.
        self.line.clear();
        if has_text {
            return true;
        }
        if self.lines == 0 {
            // An empty line before a request is skipped, as hyper does.
            return true;
        }
        self.head.bare |= bare;
        self.lines = 0;
        let head = std::mem::take(&mut self.head);
        self.state = match (head.encodings, head.length) {
            (0, 0) => State::Head,
            (0, length) => State::Body(length),
            _ => State::Rest,
        };
        !head.bare && !head.folded && !head.unclear && head.lengths + head.encodings <= 1
    }
}

impl Head {
    fn field(&mut self, line: &[u8], cut: bool) {
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if name.eq_ignore_ascii_case(b"content-length") {
            self.lengths += 1;
            let length = length(value.get(1..).unwrap_or_default());
            self.unclear |= cut || length.is_none();
            self.length = length.unwrap_or(0);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.encodings += 1;
            self.unclear |= cut;
        }
    }
}

/// A length of plain digits, and of no more than surely fit.
fn length(value: &[u8]) -> Option<u64> {
    let digits = value.trim_ascii();
    let plain = (1..=DIGITS_MAX).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let digits = std::str::from_utf8(digits).ok().filter(|_| plain)?;
    digits.parse().ok()
}

fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(b'\n', bytes)?;
    let (line, rest) = bytes.split_at(end);
    Some((line, rest.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns true if every head is fine, in pieces of any size.
    fn fine(text: &str) -> bool {
        let whole = Scanner::default().take(text.as_bytes());
        for size in [1, 2, 7] {
            let mut scanner = Scanner::default();
            let pieces = text.as_bytes().chunks(size).all(|piece| scanner.take(piece));
            assert_eq!(pieces, whole, "{text:?} in pieces of {size}");
        }
        whole
    }

    #[test]
    fn usual_requests_pass_one_after_another() {
        assert!(fine("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
        assert!(fine(
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\na\nb\n\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"
        ));
        assert!(fine(
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
        ));
        assert!(fine("\r\nGET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
        let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\nHost: x\r\n\r\n", "x".repeat(100_000));
        assert!(fine(&long));
    }

    #[test]
    fn two_ways_to_find_the_end_of_a_body_are_one_too_many() {
        for fields in [
            "Content-Length: 3\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\ncontent-length: 3",
            "Content-Length: 3\r\nContent-Length: 3",
            "Content-Length: 3\r\nContent-Length: 4",
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            "Content-Length : 3\r\nTransfer-Encoding: chunked",
        ] {
            assert!(
                !fine(&format!("PUT / HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\nabc")),
                "{fields}"
            );
        }
    }

    #[test]
    fn bare_line_feeds_and_folded_fields_are_ambiguous() {
        assert!(!fine("GET / HTTP/1.1\nHost: x\n\n"));
        assert!(!fine("GET / HTTP/1.1\r\nHost: x\n\r\n"));
        assert!(!fine("GET / HTTP/1.1\r\nHost: x\r\n\n"));
        assert!(!fine("GET / HTTP/1.1\r\nHost: x\r\n y\r\n\r\n"));
    }

    #[test]
    fn a_length_that_cannot_be_read_for_certain_is_ambiguous() {
        let (spaces, zeros) = (" ".repeat(60), "0".repeat(60));
        for field in [
            &format!("Content-Length:{spaces}3"),
            &format!("Content-Length: 3{spaces}"),
            &format!("Content-Length: {zeros}3"),
            &format!("Content-Length{spaces}: 3"),
            &format!("Transfer-Encoding:{spaces}chunked"),
            "Content-Length: +3",
            "Content-Length: 3, 3",
            "Content-Length: 0x3",
            "Content-Length:",
            "Content-Length: 00000000000000000003",
        ] {
            assert!(
                !fine(&format!("PUT / HTTP/1.1\r\nHost: x\r\n{field}\r\n\r\nabc")),
                "{field}"
            );
        }
        assert!(fine(
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:\t 0000000000000000003 \r\n\r\nabc"
        ));
    }

    #[test]
    fn the_second_request_is_looked_at_as_well() {
        let first = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
        let second = "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert!(fine(&format!("{first}{first}")));
        assert!(!fine(&format!("{first}{second}")));
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(
            bytes in proptest::collection::vec(proptest::sample::select(b"GET / \r\n:Content-Length3Transfer-Encoding\t".as_slice()), 0..300),
            cuts in proptest::collection::vec(0usize..300, 0..8),
        ) {
            let whole = Scanner::default().take(&bytes);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut scanner = Scanner::default();
            let pieces = cuts.windows(2).all(|cut| scanner.take(&bytes[cut[0]..cut[1]]));
            proptest::prop_assert_eq!(whole, pieces);
        }
    }
}
