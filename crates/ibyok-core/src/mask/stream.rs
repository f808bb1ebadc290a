//! One stream of output, masked as it passes.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Begins, MASK, Needles};

/// The most of a value that an idle stream shows, in bytes: a prompt that happens to end like a value begins must be seen.
const SHOWN_MAX: usize = 8;

/// The number of bytes that are searched at once.
const PIECE: usize = 16 * 1024;

/// A stream of output whose values are masked, also where a value is written in pieces.
///
/// Only the end of the output that may be the beginning of a value is held back, so that a prompt is seen at once and no escape
/// sequence is cut in two by it.
#[derive(Debug)]
pub struct MaskedStream {
    needles: Arc<Needles>,
    /// The end of the output that may be the beginning of a value.
    held: Zeroizing<Vec<u8>>,
    /// The number of bytes of it that were shown already.
    shown: usize,
}

impl MaskedStream {
    pub(super) fn new(needles: Arc<Needles>) -> Self {
        let held = Zeroizing::new(Vec::with_capacity(needles.longest() + PIECE));
        MaskedStream {
            needles,
            held,
            shown: 0,
        }
    }

    /// Takes output in, and adds to `out` the part that may be shown.
    pub fn push(&mut self, mut output: &[u8], out: &mut Vec<u8>) {
        // In pieces that fit into the free room: a buffer that moves leaves a copy behind.
        while !output.is_empty() {
            let room = self.held.capacity().saturating_sub(self.held.len()).max(1);
            let (piece, rest) = output.split_at(room.min(output.len()));
            self.held.extend_from_slice(piece);
            self.pass(out, false);
            output = rest;
        }
    }

    /// Shows the held end of a stream on which nothing comes at the moment, if it is no more than a small part of a
    /// value: the user may have to answer it. If the rest of the value follows, that is masked.
    pub fn idle(&mut self, out: &mut Vec<u8>) {
        let small = match self.needles.begins(&self.held) {
            Begins::Perhaps(length) => self.held.len() <= SHOWN_MAX.min(length / 3),
            Begins::Masked(_) | Begins::Nothing => false,
        };
        if small {
            out.extend_from_slice(self.held.get(self.shown..).unwrap_or_default());
            self.shown = self.held.len();
        }
    }

    /// Adds the held end to `out`: nothing more comes.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.pass(out, true);
    }

    fn pass(&mut self, out: &mut Vec<u8>, is_end: bool) {
        let mut at = 0;
        while let Some(rest) = self.held.get(at..).filter(|rest| !rest.is_empty()) {
            match self.needles.begins(rest) {
                Begins::Masked(length) => {
                    out.extend_from_slice(MASK);
                    at += length;
                }
                Begins::Perhaps(_) if !is_end => break,
                // The end may cut a longer form short and hold a shorter one.
                Begins::Perhaps(_) => match self.needles.masked(rest) {
                    Some(length) => {
                        out.extend_from_slice(MASK);
                        at += length;
                    }
                    None => at += self.show(at, out),
                },
                Begins::Nothing => at += self.show(at, out),
            }
        }
        let passed = at.min(self.held.len());
        self.held.drain(..passed);
        self.shown = self.shown.saturating_sub(at);
    }

    /// Shows the byte at a place unless it was shown already.
    fn show(&self, at: usize, out: &mut Vec<u8>) -> usize {
        if at >= self.shown {
            out.extend(self.held.get(at));
        }
        1
    }
}

impl Needles {
    /// Returns the length of the masked text that `rest` begins with, if it begins with one.
    fn masked(&self, rest: &[u8]) -> Option<usize> {
        let places = self.by_first.get(usize::from(*rest.first()?))?;
        let mut texts = places.iter().filter_map(|place| self.texts.get(*place));
        texts.find(|text| rest.starts_with(text)).map(|text| text.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Mask;

    fn masked(values: &[&str], pieces: &[&[u8]]) -> String {
        let values = values.iter().map(|value| value.as_bytes());
        let mut stream = Mask::of(values).stream();
        let mut out = Vec::new();
        for piece in pieces {
            stream.push(piece, &mut out);
        }
        stream.finish(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn a_value_is_masked_wherever_writes_end() {
        let output = b"a sk-secret-1, sk-secret-1sk-secret-1; sk-secret";
        for first in 0..output.len() {
            for second in first..output.len() {
                let pieces = [&output[..first], &output[first..second], &output[second..]];
                assert_eq!(masked(&["sk-secret-1"], &pieces), "a ***, ******; sk-secret");
            }
        }
    }

    #[test]
    fn the_longer_of_two_values_is_masked_as_a_whole() {
        assert_eq!(
            masked(
                &["secret", "secret-and-more"],
                &[b"x secret-and-more secret-and secret"]
            ),
            "x *** ***-and ***"
        );
        assert_eq!(masked(&["secret", "secret-and-more"], &[b"secret-and"]), "***-and");
    }

    #[test]
    fn a_prompt_is_seen_at_once_unless_it_ends_like_a_value_begins() {
        let mut stream = Mask::of([b"sk-secret-value".as_slice()]).stream();
        let mut out = Vec::new();
        stream.push(b"\x1b[31mPassword: ", &mut out);
        assert_eq!(out, b"\x1b[31mPassword: ");
        stream.push(b"sk", &mut out);
        assert_eq!(out, b"\x1b[31mPassword: ");
        stream.idle(&mut out);
        assert_eq!(out, b"\x1b[31mPassword: sk");
        stream.push(b"-secret-value!", &mut out);
        assert_eq!(out, b"\x1b[31mPassword: sk***!");
        stream.push(b"sk", &mut out);
        stream.idle(&mut out);
        stream.push(b"i\n", &mut out);
        assert!(out.ends_with(b"!ski\n"));
        stream.push(b"sk-secret-valu", &mut out);
        stream.idle(&mut out);
        assert!(out.ends_with(b"!ski\n"));
    }

    #[test]
    fn nothing_is_masked_of_nothing_or_of_what_is_in_every_text() {
        assert_eq!(masked(&["", "1", "yes"], &[b"1 yes"]), "1 yes");
        assert!(Mask::of([b"abc".as_slice()]).is_empty());
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference_and_no_value_is_ever_shown(
            value in "[ab]{4,9}", output in "[abc]{0,200}", cuts in prop::collection::vec(0usize..200, 0..10),
        ) {
            let whole = masked(&[&value], &[output.as_bytes()]);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(output.len())).collect();
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&output.as_bytes()[from..cut]);
                from = cut;
            }
            pieces.push(&output.as_bytes()[from..]);
            prop_assert_eq!(masked(&[&value], &pieces), whole.clone());
            prop_assert!(!whole.contains(&value));
            prop_assert_eq!(output.replace(&value, "***"), whole);
        }
    }
}
