//! A token as text: `ibyok_` + id + `_` + body + checksum. See `docs/tokens.md` for each byte.

use secrecy::SecretBox;
use zeroize::Zeroizing;

use super::base62::{self, CHECKSUM_WIDTH};
use super::mac::TokenMac;
use super::reader::Reader;
use super::{Entry, Token, TokenId, attributes};
use crate::Restriction;

const VERSION: u8 = 1;

/// The type of an entry that holds attributes. Every other type is not understood.
const ATTRIBUTES: u8 = 1;

/// Why a text is not a token. That much is public: no key is needed to see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// More than [`Token::MAX_LEN`] bytes. Nothing else was checked.
    #[error("longer than a token can be")]
    TooLong,
    /// It does not begin with [`Token::PREFIX`].
    #[error("a token begins with `ibyok_`")]
    Prefix,
    /// It holds a character that is not base62, lacks its second `_`, or is too short.
    #[error("the token has a character that tokens do not have: copy the whole token, without quotes or spaces")]
    Characters,
    /// The checksum is not that of the rest.
    #[error("the token's checksum is wrong: a part is missing or was changed")]
    Checksum,
    /// Its version is not known.
    #[error("a token of an unknown version")]
    Version,
    /// Its body is not the one encoding of anything.
    #[error("not the form of a token")]
    Form,
}

pub(super) fn parse(text: &str) -> Result<Token, Malformed> {
    if text.len() > Token::MAX_LEN {
        return Err(Malformed::TooLong);
    }
    let checked = text.strip_prefix(Token::PREFIX).ok_or(Malformed::Prefix)?.as_bytes();
    let (id, rest) = checked.split_at_checked(TokenId::LEN).ok_or(Malformed::Characters)?;
    let tail = rest.strip_prefix(b"_").ok_or(Malformed::Characters)?;
    if !id.iter().chain(tail).all(u8::is_ascii_alphanumeric) {
        return Err(Malformed::Characters);
    }
    let (body, checksum) = tail.split_last_chunk::<CHECKSUM_WIDTH>().ok_or(Malformed::Characters)?;
    let summed = checked
        .get(..checked.len() - CHECKSUM_WIDTH)
        .ok_or(Malformed::Characters)?;
    if base62::number(checksum) != Some(base62::checksum(summed)) {
        return Err(Malformed::Checksum);
    }
    let id = TokenId::read(id).ok_or(Malformed::Form)?;
    let body = base62::bytes(body).ok_or(Malformed::Form)?;
    if body.first().is_some_and(|version| *version != VERSION) {
        return Err(Malformed::Version);
    }
    read_body(id, &body).ok_or(Malformed::Form)
}

fn read_body(id: TokenId, body: &[u8]) -> Option<Token> {
    let mut reader = Reader::new(body);
    reader.u8()?;
    let epoch = u32::from_be_bytes(*reader.array()?);
    let count = reader.u8()?;
    if usize::from(count) > Token::MAX_RESTRICTIONS {
        return None;
    }
    let entries: Vec<Entry> = (0..count).map(|_| read_entry(&mut reader)).collect::<Option<_>>()?;
    let size: usize = entries.iter().map(|entry| entry.bytes.len()).sum();
    if size > Token::MAX_RESTRICTION_BYTES {
        return None;
    }
    let mac = TokenMac::from_bytes(reader.array()?);
    // Further bytes would give one token a second text.
    reader.is_empty().then_some(Token {
        id,
        epoch,
        entries,
        mac,
    })
}

fn read_entry(reader: &mut Reader<'_>) -> Option<Entry> {
    let from = reader.rest();
    let kind = reader.u8()?;
    let payload = reader.long()?;
    let bytes = from.get(..from.len() - reader.rest().len())?;
    let restriction = if kind == ATTRIBUTES {
        attributes::read(payload)?
    } else {
        // A kind that this version does not know may be a limit, so it must not be ignored.
        Restriction::not_understood()
    };
    Some(Entry {
        bytes: bytes.into(),
        restriction,
    })
}

/// Returns the entry for a restriction.
pub(super) fn entry(restriction: &Restriction) -> Result<Entry, crate::Error> {
    let payload = attributes::write(restriction)?;
    let len = u16::try_from(payload.len()).map_err(|_| crate::Error::RestrictionsTooLong { bytes: payload.len() })?;
    let mut bytes = vec![ATTRIBUTES];
    bytes.extend_from_slice(&len.to_be_bytes());
    bytes.extend_from_slice(&payload);
    Ok(Entry {
        bytes: bytes.into(),
        // Read back, so that a token just made holds exactly what a parsed one holds.
        restriction: attributes::read(&payload).unwrap_or_else(Restriction::not_understood),
    })
}

pub(super) fn print(token: &Token) -> SecretBox<String> {
    let size: usize = token.entries.iter().map(|entry| entry.bytes.len()).sum();
    let mut body = Zeroizing::new(Vec::with_capacity(6 + size + TokenMac::LEN));
    body.push(VERSION);
    body.extend_from_slice(&token.epoch.to_be_bytes());
    // There are at most MAX_RESTRICTIONS entries.
    body.push(u8::try_from(token.entries.len()).unwrap_or(u8::MAX));
    for entry in &token.entries {
        body.extend_from_slice(&entry.bytes);
    }
    body.extend_from_slice(token.mac.expose());
    SecretBox::init_with_mut(|text: &mut String| {
        let around = Token::PREFIX.len() + TokenId::LEN + 1 + CHECKSUM_WIDTH;
        // All at once, so that nothing is left behind by growing.
        text.reserve_exact(around + base62::encoded_len(body.len()));
        text.push_str(Token::PREFIX);
        token.id.push_to(text);
        text.push('_');
        base62::push_bytes(text, &body);
        let checksum = text.as_bytes().get(Token::PREFIX.len()..).map(base62::checksum);
        base62::push_number(text, checksum.unwrap_or_default(), CHECKSUM_WIDTH);
    })
}
