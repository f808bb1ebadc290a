//! Reviews of the audit log.

use ibyok_api as api;
use ibyok_operations as operations;

use crate::Documented;

impl Documented for operations::reviews::Review {
    type Document = api::Review;

    fn document(self) -> Self::Document {
        let found = self.found;
        let logs = found.logs.into_iter().map(|log| api::LogRead {
            log: log.log.to_string(),
            from: log.from,
            until: log.until,
            last: log.last,
            lines: log.lines,
        });
        let days = found.days.into_iter().map(|day| api::ReviewDay {
            date: day.date,
            hours: day.hours,
            refused: day.refused,
        });
        let tokens = found.tokens.into_iter().map(|token| api::ReviewToken {
            id: token.id,
            name: token.name,
            reads: token.reads,
            refused: token.refused,
            keys: token.keys,
            networks: token.networks,
            first: token.first,
            last: token.last,
        });
        let networks = found.networks.into_iter().map(|network| api::ReviewNetwork {
            network: network.network,
            country: network.country.map(|country| country.to_string()),
            tokens: network.tokens,
            requests: network.requests,
            refused: network.refused,
            first: network.first,
            last: network.last,
        });
        let more = found.more.into_iter();
        api::Review {
            since: found.since,
            until: found.until,
            history_since: found.history_since,
            lines: found.lines,
            history: found.history,
            findings: found.findings.document(),
            more: more.map(|(detector, count)| (detector.to_owned(), count)).collect(),
            not_judged: found.not_judged,
            logs: logs.collect(),
            days: days.collect(),
            tokens: tokens.collect(),
            networks: networks.collect(),
            thresholds: found.thresholds.document(),
            open: self.open,
            last_done: self.last_done.document(),
        }
    }
}

impl Documented for operations::reviews::Finding {
    type Document = api::Finding;

    fn document(self) -> Self::Document {
        let lines = self.lines.into_iter().map(|line| api::ShownLine {
            log: line.log.to_string(),
            seq: line.seq,
            time: line.time,
        });
        api::Finding {
            id: self.id.to_string(),
            detector: self.detector.as_str().to_owned(),
            severity: self.severity.as_str().into(),
            subject: api::FindingSubject {
                kind: self.subject.kind.into(),
                id: self.subject.id,
                name: self.subject.name,
            },
            explanation: self.explanation,
            count: self.count,
            first: self.first,
            last: self.last,
            lines: lines.collect(),
            acknowledged: self.acknowledged.map(|acknowledged| api::Acknowledged {
                at: acknowledged.at,
                by: acknowledged.by,
                reason: acknowledged.reason,
            }),
        }
    }
}

impl Documented for operations::reviews::Thresholds {
    type Document = api::ReviewThresholds;

    fn document(self) -> Self::Document {
        api::ReviewThresholds {
            history_days: self.history_days,
            learning_days: self.learning_days,
            dormant_days: self.dormant_days,
            active_days: self.active_days,
            burst_lines: self.burst_lines,
            burst_factor: self.burst_factor,
            breadth_keys: self.breadth_keys,
            breadth_factor: self.breadth_factor,
            failed_by_network: self.failed_by_network,
            failed_by_token: self.failed_by_token,
            operator_hours: self.operator_hours,
            time_zone: self.time_zone,
        }
    }
}

impl Documented for operations::reviews::ReviewDone {
    type Document = api::ReviewDone;

    fn document(self) -> Self::Document {
        let until = self.until.into_iter().map(|log| api::ReviewedLog {
            log: log.log,
            seq: log.seq,
        });
        api::ReviewDone {
            at: self.at,
            by: self.by,
            since: self.since,
            until: until.collect(),
            findings: self.findings,
            open: self.open,
            reason: self.reason,
        }
    }
}
