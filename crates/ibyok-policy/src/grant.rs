//! The rights that a token was given.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::Limits;
use crate::setters::limit_setters;
use crate::{Environments, Pattern, Rate, Scopes};

/// The rights that a token was given when it was issued. Its realm and every restriction that it carries bound them
/// further: see [`decide`](crate::decide()).
///
/// In JSON: `{"scopes":["keys:read"],"environments":["dev"],"keys":["open*"],"cidrs":["10.0.0.0/8"],
/// "not_before":"…","expires_at":"…","rate":"60/min",
/// "pending_only":true,"self_rotate":true}`, with `"all_environments":true` instead of
/// `environments` for all of them; the last seven may be absent. A field that is not known is an error: it
/// may be a limit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
#[non_exhaustive]
pub struct Grant {
    /// The actions that the token may do.
    pub scopes: Scopes,
    /// The environments that the token reaches.
    pub environments: Environments,
    /// To which keys: `None` for every key of the environments, an empty list for none.
    pub keys: Option<Vec<Pattern>>,
    /// The first instant at which the token is valid.
    pub not_before: Option<Timestamp>,
    /// The first instant at which the token is no longer valid. `None` is for ever.
    pub expires: Option<Timestamp>,
    /// From which networks: `None` for any, an empty list for none. IPv4-mapped IPv6 is IPv4.
    pub networks: Option<Vec<IpNet>>,
    /// The rate at which the token may be used. [`decide`](crate::decide()) does not count uses: the program that
    /// serves the token does.
    pub rate: Option<Rate>,
    /// Only the pending version of a key, and the answers of `keys:list`: for canaries. Every other scope then has no effect.
    pub pending_only: bool,
    /// Lets the token give itself a new secret. Off unless it is asked for, and no restriction takes it away.
    pub self_rotate: bool,
}

impl Grant {
    /// A grant without any limit but these two: every key, from anywhere, for ever.
    #[must_use]
    pub const fn new(scopes: Scopes, environments: Environments) -> Self {
        Self {
            scopes,
            environments,
            keys: None,
            not_before: None,
            expires: None,
            networks: None,
            rate: None,
            pending_only: false,
            self_rotate: false,
        }
    }

    limit_setters!();

    /// Limits the rate at which the token may be used.
    #[must_use]
    pub fn rate(mut self, rate: Rate) -> Self {
        self.rate = Some(rate);
        self
    }

    /// Lets the token give itself a new secret.
    #[must_use]
    pub fn self_rotate(mut self) -> Self {
        self.self_rotate = true;
        self
    }

    pub(crate) fn limits(&self) -> Limits<'_> {
        Limits {
            scopes: Some(self.scopes),
            environments: match &self.environments {
                Environments::All => None,
                Environments::Named(names) => Some(names),
            },
            keys: self.keys.as_deref(),
            not_before: self.not_before,
            expires: self.expires,
            networks: self.networks.as_deref(),
            pending_only: self.pending_only,
            self_rotate: self.self_rotate,
        }
    }
}

/// The grant as JSON has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    scopes: Scopes,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    environments: Option<BTreeSet<String>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    all_environments: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Vec<Pattern>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cidrs: Option<Vec<IpNet>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rate: Option<Rate>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pending_only: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    self_rotate: bool,
}

impl TryFrom<Form> for Grant {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, Self::Error> {
        let environments = match (form.environments, form.all_environments) {
            (Some(names), false) => Environments::Named(names),
            (None, true) => Environments::All,
            (None, false) => {
                return Err("the grant must have `environments`, or `all_environments` must be true");
            }
            (Some(_), true) => {
                return Err("`environments` and `all_environments` exclude each other");
            }
        };
        Ok(Self {
            scopes: form.scopes,
            environments,
            keys: form.keys,
            not_before: form.not_before,
            expires: form.expires_at,
            networks: form.cidrs,
            rate: form.rate,
            pending_only: form.pending_only,
            self_rotate: form.self_rotate,
        })
    }
}

impl From<Grant> for Form {
    fn from(grant: Grant) -> Self {
        let (environments, all_environments) = match grant.environments {
            Environments::All => (None, true),
            Environments::Named(names) => (Some(names), false),
        };
        Self {
            scopes: grant.scopes,
            environments,
            all_environments,
            keys: grant.keys,
            cidrs: grant.networks,
            not_before: grant.not_before,
            expires_at: grant.expires,
            rate: grant.rate,
            pending_only: grant.pending_only,
            self_rotate: grant.self_rotate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;

    fn read(json: &str) -> Result<Grant, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn a_full_grant_reads_back_as_it_was_written() {
        let json = r#"{"scopes":["keys:read","keys:list"],"environments":["dev","staging"],"keys":["open*"],"cidrs":["10.0.0.0/8"],"not_before":"2026-01-01T00:00:00Z","expires_at":"2026-12-01T00:00:00.000000001Z","rate":"60/min","pending_only":true,"self_rotate":true}"#;
        assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
    }

    #[test]
    fn what_is_absent_does_not_limit_and_an_empty_list_stays_empty() {
        let grant = read(r#"{"scopes":["admin"],"all_environments":true}"#).unwrap();
        assert_eq!(grant, Grant::new(Scopes::from([Scope::Admin]), Environments::All));
        let json = r#"{"scopes":[],"environments":[],"keys":[],"cidrs":[]}"#;
        assert_eq!(serde_json::to_string(&read(json).unwrap()).unwrap(), json);
    }

    #[test]
    fn environments_are_named_or_all_is_said() {
        assert!(read(r#"{"scopes":[]}"#).is_err());
        assert!(read(r#"{"scopes":[],"all_environments":false}"#).is_err());
        assert!(read(r#"{"scopes":[],"environments":["dev"],"all_environments":true}"#).is_err());
    }

    #[test]
    fn a_limit_that_is_not_known_is_refused() {
        assert!(read(r#"{"scopes":[],"environments":[],"weekdays":["mon"]}"#).is_err());
        assert!(read(r#"{"scopes":[],"environments":[],"keys":["a[b]"]}"#).is_err());
    }
}
