//! Rotations of keys.

use ibyok_api as api;
use ibyok_core as core;

use crate::Documented;

impl Documented for core::rotation::RotationStatus {
    type Document = api::RotationStatus;

    fn document(self) -> Self::Document {
        api::RotationStatus {
            reference: self.reference,
            id: self.id.to_string(),
            version: self.version,
            versions: self.versions.document(),
            waiting_for: self.waiting_for.document(),
            unseen: self.unseen,
            consumers_shown: self.consumers_shown,
        }
    }
}

impl Documented for core::rotation::VersionUse {
    type Document = api::VersionUse;

    fn document(self) -> Self::Document {
        api::VersionUse {
            version: self.version,
            state: self.state.as_str().into(),
            consumers: self.consumers.document(),
        }
    }
}

impl Documented for core::rotation::Consumer {
    type Document = api::Consumer;

    fn document(self) -> Self::Document {
        api::Consumer {
            token: self.token,
            kind: self.kind.as_str().into(),
            name: self.name,
            last: self.last,
            count: self.count,
            network: self.network.map(|network| network.to_string()),
            active: self.active,
        }
    }
}

impl Documented for core::rotation::Waiting {
    type Document = api::Waiting;

    fn document(self) -> Self::Document {
        api::Waiting {
            token: self.token,
            name: self.name,
            version: self.version,
            last: self.last,
            why: self.why.as_str().into(),
        }
    }
}

impl Documented for ibyok_operations::rotation::Due {
    type Document = api::Due;

    fn document(self) -> Self::Document {
        api::Due {
            kind: self.kind.as_str().into(),
            reference: self.reference,
            token: self.token,
            name: self.name,
            provider: self.provider,
            at: self.at,
            overdue: self.overdue,
            within_days: self.within_days,
        }
    }
}

impl Documented for core::rotation::Destroyed {
    type Document = api::Destroyed;

    fn document(self) -> Self::Document {
        api::Destroyed {
            key: self.key.document(),
            remains: self.remains,
        }
    }
}
