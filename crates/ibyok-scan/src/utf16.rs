//! Files in UTF-16, as some editors and PowerShell write them, read as UTF-8.

use std::io::{self, Read};

/// The byte order of UTF-16.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Little,
    Big,
}

/// The order that a byte order mark shows.
pub(crate) fn order(start: &[u8]) -> Option<Order> {
    match start {
        [0xff, 0xfe, ..] => Some(Order::Little),
        [0xfe, 0xff, ..] => Some(Order::Big),
        _ => None,
    }
}

/// Reads UTF-16 as UTF-8. A unit that is no character becomes U+FFFD; no input makes it fail.
#[derive(Debug)]
pub(crate) struct Utf16<R> {
    inner: R,
    order: Order,
    raw: Vec<u8>,
    text: Vec<u8>,
    given: usize,
    ended: bool,
}

/// The number of bytes read at a time.
const CHUNK: usize = 16 * 1024;

impl<R: Read> Utf16<R> {
    pub(crate) fn new(inner: R, order: Order) -> Self {
        Utf16 {
            inner,
            order,
            raw: Vec::new(),
            text: Vec::new(),
            given: 0,
            ended: false,
        }
    }

    /// Decodes another chunk; the half of a pair at its end waits for the next.
    fn more(&mut self) -> io::Result<()> {
        self.text.clear();
        self.given = 0;
        let mut chunk = [0; CHUNK];
        let read = self.inner.read(&mut chunk)?;
        self.ended = read == 0;
        self.raw.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let mut units: Vec<u16> = self.raw.chunks_exact(2).map(|pair| self.unit(pair)).collect();
        let split = units.last().is_some_and(|last| (0xd800..0xdc00).contains(last));
        if split && !self.ended {
            units.pop();
        }
        self.raw.drain(..units.len() * 2);
        let mut buffer = [0; 4];
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.text.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
        }
        Ok(())
    }

    fn unit(&self, pair: &[u8]) -> u16 {
        let pair = <[u8; 2]>::try_from(pair).unwrap_or_default();
        match self.order {
            Order::Little => u16::from_le_bytes(pair),
            Order::Big => u16::from_be_bytes(pair),
        }
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.given == self.text.len() && !self.ended {
            self.more()?;
        }
        let mut rest = self.text.get(self.given..).unwrap_or_default();
        let read = rest.read(into)?;
        self.given += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn utf16_reads_as_the_same_text(text: String, big: bool) {
            let bytes: Vec<u8> = text
                .encode_utf16()
                .flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() })
                .collect();
            let mut read = String::new();
            let order = if big { Order::Big } else { Order::Little };
            Utf16::new(bytes.as_slice(), order).read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, text);
        }

        #[test]
        fn anything_else_reads_as_something(bytes: Vec<u8>) {
            let mut read = String::new();
            Utf16::new(bytes.as_slice(), Order::Little).read_to_string(&mut read).unwrap();
        }
    }
}
