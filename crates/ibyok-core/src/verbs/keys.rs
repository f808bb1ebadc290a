//! The verbs on keys that exist: retrieve, show, edit, disable, remove.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::context::RequestContext;
use crate::base::error::{Error, Result};
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::gate::permit::Permit;
use crate::gate::principal::Asking;
use crate::limit::within_highest;
use crate::model::key::{KeyRecord, Stamp};
use crate::model::key_info::KeyInfo;
use crate::model::key_ref::KeyRef;
use crate::model::take_away::KeyTakeAway;
use crate::model::token::AccessToken;
use crate::model::which_version::WhichVersion;
use crate::model::write::{KeyEdit, check_label_count};
use crate::retrieve::Released;
use crate::vault::Vault;
use crate::vault::handles::KeyVerbs;
use crate::vault::session::Session;
use crate::verbs::rotation::reschedule;

impl Vault {
    /// Retrieves a key for the holder of an access token: the hot path.
    ///
    /// The value is released only after its line is durable in every required sink of the audit log.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::NotFound`], the states of key and version,
    /// [`Error::Integrity`], and [`Error::Unavailable`] with the part that does not answer.
    pub async fn retrieve(&self, token: &AccessToken, key: &KeyRef, context: &RequestContext) -> Result<Released> {
        let asking = Asking::Token(token.clone(), None);
        self.inner
            .retriever
            .retrieve(Action::KeyRetrieve, &asking, key, context)
            .await
    }
}

impl Session {
    /// Retrieves a key: see [`Vault::retrieve`].
    ///
    /// # Errors
    /// As [`Vault::retrieve`].
    pub async fn retrieve(&self, key: &KeyRef) -> Result<Released> {
        self.inner
            .retriever
            .retrieve(Action::KeyRetrieve, &self.asking, key, &self.context)
            .await
    }

    /// The one shape of a change of a key that exists. Gives the key as it is afterwards.
    pub(crate) async fn change_key<F>(&self, action: Action, scope: Scope, key: &KeyRef, edit: F) -> Result<KeyInfo>
    where
        F: FnMut(&mut Attempt<'_>, &Stamp, KeyRecord) -> Result<Edit<KeyRecord, ()>> + Send,
    {
        let mut attempt = self.attempt(action);
        attempt.facts.version = key.version().number();
        let outcome = async {
            let permit = self.permit(&mut attempt, scope, key).await?;
            self.change_permitted(&mut attempt, &permit, edit).await
        }
        .await;
        self.inner.recorder.refusing(&attempt, outcome).await
    }

    /// Changes a key for a caller that has a permit already.
    pub(crate) async fn change_permitted<F>(
        &self,
        attempt: &mut Attempt<'_>,
        permit: &Permit,
        mut edit: F,
    ) -> Result<KeyInfo>
    where
        F: FnMut(&mut Attempt<'_>, &Stamp, KeyRecord) -> Result<Edit<KeyRecord, ()>> + Send,
    {
        let stamp = Stamp {
            at: attempt.at,
            by: permit.principal().by(),
        };
        let changed = self.inner.changes.change_key(attempt, permit, |attempt, key| {
            let record = key.live().ok_or_else(|| no_key(permit))?;
            let before = record.clone();
            Ok(match edit(attempt, &stamp, record)? {
                Edit::Unchanged(()) => Edit::Unchanged(info(permit, &before)?),
                Edit::IsAway(()) => Edit::IsAway(info(permit, &before)?),
                Edit::Gives(record, ()) => {
                    let info = info(permit, &record)?.once_changed();
                    Edit::Gives(record, info)
                }
                Edit::TakesAway(record, (), what) => {
                    let info = info(permit, &record)?.once_changed();
                    Edit::TakesAway(record, info, what)
                }
            })
        });
        let mut info = changed.await?;
        self.inner.modes.tell_mode(permit.realm(), &mut info).await;
        Ok(info)
    }

    /// Establishes who asks, and whether they may.
    pub(crate) async fn permit(&self, attempt: &mut Attempt<'_>, scope: Scope, key: &KeyRef) -> Result<Permit> {
        let principal = self.authenticate(attempt).await?;
        self.inner.gate.authorize(attempt, &principal, scope, key).await
    }
}

impl KeyVerbs<'_> {
    /// Retrieves a key to be written to a file: the same, on the log as an export.
    ///
    /// # Errors
    /// As [`Vault::retrieve`].
    pub async fn export(self, key: &KeyRef) -> Result<Released> {
        self.session
            .inner
            .retriever
            .retrieve(Action::KeyExport, &self.session.asking, key, &self.session.context)
            .await
    }

    /// Returns the description of a key, without its value. Of a reference that names a version, that one alone is
    /// shown.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`], [`Error::NotFound`], [`Error::Unavailable`]; [`Error::Invalid`] for a
    /// reference to a field.
    pub async fn show(self, key: &KeyRef) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(Action::KeyShow);
        let outcome = self.try_show(&mut attempt, key).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_show(self, attempt: &mut Attempt<'_>, key: &KeyRef) -> Result<KeyInfo> {
        let permit = self.session.permit(attempt, Scope::KeysList, key).await?;
        if let Some(field) = key.field() {
            return Err(Error::invalid(
                format!("the command shows whole keys, not the field `{field}` alone"),
                "remove `#field`; the answer has the names of the fields of every version",
            ));
        }
        self.session.inner.records.hold_lease().await?;
        let held = self.session.inner.gate.key(&permit).await?;
        let mut info = info(&permit, &held.record)?;
        info.limit_in_force = self
            .session
            .inner
            .limits
            .limit_in_force(permit.realm(), &held.record)
            .await?;
        if let Some(number) = one_version(&held.record, key, &permit.label())? {
            info.versions.retain(|version| version.version == number);
        }
        self.session.inner.modes.tell_mode(permit.realm(), &mut info).await;
        Ok(info)
    }

    /// Changes the facts about a key; its values stay as they are.
    ///
    /// # Errors
    /// [`Error::Invalid`] for facts that cannot be stored; else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn edit(self, key: &KeyRef, edit: &KeyEdit) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(Action::KeyEdit);
        let outcome = self.try_edit(&mut attempt, key, edit).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_edit(self, attempt: &mut Attempt<'_>, key: &KeyRef, edit: &KeyEdit) -> Result<KeyInfo> {
        attempt.facts.version = key.version().number();
        let permit = self.session.permit(attempt, Scope::KeysWrite, key).await?;
        let highest = self.session.inner.limits.highest_limit(&permit, edit.limit).await?;
        self.session
            .change_permitted(attempt, &permit, |attempt, stamp, mut record| {
                whole_key(key)?;
                edit.check()?;
                within_highest(edit.limit, highest, Some(&record))?;
                if let Some(provider) = &edit.provider {
                    record.provider = Some(provider.clone()).filter(|provider| !provider.is_empty());
                }
                if let Some(variable) = &edit.variable {
                    // Any caller may repeat the present variable.
                    let said_again = attempt.is_by_token() && record.variable == *variable;
                    if !said_again {
                        record.name_variable(variable, attempt.is_by_token())?;
                    }
                }
                for (name, value) in &edit.labels {
                    match value {
                        Some(value) => record.labels.insert(name.clone(), value.clone()),
                        None => record.labels.remove(name),
                    };
                }
                check_label_count(record.labels.len())?;
                if let Some(limit) = edit.limit {
                    record.limit = limit;
                }
                reschedule(&mut record, edit.rotate_every, edit.expires, stamp.at)?;
                Ok(Edit::Gives(record, ()))
            })
            .await
    }

    /// Stops serving a key, or one version of it if the reference names one. A disabled key or version stays disabled.
    ///
    /// # Errors
    /// As [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn disable(self, key: &KeyRef) -> Result<KeyInfo> {
        self.session
            .change_key(
                Action::KeyDisable,
                Scope::KeysWrite,
                key,
                |attempt, stamp, mut record| {
                    let what = one_version(&record, key, &attempt.label())?
                        .map_or(KeyTakeAway::Disable, KeyTakeAway::DisableVersion);
                    Ok(if record.take_away(what, stamp) {
                        Edit::TakesAway(record, (), what.into())
                    } else {
                        Edit::IsAway(())
                    })
                },
            )
            .await
    }

