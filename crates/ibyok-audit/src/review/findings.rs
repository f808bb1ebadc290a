//! The collection of findings: related ones are merged, and their number is bounded.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::finding::{Detector, Finding, FindingId, Severity, Shown, Subject};

/// The largest number of findings of one detector that a review lists. The rest are only counted.
const OF_A_DETECTOR: usize = 200;

/// The largest number of lines that a finding shows.
const LINES: usize = 5;

/// The largest number of findings that may still grow. Beyond it, the finding that is silent longest is closed.
const OPEN: usize = 20_000;

/// A line that shows something suspicious, and the pattern that it shows.
pub(super) struct Hit {
    pub(super) detector: Detector,
    pub(super) severity: Severity,
    pub(super) subject: Subject,
    /// The detail that separates this finding from others of the same subject.
    pub(super) about: String,
    /// In words.
    pub(super) explanation: String,
    pub(super) line: Shown,
    /// The number of requests for which the line stands.
    pub(super) count: u64,
    /// A hit after a longer silence is another finding.
    pub(super) within: SignedDuration,
}

#[derive(Debug)]
pub(super) struct Findings {
    since: Timestamp,
    open: BTreeMap<(Detector, String), Finding>,
    closed: Vec<Finding>,
    told: BTreeMap<Detector, usize>,
    more: BTreeMap<Detector, u64>,
}

impl Findings {
    pub(super) fn new(since: Timestamp) -> Self {
        Self {
            since,
            open: BTreeMap::new(),
            closed: Vec::new(),
            told: BTreeMap::new(),
            more: BTreeMap::new(),
        }
    }

    /// Returns true if this time is under review. Lines before the review are history, which yields no findings.
    pub(super) fn is_under_review(&self, time: Timestamp) -> bool {
        time >= self.since
    }

    /// Adds a hit to the finding that it continues, or begins one.
    pub(super) fn hit(&mut self, hit: Hit) {
        let key = (
            hit.detector,
            format!("{}\0{}\0{}", hit.subject.kind, hit.subject.id, hit.about),
        );
        if let Some(open) = self.open.get_mut(&key) {
            if hit.line.time.duration_since(open.last) <= hit.within {
                grow(open, hit);
                return;
            }
            if let Some(over) = self.open.remove(&key) {
                self.close(over);
            }
        }
        if self.open.len() >= OPEN {
            self.end_the_oldest();
        }
        let finding = Finding {
            id: FindingId::of(hit.detector, &key.1, &hit.line),
            detector: hit.detector,
            severity: hit.severity,
            subject: hit.subject,
            explanation: hit.explanation,
            count: hit.count,
            first: hit.line.time,
            last: hit.line.time,
            lines: vec![hit.line],
            acknowledged: None,
        };
        self.open.insert(key, finding);
    }

    /// Adds a line to an open finding, if there is one that it continues; cheaper than a hit. Returns true if there is.
    pub(super) fn again(&mut self, detector: Detector, subject: (&str, &str), about: &str, line: &Shown) -> bool {
        let key = (detector, format!("{}\0{}\0{about}", subject.0, subject.1));
        let Some(open) = self.open.get_mut(&key) else {
            return false;
        };
        open.count = open.count.saturating_add(1);
        open.last = open.last.max(line.time);
        if open.lines.len() < LINES {
            open.lines.push(line.clone());
        }
        true
    }

    fn end_the_oldest(&mut self) {
        let oldest = self
            .open
            .iter()
            .min_by_key(|(_, finding)| finding.last)
            .map(|(key, _)| key.clone());
        if let Some(over) = oldest.and_then(|key| self.open.remove(&key)) {
            self.close(over);
        }
    }

    fn close(&mut self, finding: Finding) {
        if finding.last < self.since {
            return;
        }
        let told = self.told.entry(finding.detector).or_default();
        if *told < OF_A_DETECTOR {
            *told += 1;
            self.closed.push(finding);
        } else {
            *self.more.entry(finding.detector).or_default() += 1;
        }
    }

    /// All of them, the gravest first, and how many more there are of which detector.
    pub(super) fn finish(mut self) -> (Vec<Finding>, BTreeMap<&'static str, u64>) {
        let mut open: Vec<Finding> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_by(|a, b| (a.first, &a.id).cmp(&(b.first, &b.id)));
        open.into_iter().for_each(|finding| self.close(finding));
        self.closed
            .sort_by(|a, b| (b.severity, a.first, &a.id).cmp(&(a.severity, b.first, &b.id)));
        let more = self
            .more
            .into_iter()
            .map(|(detector, count)| (detector.as_str(), count));
        (self.closed, more.collect())
    }
}

fn grow(open: &mut Finding, hit: Hit) {
    open.count = open.count.saturating_add(hit.count);
    open.last = open.last.max(hit.line.time);
    open.explanation = hit.explanation;
    open.severity = open.severity.max(hit.severity);
    if open.lines.len() < LINES {
        open.lines.push(hit.line);
    }
}
