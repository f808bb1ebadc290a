//! The part of a damaged key record that a principal may learn.

use ibyok_policy::{Pattern, Scope};
use ibyok_storage::RecordId;

use super::Gate;
use super::attempt::Attempt;
use super::principal::Principal;
use crate::model::name::KeyName;
use crate::realm::Realm;

/// The part of a damaged key record that a principal may learn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// The record's id and the reason.
    All,
    /// Only that a list may be incomplete.
    MayBeIncomplete,
    /// Nothing: the record does not concern the principal.
    Nothing,
}

impl Gate {
    /// Decides which part of a damaged key record a principal may learn.
    pub(crate) fn told_of_key(
        &self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        scope: Scope,
        realm: &Realm,
        id: &RecordId,
    ) -> Told {
        let Some(environment) = &realm.name.environment else {
            return Told::Nothing;
        };
        let namespace = &realm.name.namespace;
        let allows = |key: Option<&KeyName>| {
            self.allowed(attempt, principal, scope, namespace, Some(environment), key)
                .is_ok()
        };
        let Principal::Token(holder) = principal else {
            return Told::All;
        };
        if allows(None) {
            return Told::All;
        }
        let restricted = holder.restrictions().iter().filter_map(|one| one.keys.as_deref());
        let limits = holder.held().record.grant.keys.as_deref().into_iter().chain(restricted);
        for patterns in limits {
            let Some(names) = whole_names(patterns) else { continue };
            let its_own = |name: &&KeyName| realm.keys.record_id(name.as_str()) == *id.id() && allows(Some(name));
            return match names.iter().any(|name| its_own(&name)) {
                true => Told::All,
                false => Told::Nothing,
            };
        }
        Told::MayBeIncomplete
    }
}

/// Returns the names that some patterns match; `None` if one of them has a wildcard.
fn whole_names(patterns: &[Pattern]) -> Option<Vec<KeyName>> {
    let names = patterns.iter().map(|pattern| {
        let text = pattern.as_str();
        (!text.contains(['*', '?'])).then(|| text.parse().ok()).flatten()
    });
    names.collect()
}
