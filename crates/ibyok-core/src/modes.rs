//! The verbs on modes: of a key, and of an environment.

use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use serde::Serialize;

use crate::attempt::Attempt;
use crate::change::Edit;
use crate::error::Result;
use crate::keys::{info, whole_key};
use crate::model::environment::Class;
use crate::model::key::{KeyInfo, KeyRecord, Stamp};
use crate::model::key_ref::KeyRef;
use crate::model::mode::{Mode, ModeSource};
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::settings::{SETTINGS_ID, SettingsRecord};
use crate::page::Page;
use crate::realm::Realm;
use crate::retrieve::no_key;
use crate::session::Session;
use crate::take_away::TakeAway;
use crate::vault::Inner;

/// How values of an environment are served: what its class, the guardrails of this node and its settings come to.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct EnvironmentMode {
    /// Its namespace, where that is not the vault's home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Namespace>,
    /// The environment.
    pub environment: EnvironmentName,
    /// Its class, which guardrails bind; `None` if its realm cannot be opened here.
    pub class: Option<Class>,
    /// The one mode of this class on this node, if one is forced.
    pub guardrail: Option<Mode>,
    /// Whether this node lets it be set to mock.
    pub mock_allowed: bool,
    /// What was set for keys that have no mode of their own.
    pub default: Option<Mode>,
    /// The mode in which keys that have none of their own are served; `None` if they are refused.
    pub mode: Option<Mode>,
    /// Which tier decided it.
    pub mode_source: Option<ModeSource>,
    /// Why they are refused.
    pub problem: Option<String>,
}

impl Session {
    /// Sets the mode of a key whatever its environment's is, or with `None` takes it away, so that the environment's holds again.
    ///
    /// Once this returns, no request on this node releases a live value of a key that was set to mock; on others none does a
    /// second later.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where a guardrail of this node does not allow mock; else as [`Session::show_key`].
    pub async fn set_key_mode(&self, key: &KeyRef, mode: Option<Mode>) -> Result<KeyInfo> {
        let mut attempt = self.attempt(Action::KeyMode);
        let outcome = self.try_set_key_mode(&mut attempt, key, mode).await;
        self.inner.refusing(&attempt, outcome).await
    }

