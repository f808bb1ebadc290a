//! Sixteen bytes as 22 characters of `0-9A-Za-z`: big-endian, padded with `0` on the left.

/// The alphabet, in the order of its digits.
pub(crate) const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The number of digits that hold 128 bits: 62^22 > 2^128.
pub const DIGITS: usize = 22;

/// Prints sixteen bytes as exactly 22 digits.
#[must_use]
pub fn print(bytes: [u8; 16]) -> String {
    digits(bytes).iter().copied().map(char::from).collect()
}

/// Returns the digits of [`print()`], without an allocation.
#[must_use]
pub fn digits(bytes: [u8; 16]) -> [u8; DIGITS] {
    // Ten digits at a time: dividing a u64 is a multiplication, dividing a u128 is not.
    const TEN_DIGITS: u128 = 62_u128.pow(10);
    let number = u128::from_be_bytes(bytes);
    let parts = [
        number % TEN_DIGITS,
        number / TEN_DIGITS % TEN_DIGITS,
        number / TEN_DIGITS / TEN_DIGITS,
    ];
    let mut digits = [b'0'; DIGITS];
    for (chunk, part) in digits.rchunks_mut(10).zip(parts) {
        let mut part = u64::try_from(part).unwrap_or(0);
        for digit in chunk.iter_mut().rev() {
            *digit = digit_of(part % 62);
            part /= 62;
        }
    }
    digits
}

/// Parses the text that [`print()`] makes; `None` for any other text.
#[must_use]
pub fn parse(text: &str) -> Option<[u8; 16]> {
    if text.len() != DIGITS {
        return None;
    }
    let number = text.bytes().try_fold(0u128, |number, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        number.checked_mul(62)?.checked_add(u128::try_from(digit).ok()?)
    })?;
    Some(number.to_be_bytes())
}

fn digit_of(remainder: u64) -> u8 {
    usize::try_from(remainder)
        .ok()
        .and_then(|at| ALPHABET.get(at))
        .copied()
        .unwrap_or(b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_ends_of_the_range_print_as_documented() {
        assert_eq!(print([0; 16]), "0000000000000000000000");
        assert_eq!(print([0xff; 16]), "7n42DGM5Tflk9n8mt7Fhc7");
        assert_eq!(parse("7n42DGM5Tflk9n8mt7Fhc8"), None, "one more than 2^128 - 1");
        assert_eq!(parse("zzzzzzzzzzzzzzzzzzzzzz"), None);
    }

    proptest! {
        #[test]
        fn parse_undoes_print(bytes: [u8; 16]) {
            let text = print(bytes);
            prop_assert_eq!(text.len(), 22);
            prop_assert_eq!(parse(&text), Some(bytes));
        }

        #[test]
        fn what_parses_prints_the_same(text in "\\PC{0,30}") {
            if let Some(bytes) = parse(&text) {
                prop_assert_eq!(print(bytes), text);
            }
        }
    }
}
