//! The facts about an incident: the readers of the key and their addresses, their reach, and the lines about it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ibyok_audit::{Action, Entry, Filter, Outcome};
use ibyok_policy::Scope;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::copies::LeakedCopy;
use super::reach::Reach;
use super::readers::{KeyReader, is_release};
use crate::base::error::{Error, Result};
use crate::examine::{Examined, Examiner};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::incident::Found;
use crate::model::incident::IncidentInfo;
use crate::model::key_info::KeyInfo;
use crate::vault::Inner;
use crate::vault::handles::IncidentVerbs;

/// The number of lines of each sort that a report shows: releases after the leak, refusals, and changes. Further
/// lines are only counted. Each sort has its own limit, so that a caller that is refused a thousand times does not
/// push out the releases.
const RELEASES_MAX: usize = 500;
const REFUSALS_MAX: usize = 100;
const CHANGES_MAX: usize = 400;

/// The time before the incident at which a report begins, unless the incident says since when the key may have been
/// in other hands.
const BEFORE: SignedDuration = SignedDuration::from_hours(90 * 24);

/// The facts about an incident that the records and the logs have.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct IncidentFacts {
    /// The incident.
    pub incident: IncidentInfo,
    /// The key as it is now; `None` once it is removed.
    pub key: Option<KeyInfo>,
    /// The time from which on the log was read.
    pub since: Timestamp,
    /// The time of the request.
    pub made: Timestamp,
    /// The events of the key and about it, oldest first: changes, refusals, and each release after the leak.
    pub timeline: Vec<ReportLine>,
    /// The number of further lines that the report does not show.
    pub further_lines: u64,
    /// The callers that were given the key since then on any node, the last reader first.
    pub readers: Vec<KeyReader>,
    /// Gaps in this report: nodes that do not report, counts that do not open, damaged records, lines of the log that cannot be read.
    pub unseen: Vec<String>,
    /// The number of releases, after the leak, of a version that may have leaked.
    pub released_after: u64,
    /// The reach of the tokens that read the key: the other keys that they could read, and those that they did.
    pub reach: Vec<Reach>,
    /// The other keys of the environment that hold the value now, as far as the caller may read both.
    pub copies: Vec<LeakedCopy>,
}

/// A line of the audit log, as a report shows it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ReportLine {
    /// The time of the line.
    pub time: Timestamp,
    /// The id of the log.
    pub log: String,
    /// The line's number in the log.
    pub seq: u64,
    /// The action.
    pub action: String,
    /// The outcome.
    pub outcome: Outcome,
    /// The principal: the token's id, or the operator's name.
    pub by: Option<String>,
    /// The token's name.
    pub name: Option<String>,
    /// The version.
    pub version: Option<u64>,
    /// The address of the caller.
    pub address: Option<IpAddr>,
    /// The name that its program gave itself.
    pub user_agent: Option<String>,
    /// The reason on the line.
    pub reason: Option<String>,
    /// The number of events that the line stands for.
    pub count: u64,
}

impl ReportLine {
    fn of(entry: &Entry) -> Self {
        ReportLine {
            time: entry.time,
            log: entry.log.clone(),
            seq: entry.seq,
            action: entry.action.clone(),
            outcome: entry.outcome,
            by: entry.principal.id.clone(),
            name: entry.principal.name.clone(),
            version: entry.version,
            address: entry.client.ip,
            user_agent: entry.client.user_agent.clone(),
            reason: entry.reason.clone(),
            count: entry.count,
        }
    }
}

/// The lines that were collected from the log.
#[derive(Default)]
struct Seen {
    lines: Vec<ReportLine>,
    releases: usize,
    refusals: usize,
    changes: usize,
    further: u64,
    released_after: u64,
}

