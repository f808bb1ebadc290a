//! Review of a log: findings for people, in words, with the lines that show them.
//!
//! Pure: lines go in, oldest first and merged by time as [`Reader`](crate::Reader) gives them, and findings come out.
//! The same lines give the same findings. Lines before the time under review are history: they teach the usual
//! behaviour. Memory is bounded, for any log: see docs/review.md for each bound, and for the effect of exceeding it.

mod country;
mod failures;
mod finding;
mod findings;
mod logs;
mod network;
mod operators;
mod profile;
mod summary;
mod thresholds;
mod tokens;
mod versions;

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use self::failures::Failures;
use self::finding::Severity as Grave;
use self::findings::Findings;
use self::logs::{Logs, gap};
use self::operators::{Operators, settings};
use self::profile::Hour;
use self::summary::Summary;
use self::thresholds::Checked;
use self::tokens::Tokens;
use self::versions::Versions;
use crate::error::Error;
use crate::read::{ArchivedLines, Entry, LeftOut, LeftOutReason, Line, LinePlace};

pub use country::{Countries, Country};
pub use finding::{Acknowledged, Detector, Finding, FindingId, Severity, Shown, Subject};
pub use logs::LogRead;
pub use summary::{Day, NetworkRow, TokenRow};
pub use thresholds::Thresholds;

/// The result of a review.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct LogReview {
    /// From when on lines are under review.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// From when on lines were read as history.
    pub history_since: Timestamp,
    /// The number of lines under review.
    pub lines: u64,
    /// The number of lines read as history.
    pub history: u64,
    /// The findings, the gravest first.
    pub findings: Vec<Finding>,
    /// The number of findings of each detector that the review counts and does not list.
    pub more: BTreeMap<&'static str, u64>,
    /// Lines of tokens beyond the number that can be judged.
    pub not_judged: u64,
    /// Up to where each log was read.
    pub logs: Vec<LogRead>,
    /// Requests by day and hour.
    pub days: Vec<Day>,
    /// The tokens that read the most.
    pub tokens: Vec<TokenRow>,
    /// The networks that asked the most.
    pub networks: Vec<NetworkRow>,
    /// From where on something is worth a look.
    pub thresholds: Thresholds,
}

/// Takes lines in, oldest first, and finds suspicious behaviour.
#[derive(Debug)]
pub struct Reviewer {
    limits: Checked,
    since: Timestamp,
    until: Timestamp,
    lines: u64,
    history: u64,
    /// The hour of UTC that was last looked up, and how far the local clock is from it.
    offset: (i64, Offset),
    countries: Option<Box<dyn Countries>>,
    found: Findings,
    logs: Logs,
    tokens: Tokens,
    failures: Failures,
    operators: Operators,
    versions: Versions,
    summary: Summary,
}

impl Reviewer {
    /// A review of the time from `since` until `until`.
    ///
    /// # Errors
    /// [`Error::BadThreshold`].
    pub fn new(since: Timestamp, until: Timestamp, thresholds: &Thresholds) -> Result<Self, Error> {
        Ok(Self {
            limits: thresholds.checked()?,
            since,
            until,
            lines: 0,
            history: 0,
            offset: (i64::MIN, Offset::UTC),
            countries: None,
            found: Findings::new(since),
            logs: Logs::default(),
            tokens: Tokens::default(),
            failures: Failures::default(),
            operators: Operators::default(),
            versions: Versions::default(),
            summary: Summary::default(),
        })
    }

    /// The same, with a lookup of the country of an address; without it no country is checked.
    #[must_use]
    pub fn countries(mut self, countries: impl Countries + 'static) -> Self {
        self.countries = Some(Box::new(countries));
        self
    }

    /// From when on lines should be given to it.
    #[must_use]
    pub fn history_since(&self) -> Timestamp {
        let history = SignedDuration::from_hours(i64::from(self.limits.given.history_days).saturating_mul(24));
        self.since.checked_sub(history).unwrap_or(Timestamp::MIN)
    }

