//! The verb that copies a key: its value and its metadata, to another name or environment.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::model::interval::Interval;
use crate::model::key::KeyRecord;
use crate::model::key_ref::KeyRef;
use crate::model::mode::Mode;
use crate::model::which_version::WhichVersion;
use crate::model::write::IfExists;
use crate::model::write::{KeyWrite, Written};
use crate::vault::handles::KeyVerbs;
use crate::verbs::keys::whole_key;

impl KeyVerbs<'_> {
    /// Copies the current version of a key, or the version that `from` names, with all its fields, the provider, the labels, the interval
    /// for rotation and the end at the provider. The variable comes along if an operator chose it. Limits and modes do not: they belong
    /// to the place of a key.
    ///
    /// The copy is a retrieval of `from` and a write of `to`, and both are on the audit log.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a version that is compromised; [`Error::Exists`] for a key that exists, unless it is to be replaced; [`Error::Invalid`] for a key that is served as a mock here, and
    /// for a reference to one field; [`Error::Denied`] for a token without `keys:read` for `from` or `keys:write` for `to`; else as
    /// [`Session::retrieve`](crate::Session::retrieve) and [`KeyVerbs::set`](crate::keys::KeyVerbs::set).
    pub async fn copy(self, from: &KeyRef, to: &KeyRef, existing: IfExists) -> Result<Written> {
        let mut attempt = self.session.attempt(Action::KeySet);
        let may_write = self.may_write_copy(&mut attempt, to, existing).await;
        // A value that cannot be written anyway is not retrieved.
        self.session.inner.recorder.refusing(&attempt, may_write).await?;
        let write = self.copied(from).await?;
        match existing {
            IfExists::Replace => self.set(to, write).await,
            IfExists::Keep => self.add(to, write).await,
        }
    }

    async fn may_write_copy(self, attempt: &mut Attempt<'_>, to: &KeyRef, existing: IfExists) -> Result<()> {
        let permit = self.session.permit(attempt, Scope::KeysWrite, to).await?;
        whole_key(to)?;
        let held = self.session.inner.records.live_key(permit.realm(), permit.id()).await?;
        match (held, existing) {
            (Some(_), IfExists::Keep) => Err(Error::Exists {
                what: format!("key `{}`", permit.label()),
            }),
            (Some(_), IfExists::Replace) | (None, _) => Ok(()),
        }
    }

    async fn copied(self, from: &KeyRef) -> Result<KeyWrite> {
        if from.field().is_some() {
            return Err(Error::invalid("the command copies only whole keys", "remove `#field`"));
        }
        let released = self.session.retrieve(from).await?;
        if released.info().mode == Mode::Mock {
            return Err(Error::invalid(
                format!("this node serves `{}` as a mock", released.info().reference),
                "copy the key on a node that serves it live, or set its mode to `live`",
            ));
        }
        let mut attempt = self.session.attempt(Action::KeyShow);
        let known = self.known_about(&mut attempt, from, released.info().version).await;
        let known = self.session.inner.recorder.refusing(&attempt, known).await?;
        let variable = known.variable_named.then_some(known.variable);
        let value_name = released.info().value_name.clone();
        Ok(KeyWrite::new(released.into_fields())
            .value_name(value_name)
            .provider(known.provider)
            .variable(variable)
            .labels(Some(known.labels))
            .rotate_every(known.rotate_every.and_then(Interval::of).map(Some))
            .expires(known.expires.map(Some)))
    }

    /// Returns the description of a key whose version was just released to the session. A version that is compromised is refused: the
    /// other environment does not know its value, and would take it for a good one.
    async fn known_about(self, attempt: &mut Attempt<'_>, from: &KeyRef, version: u32) -> Result<KeyRecord> {
        let permit = self.session.permit(attempt, Scope::KeysRead, from).await?;
        let held = self.session.inner.gate.key(&permit).await?;
        let label = permit.label();
        if held.record.version(&label, WhichVersion::Number(version))?.compromised {
            return Err(Error::Conflict {
                what: format!(
                    "version {version} of key `{label}` is compromised: get a new value from the provider, and set both keys to it"
                ),
            });
        }
        Ok(held.record.clone())
    }
}
