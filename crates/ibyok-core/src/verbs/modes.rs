//! The verbs on modes: of a key, and of an environment.

use ibyok_audit::Action;
use ibyok_policy::Scope;

use crate::base::error::Result;
use crate::changes::Edit;
use crate::gate::attempt::Attempt;
use crate::gate::key::no_key;
use crate::mode::EnvironmentMode;
use crate::model::key::Stamp;
use crate::model::key_info::KeyInfo;
use crate::model::key_life::KeyLife;
use crate::model::key_ref::KeyRef;
use crate::model::mode::Mode;
use crate::model::name::EnvironmentName;
use crate::model::settings::{SETTINGS_ID, SettingsRecord};
use crate::model::take_away::{KeyTakeAway, SettingsTakeAway};
use crate::records::page::Page;
use crate::vault::handles::ModeVerbs;
use crate::verbs::keys::{info, whole_key};

impl ModeVerbs<'_> {
    /// Sets the key's own mode, which overrides its environment's. `None` removes it, so that the environment's mode
    /// holds again.
    ///
    /// Once this returns, no request on this node releases a live value of a key that was set to mock; on others none does a
    /// second later.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where a guardrail of this node does not allow mock; else as [`KeyVerbs::show`](crate::keys::KeyVerbs::show).
    pub async fn set_of_key(self, key: &KeyRef, mode: Option<Mode>) -> Result<KeyInfo> {
        let mut attempt = self.session.attempt(Action::KeyMode);
        let outcome = self.try_set_key_mode(&mut attempt, key, mode).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_set_key_mode(self, attempt: &mut Attempt<'_>, key: &KeyRef, mode: Option<Mode>) -> Result<KeyInfo> {
        attempt.facts.mode = Some(word(mode));
        let permit = self.session.permit(attempt, Scope::SettingsWrite, key).await?;
        whole_key(key)?;
        let class = permit.realm().attributes.class;
        mode.map_or(Ok(()), |mode| self.session.inner.modes.guardrails.check(class, mode))?;
        let stamp = Stamp {
            at: attempt.at,
            by: permit.principal().by(),
        };
        let edit = |_: &mut Attempt<'_>, life: KeyLife| {
            let mut record = life.live().ok_or_else(|| no_key(&permit))?;
            let same = record.mode == mode;
            let takes_away = (mode != Some(Mode::Live)).then_some(KeyTakeAway::Live(mode));
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
                (false, Some(what)) => Edit::TakesAway(record, info, what.into()),
                (false, None) => Edit::Gives(record, info),
            })
        };
        let mut info = self.session.inner.changes.change_key(attempt, &permit, edit).await?;
        self.session.inner.modes.tell_mode(permit.realm(), &mut info).await;
        Ok(info)
    }

    /// Sets the mode of the keys of an environment without their own mode. It holds as soon as [`ModeVerbs::set_of_key`](crate::modes::ModeVerbs::set_of_key) does.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where a guardrail of this node does not allow mock,
    /// [`Error::NotFound`](crate::Error::NotFound) for an environment that does not exist;
    /// [`Error::Unauthenticated`](crate::Error::Unauthenticated), [`Error::Denied`](crate::Error::Denied) also for a token that
    /// is limited to some keys, [`Error::Unavailable`](crate::Error::Unavailable).
    pub async fn set(self, environment: &EnvironmentName, mode: Mode) -> Result<EnvironmentMode> {
        let mut attempt = self.session.attempt(Action::SettingsChange);
        let outcome = self.try_set_environment_mode(&mut attempt, environment, mode).await;
        self.session.inner.recorder.refusing(&attempt, outcome).await
    }

    async fn try_set_environment_mode(
        self,
        attempt: &mut Attempt<'_>,
        environment: &EnvironmentName,
        mode: Mode,
    ) -> Result<EnvironmentMode> {
        let principal = self.session.authenticate(attempt).await?;
        let namespace = principal.namespace().clone();
        attempt.facts.namespace = Some((&namespace).into());
        attempt.facts.environment = Some(environment.into());
        attempt.facts.target = Some(("environment", environment.to_string()));
        attempt.facts.mode = Some(mode.as_str());
        let scope = Scope::SettingsWrite;
        self.session
            .inner
            .gate
            .allowed(attempt, &principal, scope, &namespace, Some(environment), None)?;
        let realm = self
            .session
            .inner
            .records
            .environment_realm(&namespace, environment)
            .await?;
        self.session
            .inner
            .modes
            .guardrails
            .check(realm.attributes.class, mode)?;
        let edit = |_: &mut Attempt<'_>, record: Option<SettingsRecord>| {
            let mut record = record.unwrap_or_default();
            let same = record.mode == Some(mode);
            record.mode = Some(mode);
            Ok(match (same, mode) {
                (true, Mode::Mock) => Edit::IsAway(()),
                (true, Mode::Live) => Edit::Unchanged(()),
                (false, Mode::Mock) => Edit::TakesAway(record, (), SettingsTakeAway::Live.into()),
                (false, Mode::Live) => Edit::Gives(record, ()),
            })
        };
        self.session
            .inner
            .changes
            .change(attempt, &principal, &realm, SETTINGS_ID, edit)
            .await?;
        Ok(self.session.inner.modes.environment_mode(&namespace, environment).await)
    }

    /// Lists how the values of each environment are served in which this session may set modes, by the guardrails of this node.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`](crate::Error::Unauthenticated), [`Error::Denied`](crate::Error::Denied) where there is none,
    /// [`Error::Unavailable`](crate::Error::Unavailable).
    pub async fn list(self) -> Result<Page<EnvironmentMode>> {
        let mut attempt = self.session.attempt(Action::KeyList);
        let outcome = self.try_environment_modes(&mut attempt).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_environment_modes(self, attempt: &mut Attempt<'_>) -> Result<Page<EnvironmentMode>> {
        let principal = self.session.authenticate(attempt).await?;
        let namespace = principal.namespace().clone();
        attempt.facts.namespace = Some((&namespace).into());
        let scope = Scope::SettingsWrite;
        let visible = self
            .session
            .inner
            .gate
            .environments_allowed(attempt, &principal, scope, &namespace);
        let visible = visible.await?;
        let mut modes = Vec::new();
        for environment in &visible {
            modes.push(self.session.inner.modes.environment_mode(&namespace, environment).await);
        }
        // A damaged one is in the list with its problem, and with its record.
        let opened = self.session.inner.gate.open_environments(&principal, visible).await?;
        Ok(opened.page(modes))
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
    use crate::model::mode::ModeSource;
    use crate::model::name::Namespace;
    use crate::{Code, Vault};

    async fn vault(scratch: &tempfile::TempDir) -> Vault {
        let sink = FileSink::open(scratch.path().join("audit")).await.unwrap();
        let builder = Vault::builder().store(MemoryStore::new());
        let builder = builder.kek(LocalKek::generate().unwrap()).audit(sink);
        let vault = builder.create().await.unwrap();
        let key = "dev/openai".parse().unwrap();
        vault
            .operator("test")
            .keys()
            .set(&key, Secret::copy_of(b"sk"))
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
            let epoch = vault.inner.records.cache.epoch();
            let opened = vault
                .inner
                .retriever
                .open_if_permitted(&mut attempt, &operator.asking, &key);
            let opened = opened.await.unwrap();
            assert!(vault.inner.retriever.unchanged(&opened, epoch).await.is_ok());
            match of_key {
                true => drop(operator.modes().set_of_key(&key, Some(Mode::Mock)).await.unwrap()),
                false => drop(operator.modes().set(&dev, Mode::Mock).await.unwrap()),
            }
            let refused = vault.inner.retriever.unchanged(&opened, epoch).await.unwrap_err();
            assert_eq!(refused.code(), Code::Conflict, "of the key: {of_key}");
            operator.modes().set_of_key(&key, None).await.unwrap();
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
        let token = vault.operator("test").tokens().issue(request).await.unwrap().token;
        let session = vault.as_token(&token);
        let key = "dev/openai".parse().unwrap();
        for (again, passes) in [(false, true), (true, true), (false, false)] {
            let mut attempt = session.attempt(Action::KeyRetrieve);
            attempt.limits.again = again;
            let opened = vault
                .inner
                .retriever
                .open_if_permitted(&mut attempt, &session.asking, &key);
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
        let realm = vault.inner.records.realm(&name).await.unwrap().unwrap();
        let settings = realm.record(crate::model::kind::SETTINGS, SETTINGS_ID).unwrap();
        vault
            .inner
            .records
            .floors
            .note(&settings, 1, SettingsTakeAway::Live.into())
            .await
            .unwrap();
        vault.inner.changes.finish_interrupted("test").await;
        let key = "dev/openai".parse().unwrap();
        let shown = vault.operator("test").keys().show(&key).await.unwrap();
        assert_eq!(
            (shown.mode, shown.mode_source),
            (Some(Mode::Mock), Some(ModeSource::TenantSetting))
        );
        assert_eq!(vault.inner.records.floors.of(&settings).await.unwrap(), Some(1));
        assert!(vault.inner.records.floors.notes().await.unwrap().is_empty());
    }
}
