//! The list of due items: versions that are old enough to be rotated, keys and tokens that end soon or have ended.

use std::future::Future;
use std::time::{Duration, Instant};

use ibyok_core::audit::Action;
use ibyok_core::jiff::{SignedDuration, Timestamp};
use ibyok_core::keys::KeyInfo;
use ibyok_core::pages::{Page, PageRequest};
use ibyok_core::rotation::RotationVerbs;
use ibyok_core::status::{DamagedRecord, RecordKind};
use ibyok_core::tokens::{TokenInfo, TokenState};
use ibyok_core::{EnvironmentName, Environments, Result, Scope};
use serde::Serialize;

use crate::words::words;

/// The numbers of days ahead of an end at which it is listed.
const DAYS_AHEAD: [i64; 3] = [1, 7, 30];

/// The number of keys or tokens that are read at once.
const AT_ONCE: usize = 1000;

/// The same if the time is limited.
const SHORT: usize = 200;

words! {
    /// The kind of a thing that is due.
    pub enum DueKind {
        /// The age at which a key is to be rotated.
        Rotation = "rotation",
        /// The end of a key at its provider.
        KeyExpiry = "key_expiry",
        /// The end of a token.
        TokenExpiry = "token_expiry",
        /// A key whose record cannot be read.
        DamagedKey = "damaged_key",
        /// A token whose record cannot be read.
        DamagedToken = "damaged_token",
        /// An environment whose record cannot be read.
        DamagedEnvironment = "damaged_environment",
    }
}

/// A thing that is due, or will be soon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Due {
    /// `rotation`, `key_expiry`, `token_expiry`; or `damaged_key`, `damaged_token` and `damaged_environment` for a
    /// record that cannot be read.
    pub kind: DueKind,
    /// The key as `environment/name`; `None` for a token.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The token's id; `None` for a key.
    pub token: Option<String>,
    /// The key's or the token's name.
    pub name: String,
    /// The key's provider, if it has one; `None` for a token.
    pub provider: Option<String>,
    /// The time at which it is or was due.
    pub at: Timestamp,
    /// True if that time is past.
    pub overdue: bool,
    /// The level of the warning: within 30, 7 or 1 days; 0 once it is past.
    pub within_days: i64,
}

/// The due items among the keys and tokens that were checked.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct DueFound {
    /// The due items.
    pub due: Page<Due>,
    /// The number of keys and tokens that were checked.
    pub checked: u64,
    /// True if each key and token that the session sees was checked.
    pub complete: bool,
}

/// The list of due items, as a verb of [`Session::rotation`](ibyok_core::Session::rotation).
pub trait DueExt {
    /// Lists the due items of an environment, or of all that this session sees, the most urgent first: current versions
    /// as old as the key's interval for rotation, keys that have expired at their provider or will within 30 days,
    /// and tokens that will end within 30 days. A token counts only once more than half of its life is over.
    /// Tokens are listed only for a session that may list them.
    ///
    /// # Errors
    /// As [`KeyVerbs::list`](ibyok_core::keys::KeyVerbs::list).
    fn due(self, environment: Option<&EnvironmentName>) -> impl Future<Output = Result<Page<Due>>> + Send;

    /// Lists the due items among the keys and tokens that can be checked in about this time: half of it is for keys.
    ///
    /// # Errors
    /// As [`DueExt::due`].
    fn due_within(
        self,
        environment: Option<&EnvironmentName>,
        limit: Duration,
    ) -> impl Future<Output = Result<DueFound>> + Send;
}

impl DueExt for RotationVerbs<'_> {
    async fn due(self, environment: Option<&EnvironmentName>) -> Result<Page<Due>> {
        Ok(look(self, environment, None).await?.due)
    }

    async fn due_within(self, environment: Option<&EnvironmentName>, limit: Duration) -> Result<DueFound> {
        look(self, environment, Some(limit)).await
    }
}