impl Seen {
    fn add(&mut self, entry: &Entry, released: bool) {
        let (shown, most) = match entry.outcome {
            _ if released => (&mut self.releases, RELEASES_MAX),
            Outcome::Allowed => (&mut self.changes, CHANGES_MAX),
            _ => (&mut self.refusals, REFUSALS_MAX),
        };
        if *shown < most {
            *shown += 1;
            self.lines.push(ReportLine::of(entry));
        } else {
            self.further += 1;
        }
    }
}

impl IncidentVerbs<'_> {
    /// Returns the facts about an incident, found by its id or its key's reference. It reads the audit logs of this
    /// place from `since` on, else from the time at which the key may have leaked, else from 90 days before the
    /// incident.
    ///
    /// An examiner made for that time examines the log as part of the same request. There is no result of it while another
    /// examination is going on, or while a part that it needs does not answer.
    ///
    /// # Errors
    /// As [`IncidentVerbs::close`](crate::incidents::IncidentVerbs::close); a token needs `audit:read` for the key as well.
    pub async fn facts<E: Examiner>(
        self,
        which: &str,
        since: Option<Timestamp>,
        examiner: impl FnOnce(Timestamp) -> E + Send,
    ) -> Result<(IncidentFacts, Option<Examined<E::Found>>)> {
        let mut attempt = self.session.attempt(Action::AuditRead);
        let outcome = self.try_facts(&mut attempt, (which, since), examiner).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_facts<E: Examiner>(
        self,
        attempt: &mut Attempt<'_>,
        (which, since): (&str, Option<Timestamp>),
        examiner: impl FnOnce(Timestamp) -> E + Send,
    ) -> Result<(IncidentFacts, Option<Examined<E::Found>>)> {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        let found = self.find_incident(attempt, &principal, which).await?;
        let (environment, key) = (Some(&found.record.environment), Some(&found.record.key));
        let (scope, namespace) = (Scope::AuditRead, principal.namespace());
        inner
            .gate
            .allowed(attempt, &principal, scope, namespace, environment, key)?;
        let incident = found.info();
        let since = since.or(incident.since).unwrap_or_else(|| before(incident.opened.at));
        let key = self.key_now(&principal, &found).await?;
        let mut unseen = Vec::new();
        let seen = self.lines_about(&principal, &incident, since, &mut unseen).await?;
        let readers = self.readers_since(&principal, &found, since, &mut unseen).await?;
        let reach = inner
            .reach_of(attempt, &principal, &readers, since, &mut unseen)
            .await?;
        let examined = self.session.examined(attempt, &principal, examiner(since), &[]).await;
        let copies = self.copies_now(attempt, &principal, &found).await?;
        let facts = IncidentFacts {
            incident,
            key,
            since,
            made: attempt.at,
            timeline: seen.lines,
            further_lines: seen.further,
            readers,
            unseen,
            released_after: seen.released_after,
            reach,
            copies,
        };
        match examined {
            Ok(examined) => Ok((facts, Some(examined))),
            Err(Error::Unavailable { .. }) => Ok((facts, None)),
            Err(error) => Err(error),
        }
    }

    /// Returns the readers of an incident's key since then, and adds what may hide one.
    async fn readers_since(
        self,
        principal: &Principal,
        found: &Found,
        since: Timestamp,
        unseen: &mut Vec<String>,
    ) -> Result<Vec<KeyReader>> {
        let inner = &self.session.inner;
        let environment = &found.record.environment;
        let realm = inner
            .records
            .environment_realm(principal.namespace(), environment)
            .await?;
        let readers = inner.readers_of(&realm, found.record.key()?, since).await?;
        for gap in readers.unseen {
            // Each part of the facts reads the log by itself, and meets the same gaps.
            if !unseen.contains(&gap) {
                unseen.push(gap);
            }
        }
        Ok(readers.readers)
    }

    async fn key_now(self, principal: &Principal, found: &Found) -> Result<Option<KeyInfo>> {
        let (namespace, environment) = (principal.namespace(), &found.record.environment);
        let realm = self
            .session
            .inner
            .records
            .environment_realm(namespace, environment)
            .await?;
        let id = found.record.key()?;
        let held = self.session.inner.records.live_key(&realm, id).await?;
        Ok(held.map(|held| held.record.info(&realm.key_at(environment, &held.record.name, id))))
    }

    /// The lines about an incident: those of its key, of itself, and of the tokens that were revoked because of it.
    async fn lines_about(
        self,
        principal: &Principal,
        incident: &IncidentInfo,
        since: Timestamp,
        unseen: &mut Vec<String>,
    ) -> Result<Seen> {
        let leaked_at = incident.since.unwrap_or(incident.opened.at);
        let key = incident.key_id.clone();
        let versions: BTreeSet<u64> = incident.versions.iter().copied().map(u64::from).collect();
        let targets: BTreeSet<String> = std::iter::once(incident.id.to_string())
            .chain(incident.revoked.iter().map(ToString::to_string))
            .collect();
        let mut filter = self.session.inner.logs.own_lines(principal, &Filter::default()).await?;
        filter.since = filter.since.max(Some(since));
        let look = move |seen: &mut Seen, line: &ibyok_audit::Line| {
            let entry = line.entry();
            let of_key = entry.key_id.as_deref() == Some(key.as_str());
            let target = entry.target.as_ref().map(|target| target.id.as_str());
            if !of_key && !target.is_some_and(|target| targets.contains(target)) {
                return;
            }
            let after = is_release(entry)
                && entry.time >= leaked_at
                && entry.version.is_some_and(|version| versions.contains(&version));
            if after {
                seen.released_after = seen.released_after.saturating_add(entry.count);
            }
            if after || is_told(entry) {
                seen.add(entry, after);
            }
        };
        self.session
            .inner
            .look_through(filter, Seen::default(), look, unseen)
            .await
    }
}

