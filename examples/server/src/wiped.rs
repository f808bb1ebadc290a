//! A buffer for data that may hold a secret. It leaves no copy in memory, neither when it grows nor when it is dropped.

use std::io;

use axum::body::Bytes;
use zeroize::Zeroizing;

/// Bytes that are wiped when they are dropped.
pub(crate) struct WipedBuffer(Zeroizing<Vec<u8>>);

impl WipedBuffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        WipedBuffer(Zeroizing::new(Vec::with_capacity(capacity)))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            self.grow_to(needed.max(self.0.capacity().saturating_mul(2)));
        }
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn capacity(&self) -> usize {
        self.0.capacity()
    }

    /// Makes room for this many bytes in all.
    pub(crate) fn grow_to(&mut self, capacity: usize) {
        // A vector that grows by itself frees its old place unwiped; this one is wiped as it is dropped.
        let mut larger = Zeroizing::new(Vec::with_capacity(capacity.max(self.0.len())));
        larger.extend_from_slice(&self.0);
        self.0 = larger;
    }

    /// The same bytes to be sent; wiped when the last holder lets go.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for WipedBuffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl io::Write for WipedBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_however_it_grows() {
        let mut buffer = WipedBuffer::with_capacity(3);
        for _ in 0..100 {
            buffer.extend(b"0123456789");
        }
        assert_eq!(buffer.len(), 1000);
        assert_eq!(buffer.into_bytes(), b"0123456789".repeat(100));
    }
}
