//! The mode that a value is served in: by its key, its environment, and the guardrails of this node.

use std::sync::Arc;

use serde::Serialize;

use crate::base::error::Result;
use crate::model::environment::Class;
use crate::model::guardrails::Guardrails;
use crate::model::key::KeyRecord;
use crate::model::key_info::KeyInfo;
use crate::model::mode::{Mode, ModeSource};
use crate::model::name::{EnvironmentName, Namespace};
use crate::model::settings::SettingsRecord;
use crate::realm::Realm;
use crate::records::Records;

/// The mode of an environment's values: the result of its class, the guardrails of this node and its settings.
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
    /// True if this node lets it be set to mock.
    pub mock_allowed: bool,
    /// The mode that was set for keys without their own mode.
    pub default: Option<Mode>,
    /// The mode in which keys without their own mode are served; `None` if they are refused.
    pub mode: Option<Mode>,
    /// The tier that decided it.
    pub mode_source: Option<ModeSource>,
    /// The reason for which they are refused.
    pub problem: Option<String>,
}

/// Resolves the modes that values are served in.
#[derive(Debug)]
pub(crate) struct Modes {
    pub(crate) records: Arc<Records>,
    pub(crate) guardrails: Guardrails,
}

impl Modes {
    /// The mode that a key is served in, and which tier decided it. Settings that cannot be read are an error, and never live.
    pub(crate) async fn mode_of(&self, realm: &Realm, record: &KeyRecord) -> Result<(Mode, ModeSource)> {
        self.resolve_mode(realm, record.mode).await
    }

    /// As [`Modes::mode_of`], with the settings of the environment, which the caller has read.
    pub(crate) fn mode_by(&self, realm: &Realm, record: &KeyRecord, settings: &SettingsRecord) -> (Mode, ModeSource) {
        self.guardrails
            .resolve(realm.attributes.class, record.mode, settings.mode)
    }

    /// The mode of the keys of an environment without their own mode. The caller must hold the lease.
    pub(crate) async fn mode_of_environment(&self, realm: &Realm) -> Result<Mode> {
        self.resolve_mode(realm, None).await.map(|(mode, _)| mode)
    }

    async fn resolve_mode(&self, realm: &Realm, own: Option<Mode>) -> Result<(Mode, ModeSource)> {
        let settings = self.records.environment_settings(realm).await?;
        Ok(self
            .guardrails
            .resolve(realm.attributes.class, own, settings.record.mode))
    }

    /// Adds the mode in which a key is served to its description; nothing where the key would be refused.
    pub(crate) async fn tell_mode(self: &Arc<Self>, realm: &Realm, info: &mut KeyInfo) {
        if self.records.hold_lease().await.is_ok()
            && let Ok((mode, source)) = self.resolve_mode(realm, info.mode_override).await
        {
            (info.mode, info.mode_source) = (Some(mode), Some(source));
        }
    }

    pub(crate) async fn environment_mode(
        self: &Arc<Self>,
        namespace: &Namespace,
        name: &EnvironmentName,
    ) -> EnvironmentMode {
        let mut shown = EnvironmentMode {
            namespace: self.records.not_home(namespace),
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
        let realm = self.records.environment_realm(namespace, &shown.environment).await?;
        let class = realm.attributes.class;
        shown.class = Some(class);
        shown.guardrail = self.guardrails.forced(class);
        shown.mock_allowed = self.guardrails.allows(class, Mode::Mock);
        self.records.hold_lease().await?;
        shown.default = self.records.environment_settings(&realm).await?.record.mode;
        let (mode, source) = self.guardrails.resolve(class, None, shown.default);
        (shown.mode, shown.mode_source) = (Some(mode), Some(source));
        Ok(())
    }
}
