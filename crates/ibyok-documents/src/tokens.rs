//! Access tokens and their grants.

use ibyok_api as api;
use ibyok_core as core;

use crate::{Documented, count, texts};

impl Documented for core::Grant {
    type Document = api::Grant;

    fn document(self) -> Self::Document {
        let (environments, all_environments) = match self.environments {
            core::Environments::All => (None, true),
            core::Environments::Named(names) => (Some(names.into_iter().collect()), false),
        };
        api::Grant {
            scopes: self.scopes.iter().map(|scope| scope.as_str().into()).collect(),
            environments,
            all_environments,
            keys: self.keys.map(texts),
            cidrs: self.networks,
            not_before: self.not_before,
            expires_at: self.expires,
            rate: self.rate.document(),
            pending_only: self.pending_only,
            self_rotate: self.self_rotate,
        }
    }
}

impl Documented for core::tokens::TokenInfo {
    type Document = api::TokenInfo;

    fn document(self) -> Self::Document {
        api::TokenInfo {
            id: self.id.to_string(),
            name: self.name,
            namespace: self.namespace.to_string(),
            state: self.state.as_str().into(),
            grant: self.grant.document(),
            limit_scope: self.limit_scope.document(),
            last_used: self.last_used.into(),
            expires_at: self.expires_at,
            created: self.created,
            created_by: self.created_by,
            epoch: self.epoch,
            older_secret_until: self.older_secret_until,
            rotated: self.rotated.document(),
            parents: texts(self.parents),
            revoked: self.revoked.document(),
        }
    }
}

impl Documented for core::tokens::ChildToken {
    type Document = api::ChildToken;

    fn document(self) -> Self::Document {
        api::ChildToken {
            id: self.id.to_string(),
            name: self.name,
        }
    }
}

/// The secret is borrowed, so that no copy of it is made.
impl<'a> Documented for &'a core::tokens::Issued {
    type Document = api::Issued<&'a str>;

    fn document(self) -> Self::Document {
        api::Issued {
            id: self.info.id.to_string(),
            token: self.token.expose(),
            name: self.info.name.clone(),
            expires_at: self.info.expires_at,
            grant: self.info.grant.clone().document(),
            epoch: self.info.epoch,
            older_secret_until: self.info.older_secret_until,
            children: self.children.clone().document(),
            revoked_children: texts(&self.revoked_children),
        }
    }
}

impl Documented for core::tokens::RevokedToken {
    type Document = api::RevokedToken;

    fn document(self) -> Self::Document {
        api::RevokedToken {
            info: self.info.document(),
            read_keys: self.read_keys.document(),
            read_keys_complete: self.read_keys_complete,
            rotated_tokens: texts(self.rotated_tokens),
            children: self.children.document(),
            not_searched: self.not_searched.document(),
            search_incomplete: self.search_incomplete,
        }
    }
}

impl Documented for core::tokens::ReadKey {
    type Document = api::ReadKey;

    fn document(self) -> Self::Document {
        api::ReadKey {
            reference: self.reference,
            last: self.last,
            count: self.count,
        }
    }
}

impl Documented for ibyok_operations::tokens::TokenFinding {
    type Document = api::TokenFinding;

    fn document(self) -> Self::Document {
        api::TokenFinding {
            token: self.token.to_string(),
            name: self.name,
            finding: self.finding.as_str().into(),
            detail: self.detail,
            within_days: self.within_days,
            expires_at: self.expires_at,
            last_used: self.last_used,
            narrower: self.narrower.document(),
        }
    }
}

impl Documented for core::sessions::WhoAmI {
    type Document = api::WhoAmI;

    fn document(self) -> Self::Document {
        api::WhoAmI {
            kind: self.kind.as_str().into(),
            id: self.id,
            name: self.name,
            namespace: self.namespace.to_string(),
            grant: self.grant.document(),
            restrictions: count(self.restrictions),
            superseded: self.superseded,
            environments: texts(self.environments),
            expires_at: self.expires_at,
        }
    }
}
