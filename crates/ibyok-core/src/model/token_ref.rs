//! The ways to name a token.

use std::fmt;

use ibyok_policy::TokenId;

/// A reference to an access token: by its id, by its name, or the token of the session itself.
///
/// Made from a [`TokenId`] or from a text. The text `self` is the session's own token, a text in the form of an id is an id, and any
/// other text is a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenRef {
    /// The public id.
    Id(TokenId),
    /// The name, which the vault looks up. Several tokens may have it: the verb then refuses with a conflict.
    Name(String),
    /// The token of the session.
    Own,
}

/// The word for the token of the session.
const OWN: &str = "self";

impl From<TokenId> for TokenRef {
    fn from(id: TokenId) -> Self {
        TokenRef::Id(id)
    }
}

impl From<&TokenId> for TokenRef {
    fn from(id: &TokenId) -> Self {
        TokenRef::Id(*id)
    }
}

impl From<&str> for TokenRef {
    fn from(text: &str) -> Self {
        match text.parse() {
            _ if text == OWN => TokenRef::Own,
            Ok(id) => TokenRef::Id(id),
            Err(_) => TokenRef::Name(text.to_owned()),
        }
    }
}

impl From<String> for TokenRef {
    fn from(text: String) -> Self {
        TokenRef::from(text.as_str())
    }
}

impl From<&String> for TokenRef {
    fn from(text: &String) -> Self {
        TokenRef::from(text.as_str())
    }
}

impl fmt::Display for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenRef::Id(id) => id.fmt(f),
            TokenRef::Name(name) => f.write_str(name),
            TokenRef::Own => f.write_str(OWN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_own_token_an_id_or_a_name_and_prints_as_it_was() {
        let id = TokenId::new(*b"abcdefgh", [7; 16]).unwrap();
        assert_eq!(TokenRef::from("self"), TokenRef::Own);
        assert_eq!(TokenRef::from(id.to_string()), TokenRef::Id(id));
        assert_eq!(TokenRef::from("worker"), TokenRef::Name("worker".to_owned()));
        for text in ["self", "worker", &id.to_string()] {
            assert_eq!(TokenRef::from(text).to_string(), text);
        }
    }
}
