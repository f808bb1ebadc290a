//! Requests as they are sent to a server: the vault's own types as documents of the wire.

use ibyok_client::{Change, SecretSlice, VersionName};
use ibyok_core::{
    Environments, Grant, KeyRef, TokenRequest,
    keys::{Interval, KeyEdit, KeyWrite},
    policy::{Per, Rate},
    secrecy::ExposeSecret,
    tokens::Expiry,
};

use crate::Drain;
use crate::error::{Error, Result};

/// A version with its value.
pub(crate) fn write(write: KeyWrite) -> Result<ibyok_client::KeyWrite> {
    let fields = write.fields.iter().map(|(field, value)| {
        // `to_vec` is exactly as long as its content, so that boxing it leaves no copy behind.
        (field.to_string(), SecretSlice::from(value.expose_secret().to_vec()))
    });
    let mut sent = ibyok_client::KeyWrite::fields(fields.collect());
    sent.provider = write.provider;
    sent.variable = write.variable;
    sent.labels = write.labels;
    sent.limit = Change::from(write.limit).map(rate);
    sent.rotate_every = interval(write.rotate_every)?;
    sent.expires_at = write.expires.into();
    sent.force = write.force;
    Ok(sent)
}

/// A change of a key's settings.
pub(crate) fn edit(edit: KeyEdit) -> Result<ibyok_client::KeyEdit> {
    // An empty provider removes it, as a null does.
    let provider = edit.provider.map(|name| Some(name).filter(|name| !name.is_empty()));
    Ok(ibyok_client::KeyEdit {
        provider: provider.into(),
        variable: edit.variable,
        labels: edit.labels,
        limit: Change::from(edit.limit).map(rate),
        rotate_every: interval(edit.rotate_every)?,
        expires_at: edit.expires.into(),
    })
}

/// The version to retire or destroy.
pub(crate) fn drain(key: &KeyRef, drain: &Drain) -> ibyok_client::Drain {
    ibyok_client::Drain {
        version: (!key.version().is_current()).then(|| VersionName::Word(key.version().to_string())),
        quiet: drain.quiet.map(|quiet| quiet.to_string()),
        force: drain.force,
        reason: drain.reason.clone(),
    }
}

/// A token to issue.
pub(crate) fn token_request(request: TokenRequest) -> ibyok_client::TokenRequest {
    let mut grant = grant(request.grant);
    if let Expiry::At(at) = request.expiry {
        grant.expires_at = Some(at);
    }
    let sent = ibyok_client::TokenRequest::new(request.name, grant);
    match request.expiry {
        Expiry::Never => sent.no_expiry(),
        _ => sent,
    }
}

/// A rate.
pub(crate) fn rate(rate: Rate) -> ibyok_client::Rate {
    ibyok_client::Rate {
        count: rate.count,
        per: match rate.per {
            Per::Second => ibyok_client::Per::Second,
            Per::Minute => ibyok_client::Per::Minute,
            Per::Hour => ibyok_client::Per::Hour,
            Per::Day => ibyok_client::Per::Day,
        },
    }
}

/// A change of the interval of rotations. Vault and wire write intervals in the same way.
fn interval(change: Option<Option<Interval>>) -> Result<Change<ibyok_client::Interval>> {
    let sent = change.map(|every| every.map(|every| every.to_string().parse()).transpose());
    let sent = sent.transpose().map_err(|_| {
        Error::invalid(
            "the rotation interval cannot be sent",
            "give a length of time such as `90d`",
        )
    })?;
    Ok(sent.into())
}

fn grant(grant: Grant) -> ibyok_client::Grant {
    let scopes = grant.scopes.iter().map(|scope| scope.as_str().into());
    let mut sent = match grant.environments {
        Environments::All => ibyok_client::Grant::everywhere(scopes),
        Environments::Named(names) => ibyok_client::Grant::new(scopes, names),
    };
    sent.keys = grant.keys.map(|keys| keys.iter().map(ToString::to_string).collect());
    sent.cidrs = grant.networks;
    sent.not_before = grant.not_before;
    sent.expires_at = grant.expires;
    sent.rate = grant.rate.map(rate);
    sent.pending_only = grant.pending_only;
    sent.self_rotate = grant.self_rotate;
    sent
}
