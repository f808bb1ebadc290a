//! The request for a token: a document of the wire as a request of the vault.

use ibyok_api as api;
use ibyok_core as core;
use ibyok_documents::rate;

use crate::problem::Problem;

/// Returns the vault's request for a request of the wire; `takes` is the hint of a request that says nothing about environments.
pub(crate) fn token_request(sent: api::TokenRequest, takes: &'static str) -> Result<core::TokenRequest, Problem> {
    let environments = match (sent.environments, sent.all_environments) {
        (Some(names), false) => core::Environments::named(names.iter().map(|name| short(name))),
        (None, true) => core::Environments::All,
        _ => {
            return Err(
                Problem::invalid("the body must have environments, or all_environments must be true").hint(takes),
            );
        }
    };
    let mut grant = core::Grant::new(scopes(sent.scopes)?, environments);
    let patterns = sent
        .keys
        .map(|keys| keys.iter().map(|pattern| pattern.parse()).collect());
    grant.keys = patterns
        .transpose()
        .map_err(|_| Problem::invalid("keys contains a text that is not a pattern"))?;
    grant.networks = sent.cidrs;
    grant.not_before = sent.not_before;
    grant.expires = sent.expires_at;
    grant.rate = sent.rate.map(rate);
    grant.pending_only = sent.pending_only;
    grant.self_rotate = sent.self_rotate;
    let request = core::TokenRequest::new(sent.name, grant);
    match (sent.expires_at, sent.no_expiry) {
        (Some(_), true) => Err(Problem::invalid("expires_at and no_expiry exclude each other")),
        (None, true) => Ok(request.expiry(core::tokens::Expiry::Never)),
        (_, false) => Ok(request),
    }
}

fn scopes(sent: Option<Vec<api::Scope>>) -> Result<core::Scopes, Problem> {
    let Some(sent) = sent else {
        return Ok(core::Scopes::from([core::Scope::KeysRead, core::Scope::KeysList]));
    };
    let scopes = sent.iter().map(|scope| scope.as_str().parse::<core::Scope>());
    let scopes: Result<_, _> = scopes.collect();
    scopes.map_err(|_| Problem::invalid("scopes contains an unknown scope"))
}

fn short(name: &str) -> &str {
    match name {
        "development" => "dev",
        "production" => "prod",
        other => other,
    }
}
