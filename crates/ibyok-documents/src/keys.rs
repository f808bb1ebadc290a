//! Keys, their modes and their limits.

use ibyok_api as api;
use ibyok_core as core;

use crate::{Documented, count, texts};

impl Documented for core::keys::KeyInfo {
    type Document = api::KeyInfo;

    fn document(self) -> Self::Document {
        api::KeyInfo {
            reference: self.reference,
            id: self.id.to_string(),
            namespace: self.namespace.to_string(),
            environment: self.environment.to_string(),
            name: self.name.to_string(),
            provider: self.provider,
            variable: self.variable,
            variable_named: self.variable_named,
            labels: self.labels,
            version: self.version,
            state: self.state.map(|state| state.as_str().into()),
            pending: self.pending,
            disabled: self.disabled,
            mode_override: self.mode_override.document(),
            mode: self.mode.document(),
            mode_source: self.mode_source.document(),
            limit: self.limit.document(),
            rotate_every: self.rotate_every.and_then(|every| every.to_string().parse().ok()),
            rotation_due: self.rotation_due,
            expires_at: self.expires_at,
            limit_in_force: self.limit_in_force.document(),
            last_used: self.last_used.into(),
            created: self.created,
            created_by: self.created_by,
            revision: self.revision,
            versions_count: count(self.versions_count),
            versions: self.versions.document(),
        }
    }
}

impl Documented for core::keys::VersionInfo {
    type Document = api::VersionInfo;

    fn document(self) -> Self::Document {
        api::VersionInfo {
            version: self.version,
            state: self.state.as_str().into(),
            role: self.role.as_str().into(),
            marks: self.marks.into_iter().map(|mark| mark.as_str().into()).collect(),
            fields: texts(self.fields),
            created: self.created,
            created_by: self.created_by,
            changes: self.changes.document(),
        }
    }
}

impl Documented for core::keys::StateChange {
    type Document = api::StateChange;

    fn document(self) -> Self::Document {
        api::StateChange {
            to: self.to.as_str().into(),
            at: self.at,
            by: self.by,
        }
    }
}

impl Documented for core::keys::Stamp {
    type Document = api::Stamp;

    fn document(self) -> Self::Document {
        api::Stamp {
            at: self.at,
            by: self.by,
        }
    }
}

impl Documented for core::keys::Written {
    type Document = api::Written;

    fn document(self) -> Self::Document {
        api::Written {
            reference: self.reference,
            id: self.id.to_string(),
            version: self.version,
            state: self.state.as_str().into(),
            provider: self.provider,
            recognised: self.recognised,
            variable: self.variable,
            warnings: self.warnings,
        }
    }
}

impl Documented for core::modes::Mode {
    type Document = api::Mode;

    fn document(self) -> Self::Document {
        self.as_str().into()
    }
}

impl Documented for core::modes::ModeSource {
    type Document = api::ModeSource;

    fn document(self) -> Self::Document {
        self.as_str().into()
    }
}

impl Documented for core::modes::EnvironmentMode {
    type Document = api::EnvironmentMode;

    fn document(self) -> Self::Document {
        api::EnvironmentMode {
            namespace: self.namespace.map(|name| name.to_string()),
            environment: self.environment.to_string(),
            class: self.class.map(|class| class.as_str().into()),
            guardrail: self.guardrail.document(),
            mock_allowed: self.mock_allowed,
            default: self.default.document(),
            mode: self.mode.document(),
            mode_source: self.mode_source.document(),
            problem: self.problem,
        }
    }
}

impl Documented for core::policy::Rate {
    type Document = api::Rate;

    fn document(self) -> Self::Document {
        api::Rate {
            count: self.count,
            per: match self.per {
                core::policy::Per::Second => api::Per::Second,
                core::policy::Per::Minute => api::Per::Minute,
                core::policy::Per::Hour => api::Per::Hour,
                core::policy::Per::Day => api::Per::Day,
            },
        }
    }
}

/// Returns the vault's rate for a rate of the wire.
#[must_use]
pub fn rate(rate: api::Rate) -> core::policy::Rate {
    core::policy::Rate {
        count: rate.count,
        per: match rate.per {
            api::Per::Second => core::policy::Per::Second,
            api::Per::Minute => core::policy::Per::Minute,
            api::Per::Hour => core::policy::Per::Hour,
            api::Per::Day => core::policy::Per::Day,
        },
    }
}

impl Documented for core::limits::LimitScope {
    type Document = api::LimitScope;

    fn document(self) -> Self::Document {
        match self {
            core::limits::LimitScope::Node => api::LimitScope::Node,
            core::limits::LimitScope::Shared => api::LimitScope::Shared,
        }
    }
}

impl Documented for core::limits::LimitInForce {
    type Document = api::LimitInForce;

    fn document(self) -> Self::Document {
        api::LimitInForce {
            rate: self.rate.document(),
            source: self.source.as_str().into(),
            scope: self.scope.document(),
        }
    }
}

impl Documented for core::limits::EnvironmentLimit {
    type Document = api::EnvironmentLimit;

    fn document(self) -> Self::Document {
        api::EnvironmentLimit {
            namespace: self.namespace.map(|name| name.to_string()),
            environment: self.environment.to_string(),
            limit: self.limit.document(),
            scope: self.scope.document(),
        }
    }
}