    /// Takes in the next line.
    pub fn take(&mut self, line: &Line) {
        let entry = line.entry();
        if entry.time >= self.until {
            return self.pass_over(&LinePlace::of(line));
        }
        let reviewed = entry.time >= self.since;
        let place = self.logs.take(&LinePlace::of(line), reviewed, &mut self.found);
        *(if reviewed { &mut self.lines } else { &mut self.history }) += 1;
        let at = self.local(entry.time);
        let country = (entry.principal.kind == "token")
            .then(|| self.country(entry.client.ip))
            .flatten();
        let (found, limits) = (&mut self.found, &self.limits);
        Logs::own(entry, &place, found);
        settings(entry, &place, found);
        self.versions.take(entry, &place, found);
        match entry.principal.kind.as_str() {
            _ if entry.action == "token.use_failed" => self.failures.take(entry, &place, limits, found),
            "token" => self.tokens.take(entry, &place, (at, country), limits, found),
            "operator" => self.operators.take(entry, &place, at, limits, found),
            _ => {}
        }
        if reviewed && is_request(entry) {
            self.summary.take(entry, at);
        }
    }

    /// Passes over a line that the caller may not see. Only its presence counts.
    pub fn pass_over(&mut self, place: &LinePlace<'_>) {
        self.logs.take(place, false, &mut self.found);
    }

    /// Takes in that a line could not be read.
    pub fn unreadable(&mut self, error: &Error) {
        if let Some(near) = self.logs.newest() {
            self.found.hit(gap(
                &near,
                Grave::High,
                format!("a line after this one cannot be read: {error}"),
            ));
        }
    }

    /// Takes in that lines were left out.
    pub fn left_out(&mut self, left_out: &LeftOut) {
        let severity = match left_out.why {
            // One line may have been changed, and it takes those behind it with it.
            LeftOutReason::NotVouched | LeftOutReason::NoKey => Grave::High,
            // A server that opens several environments, and not what spans them, writes such lines as well.
            LeftOutReason::Elsewhere => Grave::Medium,
        };
        if let Some(near) = self.logs.newest() {
            let text = format!("lines cannot be read, or are not believed: {left_out}");
            let mut hit = gap(&near, severity, text);
            hit.about = format!("{:?}", left_out.why);
            self.found.hit(hit);
        }
    }

    /// Takes in that lines are archived. It is a finding if some of them are of the time that is reviewed.
    pub fn archived(&mut self, archived: &ArchivedLines) {
        if let Some(near) = self.logs.newest().filter(|_| archived.until >= self.since) {
            let mut hit = gap(
                &near,
                Grave::Medium,
                format!("lines of this time were not reviewed: {archived}"),
            );
            hit.about = "Archived".to_owned();
            self.found.hit(hit);
        }
    }

    /// Ends the review and returns its result.
    #[must_use]
    pub fn finish(self) -> LogReview {
        let history_since = self.history_since();
        let (findings, more) = self.found.finish();
        LogReview {
            since: self.since,
            until: self.until,
            history_since,
            lines: self.lines,
            history: self.history,
            findings,
            more,
            not_judged: self.tokens.not_judged,
            logs: self.logs.finish(),
            days: self.summary.days(),
            tokens: self.summary.tokens(),
            networks: self.summary.networks(self.countries.as_deref()),
            thresholds: self.limits.given,
        }
    }

    fn country(&self, address: Option<IpAddr>) -> Option<Country> {
        self.countries.as_ref()?.country(address?.to_canonical())
    }

    fn local(&mut self, time: Timestamp) -> Hour {
        let quarter = time.as_second().div_euclid(900);
        if self.offset.0 != quarter {
            self.offset = (quarter, self.limits.zone.to_offset(time));
        }
        let second = time.as_second().saturating_add(self.offset.1.seconds().into());
        Hour {
            day: second.div_euclid(86_400),
            hour: usize::try_from(second.rem_euclid(86_400) / 3600).unwrap_or(0),
        }
    }
}

/// Returns true if a line stands for a request and counts it the first time. The end of a change belongs to the same
/// request, and the log's own lines belong to no request.
fn is_request(entry: &Entry) -> bool {
    let again = matches!(
        entry.phase,
        Some(crate::action::Phase::Done | crate::action::Phase::NotDone)
    );
    !again && !entry.action.starts_with("log.")
}
