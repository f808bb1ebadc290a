//! Incidents and their reports.

use ibyok_api as api;
use ibyok_core as core;
use ibyok_operations as operations;

use crate::{Documented, count, texts};

impl Documented for core::incidents::IncidentInfo {
    type Document = api::Incident;

    fn document(self) -> Self::Document {
        api::Incident {
            id: self.id.to_string(),
            reference: self.reference,
            key_id: self.key_id,
            state: self.state.as_str().into(),
            versions: self.versions,
            reason: self.reason,
            opened: self.opened.document(),
            since: self.since,
            frozen: self.frozen,
            revoked: texts(self.revoked),
            replaced: self.replaced.map(|replaced| api::Replacement {
                version: replaced.version,
                at: replaced.at,
                by: replaced.by,
            }),
            notes: self.notes.document(),
            closed: self.closed.map(|closed| api::Closing {
                at: closed.at,
                by: closed.by,
                cause: closed.cause,
                prevention: closed.prevention,
            }),
        }
    }
}

impl Documented for core::incidents::IncidentNote {
    type Document = api::IncidentNote;

    fn document(self) -> Self::Document {
        api::IncidentNote {
            at: self.at,
            by: self.by,
            text: self.text,
        }
    }
}

impl Documented for operations::incidents::Opened {
    type Document = api::IncidentOpened;

    fn document(self) -> Self::Document {
        let opened = self.opened;
        api::IncidentOpened {
            incident: opened.incident.document(),
            was_open: opened.was_open,
            not_replaced: opened.not_replaced,
            warnings: opened.warnings,
            not_revoked: opened.not_revoked.document(),
            unseen: opened.unseen,
            copies: opened.copies.document(),
            remaining: self.remaining.document(),
        }
    }
}

impl Documented for core::incidents::NotRevoked {
    type Document = api::NotRevoked;

    fn document(self) -> Self::Document {
        api::NotRevoked {
            token: self.token.to_string(),
            why: self.why,
        }
    }
}

impl Documented for core::incidents::LeakedCopy {
    type Document = api::LeakedCopy;

    fn document(self) -> Self::Document {
        api::LeakedCopy {
            reference: self.reference,
            versions: self.versions,
            marked: self.marked,
            incident: self.incident.map(|id| id.to_string()),
            why: self.why,
        }
    }
}

impl Documented for operations::incidents::Step {
    type Document = api::Step;

    fn document(self) -> Self::Document {
        api::Step {
            id: self.id.as_str().into(),
            what: self.what,
            how: self.how,
        }
    }
}

impl Documented for operations::incidents::IncidentReport {
    type Document = api::IncidentReport;

    fn document(self) -> Self::Document {
        let facts = self.facts;
        api::IncidentReport {
            incident: facts.incident.document(),
            key: facts.key.document(),
            provider: self.provider.document(),
            since: facts.since,
            made: facts.made,
            timeline: facts.timeline.document(),
            further_lines: facts.further_lines,
            readers: facts.readers.document(),
            unseen: facts.unseen,
            released_after: facts.released_after,
            reach: facts.reach.document(),
            findings: self.findings.document(),
            copies: facts.copies.document(),
            remaining: self.remaining.document(),
        }
    }
}

impl Documented for operations::incidents::ProviderPages {
    type Document = api::ProviderPages;

    fn document(self) -> Self::Document {
        api::ProviderPages {
            id: self.id,
            name: self.name,
            revoke_url: self.revoke_url,
            create_url: self.create_url,
        }
    }
}

impl Documented for core::incidents::ReportLine {
    type Document = api::ReportLine;

    fn document(self) -> Self::Document {
        api::ReportLine {
            time: self.time,
            log: self.log,
            seq: self.seq,
            action: self.action,
            outcome: self.outcome.as_str().into(),
            by: self.by,
            name: self.name,
            version: self.version,
            address: self.address,
            user_agent: self.user_agent,
            reason: self.reason,
            count: self.count,
        }
    }
}

impl Documented for core::incidents::KeyReader {
    type Document = api::KeyReader;

    fn document(self) -> Self::Document {
        api::KeyReader {
            id: self.id,
            kind: self.kind.as_str().into(),
            name: self.name,
            count: self.count,
            first: self.first,
            last: self.last,
            last_line: self.last_line.map(|line| api::LineAt {
                log: line.log,
                seq: line.seq,
            }),
            versions: self.versions,
            addresses: self.addresses,
            user_agents: self.user_agents,
            source: self.source.as_str().into(),
        }
    }
}

impl Documented for core::incidents::Reach {
    type Document = api::Reach;

    fn document(self) -> Self::Document {
        let did_read = self.did_read.into_iter().map(|read| api::DidRead {
            reference: read.reference,
            count: read.count,
            last: read.last,
        });
        api::Reach {
            token: self.token.to_string(),
            name: self.name,
            state: self.state.as_str().into(),
            grant: self.grant.document(),
            could_read: self.could_read,
            could_read_count: count(self.could_read_count),
            did_read: did_read.collect(),
        }
    }
}