    async fn try_set_key_mode(&self, attempt: &mut Attempt<'_>, key: &KeyRef, mode: Option<Mode>) -> Result<KeyInfo> {
        attempt.mode = Some(word(mode));
        let permit = self.permit(attempt, Scope::SettingsWrite, key).await?;
        whole_key(key)?;
        let class = permit.realm.attributes.class;
        mode.map_or(Ok(()), |mode| self.inner.guardrails.check(class, mode))?;
        let stamp = Stamp {
            at: attempt.at,
            by: permit.principal.by(),
        };
        let edit = |_: &mut Attempt<'_>, record: Option<KeyRecord>| {
            let record = record.filter(|record| record.removed.is_none());
            let mut record = record.ok_or_else(|| no_key(&permit))?;
            let same = record.mode == mode;
            let takes_away = (mode != Some(Mode::Live)).then_some(TakeAway::LiveOfKey(mode));
            match takes_away {
                Some(what) => record.take_away(what, &stamp),
                None => std::mem::replace(&mut record.mode, mode) != mode,
            };
            let before = info(&permit, &record)?;
            let info = match same {
                true => before,
                false => before.once_changed(),
            };
            Ok(match (same, takes_away) {
                (true, Some(_)) => Edit::IsAway(info),
                (true, None) => Edit::Unchanged(info),
                (false, Some(what)) => Edit::TakesAway(record, info, what),
                (false, None) => Edit::Gives(record, info),
            })
        };
        let mut info = self.inner.change_key(attempt, &permit, edit).await?;
        self.inner.tell_mode(&permit.realm, &mut info).await;
        Ok(info)
    }

    /// Sets the mode of those keys of an environment that have none of their own. It holds as soon as [`Session::set_key_mode`] does.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where a guardrail of this node does not allow mock,
    /// [`Error::NotFound`](crate::Error::NotFound) for an environment that does not exist;
    /// [`Error::Unauthenticated`](crate::Error::Unauthenticated), [`Error::Denied`](crate::Error::Denied) also for a token that
    /// is limited to some keys, [`Error::Unavailable`](crate::Error::Unavailable).
    pub async fn set_environment_mode(&self, environment: &EnvironmentName, mode: Mode) -> Result<EnvironmentMode> {
        let mut attempt = self.attempt(Action::SettingsChange);
        let outcome = self.try_set_environment_mode(&mut attempt, environment, mode).await;
        self.inner.refusing(&attempt, outcome).await
    }

    async fn try_set_environment_mode(
        &self,
        attempt: &mut Attempt<'_>,
        environment: &EnvironmentName,
        mode: Mode,
    ) -> Result<EnvironmentMode> {
        let principal = self.inner.authenticate(attempt, &self.asking).await?;
        let namespace = principal.namespace().clone();
        attempt.namespace = Some(namespace.to_string());
        attempt.environment = Some(environment.to_string());
        attempt.target = Some(("environment", environment.to_string()));
        attempt.mode = Some(mode.as_str());
        let scope = Scope::SettingsWrite;
        self.inner
            .allowed(attempt, &principal, scope, &namespace, Some(environment), None)?;
        let realm = self.inner.environment_realm(&namespace, environment).await?;
        self.inner.guardrails.check(realm.attributes.class, mode)?;
        let edit = |_: &mut Attempt<'_>, record: Option<SettingsRecord>| {
            let mut record = record.unwrap_or_default();
            let same = record.mode == Some(mode);
            record.mode = Some(mode);
            Ok(match (same, mode) {
                (true, Mode::Mock) => Edit::IsAway(()),
                (true, Mode::Live) => Edit::Unchanged(()),
                (false, Mode::Mock) => Edit::TakesAway(record, (), TakeAway::LiveOfEnvironment),
                (false, Mode::Live) => Edit::Gives(record, ()),
            })
        };
        self.inner
            .change(attempt, &principal, &realm, SETTINGS_ID, edit)
            .await?;
        Ok(self.inner.environment_mode(&namespace, environment).await)
    }

    /// Lists how the values of each environment are served in which this session may set modes, by the guardrails of this node.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::Error::Unauthenticated), [`Error::Denied`](crate::Error::Denied) where there is none,
    /// [`Error::Unavailable`](crate::Error::Unavailable).
    pub async fn environment_modes(&self) -> Result<Page<EnvironmentMode>> {
        let mut attempt = self.attempt(Action::KeyList);
        let outcome = self.try_environment_modes(&mut attempt).await;
        self.inner.answering(&attempt, outcome).await
    }

    async fn try_environment_modes(&self, attempt: &mut Attempt<'_>) -> Result<Page<EnvironmentMode>> {
        let principal = self.inner.authenticate(attempt, &self.asking).await?;
        let namespace = principal.namespace().clone();
        attempt.namespace = Some(namespace.to_string());
        let scope = Scope::SettingsWrite;
        let visible = self.inner.environments_allowed(attempt, &principal, scope, &namespace);
        let visible = visible.await?;
        let mut modes = Vec::new();
        for environment in &visible {
            modes.push(self.inner.environment_mode(&namespace, environment).await);
        }
        // A damaged one is in the list with its problem, and with its record.
        let opened = self.inner.open_environments(&principal, visible).await?;
        Ok(opened.page(modes))
    }
}

impl Inner {
    /// The mode that a key is served in, and which tier decided it. Settings that cannot be read are an error, and never live.
    pub(crate) async fn mode_of(&self, realm: &Realm, record: &KeyRecord) -> Result<(Mode, ModeSource)> {
        self.resolve_mode(realm, record.mode).await
    }

    /// The mode of those keys of an environment that have none of their own. The caller must hold the lease.
    pub(crate) async fn mode_of_environment(&self, realm: &Realm) -> Result<Mode> {
        self.resolve_mode(realm, None).await.map(|(mode, _)| mode)
    }

    async fn resolve_mode(&self, realm: &Realm, own: Option<Mode>) -> Result<(Mode, ModeSource)> {
        let settings = self.environment_settings(realm).await?;
        Ok(self
            .guardrails
            .resolve(realm.attributes.class, own, settings.record.mode))
    }

    /// Adds to what is shown of a key in which mode it is served; nothing where it would be refused.
    pub(crate) async fn tell_mode(self: &Arc<Self>, realm: &Realm, info: &mut KeyInfo) {
        if self.hold_lease().await.is_ok()
            && let Ok((mode, source)) = self.resolve_mode(realm, info.mode_override).await
        {
            (info.mode, info.mode_source) = (Some(mode), Some(source));
        }
    }

    async fn environment_mode(self: &Arc<Self>, namespace: &Namespace, name: &EnvironmentName) -> EnvironmentMode {
        let mut shown = EnvironmentMode {
            namespace: self.not_home(namespace),
            environment: name.clone(),
            class: None,
            guardrail: None,
            mock_allowed: false,
            default: None,
            mode: None,
            mode_source: None,
            problem: None,
        };
        if let Err(error) = self.fill_environment_mode(namespace, &mut shown).await {
            shown.problem = Some(error.to_string());
        }
        shown
    }

