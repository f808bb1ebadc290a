//! Tokens of strangers: they name a realm that there is, and were made without its key.

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The length of the checksum at the end of a token, in characters.
const CHECKSUM: usize = 6;

/// A token of the right form, with the realm of `token`, another id for each number, and a MAC that is not right.
///
/// # Panics
/// If `token` is none.
#[must_use]
pub fn strangers_token(token: &str, number: usize) -> String {
    let (prefix, rest) = token.split_at("ibyok_".len());
    let (id, body) = rest.split_once('_').expect("a token has an id and a body");
    let kept = &id[..id.len() - 4];
    let checked = format!("{kept}{}_{}", digits(number as u32, 4), &body[..body.len() - CHECKSUM]);
    let sum = digits(crc32(checked.as_bytes()), CHECKSUM);
    format!("{prefix}{checked}{sum}")
}

fn digits(mut number: u32, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(number % 62) as usize];
        number /= 62;
    }
    String::from_utf8(digits).expect("digits are text")
}

/// CRC-32 (IEEE 802.3), bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