async fn look(
    verbs: RotationVerbs<'_>,
    environment: Option<&EnvironmentName>,
    limit: Option<Duration>,
) -> Result<DueFound> {
    let session = verbs.session();
    let (now, begun) = (session.now(), Instant::now());
    let is_over = |part: u32| limit.is_some_and(|limit| begun.elapsed() * 2 >= limit * part);
    let (mut due, mut gaps, mut checked, mut complete) = (Vec::new(), Gaps::default(), 0, true);
    // The clock is read between pages, so those of a limited look are short.
    let at_once = if limit.is_some() { SHORT } else { AT_ONCE };
    let first = || Some(PageRequest::default().limit(at_once));
    let mut page = first();
    while let Some(asked) = page.take() {
        let found = session.keys().list(environment, &asked).await?;
        checked += found.items.len() + found.damaged.len();
        page = asked.following(&found);
        due.extend(found.items.iter().flat_map(|key| of_key(key, now)));
        gaps.add(found.damaged, found.incomplete);
        if page.is_some() && is_over(1) {
            (page, complete) = (None, false);
        }
    }
    if session.may_use(Action::TokenList, Scope::TokensIssue).await? {
        page = first();
    }
    while let Some(asked) = page.take() {
        let found = session.tokens().list(&asked).await?;
        checked += found.items.len() + found.damaged.len();
        page = asked.following(&found);
        let here = found.items.iter().filter(|token| reaches(token, environment));
        due.extend(here.filter_map(|token| of_token(token, now)));
        gaps.add(found.damaged, found.incomplete);
        if page.is_some() && is_over(2) {
            (page, complete) = (None, false);
        }
    }
    due.extend(gaps.damaged.iter().filter_map(|record| of_damaged(record, now)));
    due.sort_by(|a, b| (a.at, &a.name).cmp(&(b.at, &b.name)));
    Ok(DueFound {
        due: Page::whole(due, gaps.damaged, gaps.incomplete),
        checked: u64::try_from(checked).unwrap_or(u64::MAX),
        complete,
    })
}

fn of_key(key: &KeyInfo, now: Timestamp) -> Vec<Due> {
    let due = |kind, at: Timestamp, within_days| Due {
        kind,
        reference: Some(key.reference.clone()),
        token: None,
        name: key.name.to_string(),
        provider: key.provider.clone(),
        at,
        overdue: at <= now,
        within_days,
    };
    let rotation = key
        .rotation_due
        .filter(|at| *at <= now)
        .map(|at| due(DueKind::Rotation, at, 0));
    let expiry = key
        .expires_at
        .and_then(|at| Some(due(DueKind::KeyExpiry, at, within(at, now)?)));
    rotation.into_iter().chain(expiry).collect()
}

/// The damaged records of the lists of keys and of tokens, each once.
#[derive(Default)]
struct Gaps {
    damaged: Vec<DamagedRecord>,
    incomplete: bool,
}

impl Gaps {
    fn add(&mut self, damaged: Vec<DamagedRecord>, incomplete: bool) {
        self.incomplete |= incomplete;
        for record in damaged {
            // Both lists name a damaged environment.
            if !self.damaged.contains(&record) {
                self.damaged.push(record);
            }
        }
    }
}

/// The entry for a record that cannot be read, so that an operator checks it.
fn of_damaged(record: &DamagedRecord, now: Timestamp) -> Option<Due> {
    let kind = match record.kind {
        RecordKind::Key => DueKind::DamagedKey,
        RecordKind::Token => DueKind::DamagedToken,
        RecordKind::Environment => DueKind::DamagedEnvironment,
        _ => return None,
    };
    Some(Due {
        kind,
        reference: None,
        token: (kind == DueKind::DamagedToken).then(|| record.id.clone()),
        name: match (kind, &record.environment) {
            (DueKind::DamagedEnvironment, Some(environment)) => environment.to_string(),
            _ => record.id.clone(),
        },
        provider: None,
        at: now,
        overdue: true,
        within_days: 0,
    })
}

fn of_token(token: &TokenInfo, now: Timestamp) -> Option<Due> {
    let at = token
        .expires_at
        .filter(|at| *at > now && token.state == TokenState::Valid)?;
    let within_days = within(at, now)?;
    let life = at.duration_since(token.created);
    // A token that lives for a week is not about to end from its first day on.
    if life <= days(within_days).saturating_mul(2) && at.duration_since(now) > life / 2 {
        return None;
    }
    Some(Due {
        kind: DueKind::TokenExpiry,
        reference: None,
        token: Some(token.id.to_string()),
        name: token.name.clone(),
        provider: None,
        at,
        overdue: false,
        within_days,
    })
}

/// The nearest warning that a time falls under; 0 if it is past.
fn within(at: Timestamp, now: Timestamp) -> Option<i64> {
    let left = at.duration_since(now);
    if left <= SignedDuration::ZERO {
        return Some(0);
    }
    DAYS_AHEAD.into_iter().find(|ahead| left <= days(*ahead))
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_secs(days.saturating_mul(24 * 60 * 60))
}

fn reaches(token: &TokenInfo, environment: Option<&EnvironmentName>) -> bool {
    match (&token.grant.environments, environment) {
        (_, None) | (Environments::All, _) => true,
        (Environments::Named(names), Some(environment)) => names.contains(environment.as_str()),
    }
}