    /// Stops serving the current version, whichever it is. The key itself stays enabled.
    ///
    /// # Errors
    /// As [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn disable_current(self, key: &KeyRef) -> Result<KeyInfo> {
        self.session
            .change_key(
                Action::KeyDisable,
                Scope::KeysWrite,
                key,
                |attempt, stamp, mut record| {
                    whole_key(key)?;
                    let number = record.version(&attempt.label(), WhichVersion::Current)?.number;
                    attempt.facts.version = Some(number);
                    let what = KeyTakeAway::DisableVersion(number);
                    Ok(if record.take_away(what, stamp) {
                        Edit::TakesAway(record, (), what.into())
                    } else {
                        Edit::IsAway(())
                    })
                },
            )
            .await
    }

    /// Removes a key with all its versions. A sealed tombstone stays, so that no node accepts an older copy.
    ///
    /// # Errors
    /// As [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn remove(self, key: &KeyRef) -> Result<KeyInfo> {
        self.session
            .change_key(Action::KeyRemove, Scope::KeysDestroy, key, |_, stamp, mut record| {
                whole_key(key)?;
                record.take_away(KeyTakeAway::Remove, stamp);
                Ok(Edit::TakesAway(record, (), KeyTakeAway::Remove.into()))
            })
            .await
    }
}

pub(crate) fn info(permit: &Permit, record: &KeyRecord) -> Result<KeyInfo> {
    let environment = permit.realm().name.environment.as_ref();
    let environment = environment.ok_or_else(|| Error::integrity("a key of no environment"))?;
    Ok(record.info(&permit.realm().key_at(environment, &record.name, permit.id())))
}

/// The number of the one version that a reference names; `None` is the whole key. `label` is the key's, for errors.
pub(crate) fn one_version(record: &KeyRecord, key: &KeyRef, label: &str) -> Result<Option<u32>> {
    match key.version() {
        WhichVersion::Current => Ok(None),
        which => Ok(Some(record.version(label, which)?.number)),
    }
}

/// Refuses a reference to one field where a version or the whole key is meant.
pub(crate) fn no_field(key: &KeyRef) -> Result<()> {
    match key.field() {
        None => Ok(()),
        Some(_) => Err(Error::invalid(
            "this action is not about a single field",
            "remove `#field`",
        )),
    }
}

/// Refuses a reference to one version or field where the whole key is meant.
pub(crate) fn whole_key(key: &KeyRef) -> Result<()> {
    if !key.version().is_current() || key.field().is_some() {
        return Err(Error::invalid(
            "this action is about the whole key",
            "remove `?version=` and `#field`",
        ));
    }
    Ok(())
}
