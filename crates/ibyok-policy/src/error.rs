//! Errors in scopes, patterns, grants, restrictions and ids.

/// Something that was asked for cannot be expressed.
///
/// Messages hold the input they are about, cut to a length that can be shown; never a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such scope.
    #[error(
        "unknown scope `{0}`: scopes are `keys:read`, `keys:list`, `keys:write`, `keys:rotate`, `keys:destroy`, `usage:read`, `audit:read`, `tokens:issue`, `tokens:revoke`, `settings:write`, `incidents:write` and `admin`"
    )]
    UnknownScope(String),
    /// A pattern without a character. `*` matches every name.
    #[error("a key pattern cannot be empty: `*` matches every name")]
    PatternEmpty,
    /// A pattern of more than [`Pattern::MAX_LEN`](crate::Pattern::MAX_LEN) characters.
    #[error("a key pattern has at most 128 characters")]
    PatternTooLong,
    /// A pattern with a character that no key name holds.
    #[error(
        "the key pattern `{pattern}` holds {found:?}: only letters, digits, `.`, `_`, `-` and the wildcards `*` and `?` are possible"
    )]
    PatternCharacter {
        /// The pattern, cut short.
        pattern: String,
        /// Its first character that cannot be.
        found: char,
    },
    /// A rate that is not like `60/min`.
    #[error("the rate `{0}` is not of the form `60/min`: a count of at least 1, and `sec`, `min`, `hour` or `day`")]
    Rate(String),
    /// An environment's name that cannot be one.
    #[error("`{0}` is not the name of an environment: use up to 63 of a-z, 0-9 and `-`, the first not `-`")]
    EnvironmentName(String),
    /// A realm tag that is not eight base62 characters.
    #[error("a realm tag is 8 characters of 0-9, A-Z and a-z")]
    RealmTag,
    /// A text that is not a token's id. The text is not repeated: it may be a token.
    #[error("not a token id: one is 30 characters of 0-9, A-Z and a-z")]
    TokenId,
    /// A restriction that restricts nothing.
    #[error("a restriction must restrict something: give scopes, environments, keys, times or networks")]
    RestrictionEmpty,
    /// A restriction that was read from a token and is not understood cannot be written again.
    #[error("cannot append a restriction that this program does not understand")]
    RestrictionUnknown,
    /// The token carries as many restrictions as it can.
    #[error("a token has at most 8 restrictions: start from a less restricted token")]
    TooManyRestrictions,
    /// The restrictions together are too long.
    #[error(
        "a token's restrictions take at most 512 bytes together, and these take {bytes}: use fewer or shorter patterns"
    )]
    RestrictionsTooLong {
        /// The size that the restrictions would have, in bytes.
        bytes: usize,
    },
}

/// The start of an input, short enough to be shown.
pub(crate) fn excerpt(text: &str) -> String {
    const SHOWN: usize = 128;
    if text.chars().nth(SHOWN).is_none() {
        return text.to_owned();
    }
    text.chars().take(SHOWN).chain(['…']).collect()
}