    async fn fill_environment_mode(self: &Arc<Self>, namespace: &Namespace, shown: &mut EnvironmentMode) -> Result<()> {
        let realm = self.environment_realm(namespace, &shown.environment).await?;
        let class = realm.attributes.class;
        shown.class = Some(class);
        shown.guardrail = self.guardrails.forced(class);
        shown.mock_allowed = self.guardrails.allows(class, Mode::Mock);
        self.hold_lease().await?;
        shown.default = self.environment_settings(&realm).await?.record.mode;
        let (mode, source) = self.guardrails.resolve(class, None, shown.default);
        (shown.mode, shown.mode_source) = (Some(mode), Some(source));
        Ok(())
    }
}

fn word(mode: Option<Mode>) -> &'static str {
    mode.map_or("inherit", Mode::as_str)
}

#[cfg(test)]
mod tests {
    use ibyok_audit::FileSink;
    use ibyok_crypto::{LocalKek, Secret};
    use ibyok_storage::MemoryStore;

    use super::*;
    use crate::{Code, Vault};

    async fn vault(scratch: &tempfile::TempDir) -> Vault {
        let sink = FileSink::open(scratch.path().join("audit")).await.unwrap();
        let builder = Vault::builder().store(MemoryStore::new());
        let builder = builder.kek(LocalKek::generate().unwrap()).audit(sink);
        let vault = builder.create().await.unwrap();
        let key = "dev/openai".parse().unwrap();
        vault
            .operator("test")
            .set_key(&key, Secret::copy_of(b"sk"))
            .await
            .unwrap();
        vault
    }

    #[tokio::test]
    async fn what_was_opened_before_a_switch_to_mock_is_not_released_after_it() {
        let scratch = tempfile::tempdir().unwrap();
        let vault = vault(&scratch).await;
        let operator = vault.operator("test");
        let (key, dev) = ("dev/openai".parse().unwrap(), "dev".parse().unwrap());
        for of_key in [true, false] {
            let mut attempt = operator.attempt(Action::KeyRetrieve);
            let epoch = vault.inner.cache.epoch();
            let opened = vault.inner.open_if_permitted(&mut attempt, &operator.asking, &key);
            let opened = opened.await.unwrap();
            assert!(vault.inner.unchanged(&opened, epoch).await.is_ok());
            match of_key {
                true => drop(operator.set_key_mode(&key, Some(Mode::Mock)).await.unwrap()),
                false => drop(operator.set_environment_mode(&dev, Mode::Mock).await.unwrap()),
            }
            let refused = vault.inner.unchanged(&opened, epoch).await.unwrap_err();
            assert_eq!(refused.code(), Code::Conflict, "of the key: {of_key}");
            operator.set_key_mode(&key, None).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_retrieval_that_is_tried_again_after_a_switch_counts_once_against_limits() {
        let scratch = tempfile::tempdir().unwrap();
        let vault = vault(&scratch).await;
        let mut grant = crate::Grant::new(
            crate::Scopes::from([Scope::KeysRead]),
            crate::Environments::named(["dev"]),
        );
        grant.rate = Some("1/day".parse().unwrap());
        let request = crate::TokenRequest::new("limited", grant);
        let token = vault.operator("test").issue_token(request).await.unwrap().token;
        let session = vault.as_token(token);
        let key = "dev/openai".parse().unwrap();
        for (again, passes) in [(false, true), (true, true), (false, false)] {
            let mut attempt = session.attempt(Action::KeyRetrieve);
            attempt.again = again;
            let opened = vault.inner.open_if_permitted(&mut attempt, &session.asking, &key);
            assert_eq!(opened.await.is_ok(), passes, "again: {again}");
        }
    }

    #[tokio::test]
    async fn a_switch_to_mock_that_a_crash_cut_short_is_made_at_the_next_start() {
        let scratch = tempfile::tempdir().unwrap();
        let vault = vault(&scratch).await;
        let name = crate::realm::RealmName {
            namespace: Namespace::default(),
            environment: Some("dev".parse().unwrap()),
        };
        let realm = vault.inner.realm(&name).await.unwrap().unwrap();
        let settings = realm.record(crate::model::kind::SETTINGS, SETTINGS_ID).unwrap();
        vault
            .inner
            .floors
            .note(&settings, 1, TakeAway::LiveOfEnvironment)
            .await
            .unwrap();
        vault.inner.finish_interrupted("test").await;
        let key = "dev/openai".parse().unwrap();
        let shown = vault.operator("test").show_key(&key).await.unwrap();
        assert_eq!(
            (shown.mode, shown.mode_source),
            (Some(Mode::Mock), Some(ModeSource::TenantSetting))
        );
        assert_eq!(vault.inner.floors.of(&settings).await.unwrap(), Some(1));
        assert!(vault.inner.floors.notes().await.unwrap().is_empty());
    }
}
