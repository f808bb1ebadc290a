//! The caller that a use is counted for.

use ibyok_policy::TokenId;
use serde::{Deserialize, Serialize};

use crate::gate::principal::Principal;
use crate::model::caller_kind::CallerKind;

/// The caller that a use is counted for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Caller {
    /// A token, with any of its secrets or restrictions.
    Token(TokenId),
    /// An operator, by name.
    Operator(String),
    /// The callers beyond the limit on separate counts: counted, not named.
    Others,
}

impl Caller {
    pub(crate) fn of(principal: &Principal) -> Self {
        match principal {
            Principal::Token(holder) => Caller::Token(holder.id()),
            Principal::Operator(operator) => Caller::Operator(operator.name().to_owned()),
        }
    }

    /// The word for the kind of caller.
    pub(crate) fn kind(&self) -> CallerKind {
        match self {
            Caller::Token(_) => CallerKind::Token,
            Caller::Operator(_) => CallerKind::Operator,
            Caller::Others => CallerKind::Others,
        }
    }

    /// The token's id or the operator's name.
    pub(crate) fn id(&self) -> Option<String> {
        match self {
            Caller::Token(id) => Some(id.to_string()),
            Caller::Operator(name) => Some(name.clone()),
            Caller::Others => None,
        }
    }
}
