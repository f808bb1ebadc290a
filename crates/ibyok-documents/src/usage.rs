//! Reports of usage.

use ibyok_api as api;
use ibyok_core as core;

use crate::{Documented, count};

impl Documented for core::usage::UsageReport {
    type Document = api::UsageReport;

    fn document(self) -> Self::Document {
        api::UsageReport {
            by: self.by.as_str().into(),
            since: self.since,
            until: self.until,
            items: self.items.document(),
            damaged: self.damaged,
            damaged_environments: self.damaged_environments.document(),
            incomplete: self.incomplete,
            next: self.next,
        }
    }
}

impl Documented for core::usage::UsageItem {
    type Document = api::UsageItem;

    fn document(self) -> Self::Document {
        api::UsageItem {
            reference: self.reference,
            key_id: self.key_id.map(|id| id.to_string()),
            version: self.version,
            kind: self.kind.map(|kind| kind.as_str().into()),
            token: self.token,
            name: self.name,
            environment: self.environment.map(|name| name.to_string()),
            day: self.day,
            allowed: self.allowed,
            mocked: self.mocked,
            denied: self.denied,
            failed: self.failed,
            last_used: self.last_used,
            consumers: count(self.consumers),
            networks: count(self.networks),
            more_networks: self.more_networks,
        }
    }
}
