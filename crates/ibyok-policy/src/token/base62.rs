//! Base62 in fixed widths, so that each value has one text, and the checksum over it.

use zeroize::{Zeroize, Zeroizing};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Bytes of a full block.
const BLOCK: usize = 8;

/// The number of characters that hold `i` bytes: the least number with 62^characters ≥ 256^bytes.
const WIDTHS: [usize; BLOCK + 1] = [0, 2, 3, 5, 6, 7, 9, 10, 11];

/// Characters of a 16-byte id.
pub(super) const ID_WIDTH: usize = 22;

/// Characters of a checksum.
pub(super) const CHECKSUM_WIDTH: usize = 6;

/// Digits that a u64 holds: dividing a u64 by a constant is a multiplication, and dividing a u128 is a call.
const CHUNK: usize = 10;

/// 62 to the power of [`CHUNK`].
const CHUNK_VALUES: u64 = 62_u64.pow(10);

/// Appends a number, most significant digit first, padded with `0` to the width. Digits that do not fit are cut off,
/// so the caller chooses the width by the value's range.
pub(super) fn push_number(out: &mut String, number: u128, width: usize) {
    let mut digits = [b'0'; ID_WIDTH];
    if let Some(digits) = digits.get_mut(..width.min(ID_WIDTH)) {
        write_number(digits, number);
        out.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }
    digits.zeroize();
}

/// Writes a number over all of these digits, as [`push_number`] appends it.
pub(super) fn write_number(digits: &mut [u8], number: u128) {
    let mut rest = number;
    for chunk in digits.rchunks_mut(CHUNK) {
        let (above, mut part) = split(rest);
        for digit in chunk.iter_mut().rev() {
            let index = usize::try_from(part % 62).unwrap_or_default();
            *digit = ALPHABET.get(index).copied().unwrap_or_default();
            part /= 62;
        }
        part.zeroize();
        rest = above;
    }
    rest.zeroize();
}

/// A number without its last [`CHUNK`] digits, and these.
fn split(number: u128) -> (u128, u64) {
    match u64::try_from(number) {
        Ok(small) => (u128::from(small / CHUNK_VALUES), small % CHUNK_VALUES),
        Err(_) => {
            let above = number / u128::from(CHUNK_VALUES);
            let part = number - above * u128::from(CHUNK_VALUES);
            (above, u64::try_from(part).unwrap_or_default())
        }
    }
}

/// Reads a number from digits; `None` for anything that is not a digit or is larger than 128 bits.
pub(super) fn number(digits: &[u8]) -> Option<u128> {
    digits.chunks(CHUNK).try_fold(0_u128, |number, chunk| {
        let (mut part, mut scale) = (0_u64, 1_u64);
        for digit in chunk {
            // Ten digits are less than 62^10, so that neither overflows.
            part = part * 62 + value(*digit)?;
            scale *= 62;
        }
        number.checked_mul(u128::from(scale))?.checked_add(u128::from(part))
    })
}

/// The value of each byte as a digit; 255 for a byte that is no digit.
static VALUES: [u8; 256] = values();

#[expect(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
const fn values() -> [u8; 256] {
    let mut values = [255; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        values[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    values
}

fn value(digit: u8) -> Option<u64> {
    let value = VALUES.get(usize::from(digit)).copied()?;
    (value < 62).then_some(u64::from(value))
}

/// Returns the number of characters that [`push_bytes`] makes of so many bytes.
pub(super) fn encoded_len(bytes: usize) -> usize {
    let last = WIDTHS.get(bytes % BLOCK).copied().unwrap_or_default();
    bytes / BLOCK * 11 + last
}

/// Appends bytes in blocks of 8, each as a big-endian number of 11 digits, the last by its length.
pub(super) fn push_bytes(out: &mut String, bytes: &[u8]) {
    for block in bytes.chunks(BLOCK) {
        let mut number = block
            .iter()
            .fold(0_u128, |number, byte| number << 8 | u128::from(*byte));
        push_number(out, number, encoded_len(block.len()));
        number.zeroize();
    }
}

/// Reads the output of [`push_bytes`]; `None` for any other text.
pub(super) fn bytes(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len()));
    for block in text.chunks(11) {
        let len = WIDTHS.iter().position(|width| *width == block.len())?;
        let mut number = number(block)?;
        if number >> (8 * len) != 0 {
            return None;
        }
        let mut all = number.to_be_bytes();
        number.zeroize();
        out.extend_from_slice(all.get(all.len() - len..)?);
        all.zeroize();
    }
    Some(out)
}

/// The CRC-32 (IEEE) of a text, printed as [`CHECKSUM_WIDTH`] digits as GitHub's tokens do.
pub(super) fn checksum(text: &[u8]) -> u128 {
    crc32fast::hash(text).into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(input: &[u8]) -> String {
        let mut out = String::new();
        push_bytes(&mut out, input);
        out
    }

    #[test]
    fn the_checksum_is_that_of_githubs_published_example() {
        // 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 ibyok:allow GitHub published it
        let mut out = String::new();
        push_number(&mut out, checksum(b"zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ"), CHECKSUM_WIDTH);
        assert_eq!(out, "0mLq17");
    }

    #[test]
    fn widths_are_the_least_that_hold_each_length() {
        for (bytes, width) in WIDTHS.iter().enumerate().skip(1) {
            let values = 1_u128 << (8 * bytes);
            assert!(62_u128.pow(*width as u32) >= values, "{bytes}");
            assert!(62_u128.pow(*width as u32 - 1) < values, "{bytes}");
        }
    }

    #[test]
    fn known_blocks() {
        assert_eq!(encode(&[0xff; 8]), "LygHa16AHYF");
        assert_eq!(encode(&[0]), "00");
        assert_eq!(encode(&[255]), "47");
        assert_eq!(encode(&[0; 9]), "0000000000000");
    }

    #[test]
    fn a_block_over_its_range_is_refused() {
        assert!(bytes(b"LygHa16AHYF").is_some());
        assert!(bytes(b"LygHa16AHYG").is_none());
        assert!(bytes(b"47").is_some());
        assert!(bytes(b"48").is_none());
        for width in [1, 4, 8] {
            assert!(
                bytes(&vec![b'0'; width]).is_none(),
                "{width} characters hold no number of bytes"
            );
        }
    }

    proptest! {
        #[test]
        fn bytes_read_back_and_have_the_length_foretold(input in proptest::collection::vec(any::<u8>(), 0..80)) {
            let text = encode(&input);
            prop_assert_eq!(text.len(), encoded_len(input.len()));
            prop_assert_eq!(&**bytes(text.as_bytes()).unwrap(), &input[..]);
        }

        #[test]
        fn what_reads_prints_as_itself(text in "[0-9A-Za-z]{0,40}") {
            if let Some(read) = bytes(text.as_bytes()) {
                prop_assert_eq!(encode(&read), text);
            }
        }

        #[test]
        fn numbers_print_digit_by_digit(input in any::<u128>(), width in 1..=ID_WIDTH) {
            let (mut rest, mut expected) = (input, Vec::new());
            for _ in 0..width {
                expected.insert(0, ALPHABET[(rest % 62) as usize]);
                rest /= 62;
            }
            let mut text = String::new();
            push_number(&mut text, input, width);
            prop_assert_eq!(text.into_bytes(), expected);
        }

        #[test]
        fn numbers_read_back(input in any::<u128>()) {
            let mut text = String::new();
            push_number(&mut text, input, ID_WIDTH);
            prop_assert_eq!(number(text.as_bytes()), Some(input));
        }
    }
}
