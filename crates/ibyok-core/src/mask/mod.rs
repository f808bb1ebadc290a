//! Masks values in a program's output, as it streams by.
//!
//! ```
//! use ibyok_core::mask::Mask;
//!
//! let mask = Mask::of(["sk-very-secret".as_bytes()]);
//! let mut stream = mask.stream();
//! let mut out = Vec::new();
//! // A value is masked also where it is written in pieces.
//! stream.push(b"key: sk-very", &mut out);
//! stream.push(b"-secret\n", &mut out);
//! stream.finish(&mut out);
//! assert_eq!(out, b"key: ***\n");
//! ```

mod forms;
mod stream;

use std::sync::Arc;

use zeroize::Zeroizing;

pub use self::stream::MaskedStream;
pub use crate::base::secret_text::{holds_a_secret, without_secrets};

/// The text that replaces a value in the output.
pub const MASK: &[u8] = b"***";

/// The shortest value that is masked, in bytes: shorter ones are found in ordinary text everywhere.
pub const MASKED_MIN: usize = 4;

/// Values that are masked in output: as they are, line by line, and in base64, in hexadecimal, URL-encoded, and escaped as JSON and
/// shells do.
#[derive(Clone, Debug)]
pub struct Mask(Arc<Needles>);

impl Mask {
    /// Masks these values. Those that are shorter than [`MASKED_MIN`] are left out.
    pub fn of<'v>(values: impl IntoIterator<Item = &'v [u8]>) -> Self {
        let mut texts: Vec<Zeroizing<Vec<u8>>> = values.into_iter().flat_map(forms::of).collect();
        // The longest first, so that a form that contains another is masked as a whole.
        texts.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        texts.dedup();
        let mut by_first = vec![Vec::new(); 256];
        for (place, text) in texts.iter().enumerate() {
            if let Some(places) = text.first().and_then(|first| by_first.get_mut(usize::from(*first))) {
                places.push(place);
            }
        }
        Mask(Arc::new(Needles { texts, by_first }))
    }

    /// True if nothing is masked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.texts.is_empty()
    }

    /// Begins to mask one stream of output.
    #[must_use]
    pub fn stream(&self) -> MaskedStream {
        MaskedStream::new(Arc::clone(&self.0))
    }
}

/// Every text that is masked, the longest first, and which of them begin with a byte.
struct Needles {
    texts: Vec<Zeroizing<Vec<u8>>>,
    by_first: Vec<Vec<usize>>,
}

impl std::fmt::Debug for Needles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Needles")
            .field("count", &self.texts.len())
            .finish_non_exhaustive()
    }
}

/// The match at the beginning of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begins {
    /// Nothing that is masked.
    Nothing,
    /// Something that is masked and this long.
    Masked(usize),
    /// Something that may become one that is masked and this long.
    Perhaps(usize),
}

impl Needles {
    fn begins(&self, rest: &[u8]) -> Begins {
        let places = rest.first().and_then(|first| self.by_first.get(usize::from(*first)));
        let texts = places.into_iter().flatten().filter_map(|place| self.texts.get(*place));
        for text in texts {
            if rest.starts_with(text) {
                return Begins::Masked(text.len());
            }
            if text.starts_with(rest) {
                return Begins::Perhaps(text.len());
            }
        }
        Begins::Nothing
    }

    fn longest(&self) -> usize {
        self.texts.first().map_or(0, |text| text.len())
    }
}
