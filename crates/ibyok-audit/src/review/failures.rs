//! Requests without a valid token.

use std::collections::HashMap;

use jiff::SignedDuration;

use super::finding::{Detector, Severity, Shown, Subject};
use super::findings::{Findings, Hit};
use super::network::Network;
use super::thresholds::Checked;
use crate::read::Entry;

/// The largest number of networks and of ids counted at once. The rest count as one.
const COUNTED: usize = 10_000;

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct Failures {
    hour: i64,
    by_network: HashMap<String, Count>,
    by_token: HashMap<String, Count>,
}

#[derive(Debug)]
struct Count {
    requests: u64,
    first: Shown,
}

impl Failures {
    /// Counts a line about a request without a valid token.
    pub(super) fn take(&mut self, entry: &Entry, line: &Shown, limits: &Checked, found: &mut Findings) {
        if entry.principal.kind == "token" {
            return dead(entry, line, found);
        }
        let hour = line.time.as_second().div_euclid(3600);
        if hour > self.hour {
            self.hour = hour;
            self.by_network.clear();
            self.by_token.clear();
        }
        if let Some(address) = entry.client.ip {
            let subject = ("network", Network::of(address).to_string());
            let limit = limits.given.failed_by_network;
            let what = (Detector::FailedByNetwork, "requests without a valid token in an hour");
            count(&mut self.by_network, subject, entry, line, limit, what, found);
        }
        if let Some(id) = &entry.principal.id {
            let (subject, limit) = (("unknown", id.clone()), limits.given.failed_by_token);
            let what = (
                Detector::FailedByToken,
                "requests with one token that is none of this vault's in an hour",
            );
            count(&mut self.by_token, subject, entry, line, limit, what, found);
        }
    }
}

fn count(
    counts: &mut HashMap<String, Count>,
    (kind, id): (&'static str, String),
    entry: &Entry,
    line: &Shown,
    limit: u64,
    (detector, words): (Detector, &str),
    found: &mut Findings,
) {
    let full = counts.len() >= COUNTED && !counts.contains_key(&id);
    let id = if full { "others".to_owned() } else { id };
    let first = || Count {
        requests: 0,
        first: line.clone(),
    };
    let count = counts.entry(id.clone()).or_insert_with(first);
    let before = count.requests;
    count.requests = before.saturating_add(entry.count);
    if count.requests < limit {
        return;
    }
    let began = before < limit;
    found.hit(Hit {
        detector,
        severity: Severity::Medium,
        subject: Subject { kind, id, name: None },
        about: String::new(),
        explanation: format!("{} {words}", count.requests),
        line: if began { count.first.clone() } else { line.clone() },
        count: if began { count.requests } else { entry.count },
        within: HOUR.saturating_mul(2),
    });
}

/// A token of this vault that is not valid any more.
fn dead(entry: &Entry, line: &Shown, found: &mut Findings) {
    let reason = entry.reason.as_deref().unwrap_or("not valid");
    let (severity, words) = match reason {
        "expired" => (Severity::Low, "it has expired"),
        "superseded" => (Severity::Medium, "its secret was replaced"),
        "revoked" => (Severity::High, "it was revoked"),
        "parent_revoked" => (Severity::High, "a token that it comes from was revoked"),
        _ => (Severity::Medium, "it is not valid"),
    };
    let from = entry
        .client
        .ip
        .map_or_else(String::new, |ip| format!(" from {}", Network::of(ip)));
    found.hit(Hit {
        detector: Detector::DeadToken,
        severity,
        subject: Subject {
            kind: "token",
            id: entry.principal.id.clone().unwrap_or_default(),
            name: entry.principal.name.clone(),
        },
        about: reason.to_owned(),
        explanation: format!("used{from} although {words}"),
        line: line.clone(),
        count: entry.count,
        within: HOUR.saturating_mul(24),
    });
}
