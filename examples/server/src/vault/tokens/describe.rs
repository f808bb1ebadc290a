//! A token in Vault's documents.

use ibyok_core::jiff::Timestamp;
use ibyok_core::policy::TokenId;
use ibyok_core::tokens::TokenInfo;
use ibyok_core::{AccessToken, Grant, Session};
use serde::Serialize;

use crate::answer::Answer;
use crate::problem::Problem;
use crate::vault::answer::{Auth, with_auth};

/// A token, and the time at which it is described.
pub(super) struct Known {
    info: TokenInfo,
    /// The end of the token with its restrictions.
    expires: Option<Timestamp>,
    now: Timestamp,
    /// True for the token that asks.
    own: bool,
}

impl Known {
    /// The session's own token.
    pub(super) async fn own(session: &Session) -> Result<Self, Problem> {
        let who = session.whoami().await?;
        Ok(Known {
            info: session.tokens().show("self").await?,
            expires: who.expires_at,
            now: session.now(),
            own: true,
        })
    }

    /// A token by its public id.
    pub(super) async fn of(session: &Session, id: TokenId) -> Result<Self, Problem> {
        let info = session.tokens().show(id).await?;
        Ok(Known {
            expires: info.expires_at,
            info,
            now: session.now(),
            own: false,
        })
    }

    /// The seconds that are left; 0 for a token that does not end.
    fn ttl(&self) -> i64 {
        self.expires.map_or(0, |end| seconds_between(self.now, end))
    }
}

/// Whole seconds, and never fewer than 0.
pub(super) fn seconds_between(from: Timestamp, to: Timestamp) -> i64 {
    to.as_second().saturating_sub(from.as_second()).max(0)
}

/// The scopes of a grant, as Vault's policies.
pub(super) fn policies(grant: &Grant) -> Vec<String> {
    grant.scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
}

#[derive(Serialize)]
pub(super) struct Lookup {
    accessor: String,
    creation_time: i64,
    creation_ttl: i64,
    display_name: String,
    entity_id: &'static str,
    expire_time: Option<Timestamp>,
    explicit_max_ttl: i64,
    /// The public id, or nothing for another token: never the secret.
    id: String,
    identity_policies: Vec<String>,
    issue_time: Timestamp,
    meta: Option<()>,
    namespace_path: String,
    num_uses: u32,
    orphan: bool,
    path: &'static str,
    policies: Vec<String>,
    renewable: bool,
    ttl: i64,
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(super) fn lookup(known: &Known) -> Lookup {
    let info = &known.info;
    Lookup {
        accessor: info.id.to_string(),
        creation_time: info.created.as_second(),
        creation_ttl: known.expires.map_or(0, |end| seconds_between(info.created, end)),
        display_name: info.name.clone(),
        entity_id: "",
        expire_time: known.expires,
        explicit_max_ttl: 0,
        id: if known.own { info.id.to_string() } else { String::new() },
        identity_policies: Vec::new(),
        issue_time: info.created,
        meta: None,
        namespace_path: format!("{}/", info.namespace),
        num_uses: 0,
        orphan: info.parents.is_empty(),
        path: "auth/token/create",
        policies: policies(&info.grant),
        renewable: false,
        ttl: known.ttl(),
        kind: "service",
    }
}

/// Answers a renewal: the token stays as it is, and the answer has the time that it really has left.
pub(super) fn renewed(id: &str, known: &Known, token: Option<&AccessToken>) -> Answer {
    let info = &known.info;
    let auth = Auth {
        // A client may replace its token by this one, so it is the one that the request had.
        client_token: token.map_or("", |token| token.expose()),
        accessor: info.id.to_string(),
        policies: policies(&info.grant),
        token_policies: policies(&info.grant),
        identity_policies: None,
        metadata: None,
        lease_duration: known.ttl(),
        renewable: false,
        entity_id: "",
        token_type: "service",
        orphan: info.parents.is_empty(),
        num_uses: 0,
    };
    let warning = "the expiry of a token does not change: issue a new token, or rotate this one";
    with_auth(id, auth).warnings(vec![warning.to_owned()]).ok()
}
