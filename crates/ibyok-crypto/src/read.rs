//! Taking bytes apart without ever leaving them.

use crate::Error;

pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn take(&mut self, len: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.array_ref().copied()
    }

    /// Reads an array without a copy, for secret bytes.
    pub(crate) fn array_ref<const N: usize>(&mut self) -> Result<&'a [u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::Truncated)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Error> {
        self.array::<1>().map(u8::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// A length, u32 BE and at most `limit`, and as many bytes.
    pub(crate) fn prefixed(&mut self, limit: usize) -> Result<&'a [u8], Error> {
        let len = usize::try_from(self.u32()?).unwrap_or(usize::MAX);
        if len > limit {
            return Err(Error::TooLarge { limit });
        }
        self.take(len)
    }

    /// The same, as text.
    pub(crate) fn prefixed_text(&mut self, limit: usize) -> Result<&'a str, Error> {
        let bytes = self.prefixed(limit)?;
        std::str::from_utf8(bytes).map_err(|_| Error::Malformed {
            reason: "a name is not UTF-8",
        })
    }

    pub(crate) const fn rest(self) -> &'a [u8] {
        self.0
    }
}
