//! Bulk revocation: the selected tokens, and the secrets to replace afterwards.

/// The facts about a token by which a [`Selection`] includes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller builds it from whichever list of tokens it has"
)]
pub struct ListedToken<'a> {
    /// The token's name.
    pub name: &'a str,
    /// The operator's name or the token's id that issued the token.
    pub created_by: &'a str,
    /// True if the token is neither revoked, superseded nor expired.
    pub is_valid: bool,
}

impl<'a> From<&'a ibyok_core::tokens::TokenInfo> for ListedToken<'a> {
    fn from(token: &'a ibyok_core::tokens::TokenInfo) -> Self {
        ListedToken {
            name: &token.name,
            created_by: &token.created_by,
            is_valid: token.state == ibyok_core::tokens::TokenState::Valid,
        }
    }
}

/// A choice of valid tokens, by name and by issuer. Without either it includes every valid token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    name: Option<String>,
    created_by: Option<String>,
}

impl Selection {
    /// Returns a selection of every valid token.
    #[must_use]
    pub fn new() -> Self {
        Selection::default()
    }

    /// Includes only tokens whose whole name matches: `*` stands for any number of characters, `?` for one.
    #[must_use]
    pub fn name(mut self, pattern: impl Into<String>) -> Self {
        self.name = Some(pattern.into());
        self
    }

    /// Includes only tokens that an operator of this name, or the token of this id, issued.
    #[must_use]
    pub fn created_by(mut self, issuer: impl Into<String>) -> Self {
        self.created_by = Some(issuer.into());
        self
    }

    /// Returns true if the selection includes a token.
    #[must_use]
    pub fn includes(&self, token: &ListedToken<'_>) -> bool {
        token.is_valid
            && self.name.as_ref().is_none_or(|pattern| matches(pattern, token.name))
            && self.created_by.as_ref().is_none_or(|issuer| issuer == token.created_by)
    }
}

/// The facts about a revoked token from which [`ToReplace`] is made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a caller builds it from whichever answer it has"
)]
pub struct Revoked {
    /// The references of the keys that the token or its children read.
    pub read_keys: Vec<String>,
    /// True if `read_keys` has every key that they read.
    pub is_complete: bool,
    /// The ids of the tokens that the token issued and that stay valid.
    pub children: Vec<String>,
    /// The ids of the tokens that the token, or a child of it, rotated.
    pub rotated_tokens: Vec<String>,
}

impl From<&ibyok_core::tokens::RevokedToken> for Revoked {
    fn from(revoked: &ibyok_core::tokens::RevokedToken) -> Self {
        Revoked {
            read_keys: revoked.read_keys.iter().map(|key| key.reference.clone()).collect(),
            is_complete: revoked.read_keys_complete,
            children: revoked.children.iter().map(|child| child.id.to_string()).collect(),
            rotated_tokens: revoked.rotated_tokens.iter().map(ToString::to_string).collect(),
        }
    }
}

/// The secrets that holders of revoked tokens may still have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToReplace {
    /// The references of keys whose values they read, sorted, each once.
    pub keys: Vec<String>,
    /// The ids of valid tokens whose newest secret they may have.
    pub tokens: Vec<String>,
    /// True if `keys` has every key that they read.
    pub is_complete: bool,
}

impl ToReplace {
    /// Collects the secrets that the holders of these tokens may still have.
    #[must_use]
    pub fn after(revoked: &[Revoked]) -> Self {
        let mut keys: Vec<String> = revoked.iter().flat_map(|one| &one.read_keys).cloned().collect();
        keys.sort();
        keys.dedup();
        let valid: Vec<&String> = revoked.iter().flat_map(|one| &one.children).collect();
        // A token that was revoked together with its issuer needs no new secret.
        let rotated = revoked.iter().flat_map(|one| &one.rotated_tokens);
        let tokens = rotated.filter(|token| valid.contains(token));
        ToReplace {
            keys,
            tokens: tokens.cloned().collect(),
            is_complete: revoked.iter().all(|one| one.is_complete),
        }
    }
}

/// Returns true if a pattern matches a whole name: `*` is any number of characters, `?` exactly one. Names of tokens are any text.
fn matches(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // True at each index up to which the pattern, as far as it was read, matches the name. So the cost is pattern times name.
    let mut reached = vec![true];
    reached.resize(name.len() + 1, false);
    for wanted in pattern.chars() {
        let mut next = vec![false; name.len() + 1];
        let mut before = false;
        for (index, slot) in next.iter_mut().enumerate() {
            let here = reached.get(index).copied().unwrap_or(false);
            let previous = index.checked_sub(1);
            let one_more = previous.is_some_and(|previous| {
                let fits = wanted == '?' || name.get(previous) == Some(&wanted);
                fits && reached.get(previous).copied().unwrap_or(false)
            });
            *slot = if wanted == '*' { here || before } else { one_more };
            before = *slot;
        }
        reached = next;
    }
    reached.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, name) in [
            ("alice-*", "alice-laptop"),
            ("*", ""),
            ("a?c", "abc"),
            ("*b*", "a b c"),
            ("x", "x"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("alice", "alice-laptop"),
            ("a?c", "ac"),
            ("", "x"),
            ("*b", "abc"),
            ("Alice", "alice"),
        ] {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn a_selection_includes_valid_tokens_that_meet_every_condition() {
        let token = ListedToken {
            name: "alice-ci",
            created_by: "os:alice@here",
            is_valid: true,
        };
        let expired = ListedToken {
            is_valid: false,
            ..token
        };
        assert!(Selection::new().includes(&token) && !Selection::new().includes(&expired));
        let of_alice = Selection::new().created_by("os:alice@here");
        assert!(of_alice.includes(&token) && of_alice.clone().name("*-ci").includes(&token));
        assert!(!of_alice.name("bob-*").includes(&token));
        // A prefix of an issuer is another issuer.
        assert!(!Selection::new().created_by("os:alice").includes(&token));
    }

    #[test]
    fn what_holders_may_have_is_named_once_and_revoked_tokens_are_not() {
        let all = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let one = Revoked {
            read_keys: all(&["prod/b", "prod/a"]),
            is_complete: true,
            children: all(&["kept"]),
            rotated_tokens: all(&["kept", "fell"]),
        };
        let other = Revoked {
            read_keys: all(&["prod/a"]),
            ..Revoked::default()
        };
        let left = ToReplace::after(&[one.clone(), other]);
        assert!(!left.is_complete && ToReplace::after(&[one]).is_complete);
        assert_eq!((left.keys, left.tokens), (all(&["prod/a", "prod/b"]), all(&["kept"])));
    }
}