/// True if a line is shown by itself: a change that was made, or a refusal.
fn is_told(entry: &Entry) -> bool {
    let looking = [
        Action::KeyShow.as_str(),
        Action::KeyList.as_str(),
        Action::AuditRead.as_str(),
    ];
    let intended = entry.phase == Some(ibyok_audit::Phase::Intended);
    !intended && !looking.contains(&entry.action.as_str()) && !is_release(entry)
}

fn before(opened: Timestamp) -> Timestamp {
    opened.checked_sub(BEFORE).unwrap_or(Timestamp::MIN)
}

/// The number of releases of each key to each of some tokens, with the time of the last.
pub(super) type Reads = BTreeMap<String, BTreeMap<(String, String), (u64, Timestamp)>>;

impl Inner {
    /// Returns the reads of some tokens since a time: by token, environment and key, their number and the time of the
    /// last.
    pub(super) async fn reads_of(
        self: &Arc<Self>,
        principal: &Principal,
        tokens: BTreeSet<String>,
        since: Timestamp,
        unseen: &mut Vec<String>,
    ) -> Result<Reads> {
        let mut filter = self.logs.own_lines(principal, &Filter::default()).await?;
        filter.since = filter.since.max(Some(since));
        filter.outcome = Some(Outcome::Allowed);
        let look = move |reads: &mut Reads, line: &ibyok_audit::Line| {
            let entry = line.entry();
            let token = entry
                .principal
                .id
                .as_ref()
                .filter(|id| is_release(entry) && tokens.contains(*id));
            let (Some(token), Some(environment), Some(key)) = (token, &entry.environment, &entry.key) else {
                return;
            };
            let keys = reads.entry(token.clone()).or_default();
            let read = keys.entry((environment.clone(), key.clone()));
            let read = read.or_insert((0, entry.time));
            read.0 = read.0.saturating_add(entry.count);
            read.1 = read.1.max(entry.time);
        };
        self.look_through(filter, Reads::new(), look, unseen).await
    }
}
