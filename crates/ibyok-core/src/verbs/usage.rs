//! `usage`: the counts of all nodes, added up for callers who may see them.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use ibyok_audit::Action;
use ibyok_policy::Scope;
use ibyok_storage::RecordId;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::base::error::{Error, Result};
use crate::gate::attempt::Attempt;
use crate::gate::principal::Principal;
use crate::model::key::KeyRecord;
use crate::model::kind;
use crate::model::name::{EnvironmentName, KeyId, KeyName};
use crate::model::token::TokenRecord;
use crate::realm::{Realm, RealmName};
use crate::records::cache::Held;
use crate::records::damage::DamagedRecord;
use crate::uses::caller::Caller;
use crate::uses::day_of;
use crate::uses::read::Found;
use crate::uses::report::{Sum, UsageBy, UsageItem, UsageReport, UsageRequest};
use crate::uses::rollup::{Of, Rollup, Row, Subject};
use crate::vault::handles::UsageVerbs;

/// The time before now at which a report begins unless the request says otherwise.
const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

impl UsageVerbs<'_> {
    /// Returns the uses of the keys that this session may see the usage of: the callers, the counts, the last time,
    /// and the networks.
    ///
    /// The report has the counts of this node up to the last retrieval; other nodes add theirs about once a second.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`], [`Error::Denied`] without the scope `usage:read`, [`Error::NotFound`] for an environment or a
    /// key that is not there, [`Error::Invalid`] for times in the wrong order, [`Error::Unavailable`].
    pub async fn report(self, request: &UsageRequest) -> Result<UsageReport> {
        let mut attempt = self.session.attempt(Action::UsageRead);
        let outcome = self.try_usage(&mut attempt, request).await;
        self.session.inner.recorder.answering(&attempt, outcome).await
    }

    async fn try_usage(self, attempt: &mut Attempt<'_>, request: &UsageRequest) -> Result<UsageReport> {
        let inner = &self.session.inner;
        let principal = inner.limits.authenticate(attempt, &self.session.asking).await?;
        let wanted = self.wanted(attempt, &principal, request).await?;
        inner.usage.flush_usage().await?;
        let mut sums = Sums::new(request.by);
        for realm in &wanted.realms {
            let keys = self.of_keys(attempt, &principal, realm, &wanted).await?;
            sums.damaged = sums.damaged.saturating_add(keys.found.damaged);
            for rollup in &keys.found.rollups {
                if let Some(key) = keys.shown.get(&rollup.subject) {
                    rollup
                        .rows
                        .iter()
                        .for_each(|row| sums.add_reader(realm, key, rollup.day, row));
                }
            }
            let environment = realm.name.environment.as_ref();
            let namespace = &realm.name.namespace;
            let whole = inner
                .gate
                .allowed(attempt, &principal, Scope::UsageRead, namespace, environment, None);
            if wanted.key.is_none() && whole.is_ok() {
                self.add_unnamed(realm, &wanted, &mut sums).await?;
            }
        }
        Ok(UsageReport {
            by: request.by,
            since: date(wanted.from),
            until: date(wanted.to),
            damaged: sums.damaged,
            items: sums.items(),
            damaged_environments: wanted.damaged,
            incomplete: wanted.incomplete,
            next: None,
        })
    }

    /// Resolves the realms, days and key of a request; refuses if the session may see nothing of it.
    async fn wanted(self, attempt: &mut Attempt<'_>, principal: &Principal, request: &UsageRequest) -> Result<Wanted> {
        let inner = &self.session.inner;
        let namespace = principal.namespace().clone();
        let mut wanted = Wanted::days(attempt.at, request)?;
        if let Some(key) = &request.key {
            if request.environment.as_ref().is_some_and(|own| own != key.environment()) {
                return Err(Error::invalid(
                    "the key belongs to another environment",
                    "remove the environment",
                ));
            }
            let permit = inner.gate.authorize(attempt, principal, Scope::UsageRead, key).await?;
            let held = inner.records.load::<KeyRecord>(permit.realm(), permit.id().0).await?;
            held.ok_or_else(|| crate::gate::key::no_key(&permit))?;
            wanted.realms.push(Arc::clone(permit.realm()));
            wanted.key = Some(permit.id());
            return Ok(wanted);
        }
        attempt.facts.environment = request.environment.as_ref().map(Into::into);
        match &request.environment {
            Some(environment) => {
                inner
                    .gate
                    .allowed_for_some_key(attempt, principal, Scope::UsageRead, &namespace, environment)?;
                wanted
                    .realms
                    .push(inner.records.environment_realm(&namespace, environment).await?);
            }
            None => {
                let all = inner
                    .gate
                    .environments_allowed(attempt, principal, Scope::UsageRead, &namespace);
                let all = all.await?;
                let whole = RealmName {
                    namespace: namespace.clone(),
                    environment: None,
                };
                // A server that may open single environments only cannot open the realm that spans them.
                match inner.records.realm(&whole).await {
                    Ok(realm) => wanted.realms.extend(realm),
                    Err(Error::Kek { .. }) => {}
                    Err(error) => wanted.damaged.push(inner.records.damaged_realm(&whole, error)?),
                }
                let opened = inner.gate.open_environments(principal, all).await?;
                wanted.incomplete = opened.incomplete || !wanted.damaged.is_empty();
                wanted.realms.extend(opened.realms);
                wanted.damaged.extend(opened.damaged);
            }
        }
        Ok(wanted)
    }

    /// Returns the rollups of the keys of a realm, and the keys among them that may be seen.
    async fn of_keys(
        self,
        attempt: &Attempt<'_>,
        principal: &Principal,
        realm: &Arc<Realm>,
        wanted: &Wanted,
    ) -> Result<OfKeys> {
        let mut keys = OfKeys::default();
        let Some(environment) = &realm.name.environment else {
            return Ok(keys);
        };
        keys.found = match wanted.key {
            Some(key) => {
                let mut found = self
                    .session
                    .inner
                    .usage
                    .rollups_of(realm, Subject::Key(key), wanted.from)
                    .await?;
                found.rollups.retain(|rollup| rollup.day <= wanted.to);
                found
            }
            None => self.all_rollups(realm, kind::KEY_USE, wanted).await?,
        };
        let namespace = &realm.name.namespace;
        let subjects: HashSet<Subject> = keys.found.rollups.iter().map(|rollup| rollup.subject).collect();
        for subject in subjects {
            let Subject::Key(id) = subject else { continue };
            let name = self.name_of_key(realm, id, &mut keys.found.damaged).await?;
            let (inner, scope) = (&self.session.inner, Scope::UsageRead);
            let allowed = inner
                .gate
                .allowed(attempt, principal, scope, namespace, Some(environment), name.as_ref());
            if allowed.is_ok() {
                let id = (subject != Subject::REST).then_some(id);
                keys.shown.insert(subject, Shown { id, name });
            }
        }
        Ok(keys)
    }

    /// The name of a key, also of one that was removed. A record that is damaged has none, and is counted.
    async fn name_of_key(self, realm: &Arc<Realm>, id: KeyId, damaged: &mut u64) -> Result<Option<KeyName>> {
        let id = realm.record(kind::KEY, id.0)?;
        let held = unless_damaged(self.session.inner.records.read::<KeyRecord>(realm, &id).await, damaged)?;
        Ok(held.map(|held| held.record.name))
    }

    /// Adds the requests of a realm's tokens that were refused or found nothing: they belong to no existing key.
    async fn add_unnamed(self, realm: &Arc<Realm>, wanted: &Wanted, sums: &mut Sums) -> Result<()> {
        let found = self.all_rollups(realm, kind::TOKEN_USE, wanted).await?;
        sums.damaged = sums.damaged.saturating_add(found.damaged);
        let mut names: HashMap<Subject, Option<String>> = HashMap::new();
        for rollup in &found.rollups {
            let Subject::Token(id) = rollup.subject else { continue };
            let unnamed = |row: &&Row| matches!(row.of, Of::Key { key: None, .. });
            for row in rollup.rows.iter().filter(unnamed) {
                if row.tally.denied == 0 && row.tally.failed == 0 {
                    continue;
                }
                let name = match names.entry(rollup.subject) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(free) => {
                        let record = realm.record(kind::TOKEN, id.bytes())?;
                        let held = self.session.inner.records.read::<TokenRecord>(realm, &record).await;
                        let held = unless_damaged(held, &mut sums.damaged)?;
                        free.insert(held.map(|held| held.record.name))
                    }
                };
                sums.add_unnamed(realm, &Caller::Token(id), name.clone(), rollup.day, row);
            }
        }
        Ok(())
    }

    async fn all_rollups(self, realm: &Arc<Realm>, kind: u8, wanted: &Wanted) -> Result<Found> {
        let mut found = Found::default();
        let (from, to) = (wanted.from, wanted.to);
        let collection = realm.collection(kind)?;
        let ids: Vec<RecordId> = self
            .session
            .inner
            .usage
            .rollup_ids(&collection, |day| day >= from && day <= to)
            .await?;
        for id in ids {
            let rollup: Option<Rollup> = self
                .session
                .inner
                .usage
                .read_rollup(realm, &id, &mut found.damaged)
                .await?;
            found.rollups.extend(rollup);
        }
        Ok(found)
    }
}

/// The request, resolved.
struct Wanted {
    realms: Vec<Arc<Realm>>,
    /// Realms that are asked for and do not open.
    damaged: Vec<DamagedRecord>,
    /// True if damaged records may hide usage.
    incomplete: bool,
    key: Option<KeyId>,
    from: u16,
    to: u16,
}

impl Wanted {
    fn days(now: Timestamp, request: &UsageRequest) -> Result<Self> {
        let until = request.until.unwrap_or(now);
        let since = request
            .since
            .or_else(|| until.checked_sub(WEEK).ok())
            .unwrap_or(Timestamp::UNIX_EPOCH);
        if since > until {
            return Err(Error::invalid(
                "`since` is after `until`",
                "give `since` before `until`",
            ));
        }
        Ok(Wanted {
            realms: Vec::new(),
            damaged: Vec::new(),
            incomplete: false,
            key: None,
            from: day_of(since),
            to: day_of(until),
        })
    }
}

#[derive(Default)]
struct OfKeys {
    found: Found,
    shown: HashMap<Subject, Shown>,
}

struct Shown {
    id: Option<KeyId>,
    name: Option<KeyName>,
}

/// The fields by which items are grouped; also their order among equals.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    day: Option<u16>,
    environment: Option<EnvironmentName>,
    key: Option<KeyId>,
    version: Option<u32>,
    caller: Option<Caller>,
}

struct Sums {
    by: UsageBy,
    sums: BTreeMap<Group, Sum>,
    damaged: u64,
}

impl Sums {
    fn new(by: UsageBy) -> Self {
        Sums {
            by,
            sums: BTreeMap::new(),
            damaged: 0,
        }
    }

    fn add_reader(&mut self, realm: &Realm, key: &Shown, day: u16, row: &Row) {
        let Of::Reader { caller, version } = &row.of else {
            return;
        };
        self.add((realm, Some(key)), caller, row.name.as_deref(), (day, *version), row);
    }

    fn add_unnamed(&mut self, realm: &Realm, caller: &Caller, name: Option<String>, day: u16, row: &Row) {
        // Only refusals and failures: releases are counted with their key.
        let mut refused = row.clone();
        (refused.tally.live, refused.tally.mocked) = (0, 0);
        (refused.tally.last, refused.tally.networks) = (None, Vec::new());
        self.add((realm, None), caller, name.as_deref(), (day, None), &refused);
    }

    fn add(
        &mut self,
        (realm, key): (&Realm, Option<&Shown>),
        caller: &Caller,
        name: Option<&str>,
        (day, version): (u16, Option<u32>),
        row: &Row,
    ) {
        let environment = realm.name.environment.as_ref();
        let of_key = matches!(self.by, UsageBy::Key | UsageBy::Version);
        let group = Group {
            day: (self.by == UsageBy::Day).then_some(day),
            environment: environment.filter(|_| of_key || self.by == UsageBy::Env).cloned(),
            key: key.and_then(|key| key.id).filter(|_| of_key),
            version: version.filter(|_| self.by == UsageBy::Version),
            caller: (self.by == UsageBy::Token).then(|| caller.clone()),
        };
        let by = self.by;
        let sum = self.sums.entry(group).or_insert_with(|| {
            let mut sum = Sum::default();
            let item = &mut sum.item;
            match by {
                UsageBy::Key | UsageBy::Version => {
                    item.key_id = key.and_then(|key| key.id);
                    item.reference = environment.zip(key).and_then(|(environment, key)| {
                        let name = key.name.as_ref().map(ToString::to_string);
                        let name = name.or_else(|| key.id.map(|id| id.to_string()))?;
                        Some(realm.reference_in(environment, name))
                    });
                    item.environment = environment.cloned();
                    item.version = version.filter(|_| by == UsageBy::Version);
                }
                UsageBy::Token => {
                    item.kind = Some(caller.kind());
                    item.token = caller.id();
                    item.name = name.map(ToOwned::to_owned);
                }
                UsageBy::Env => item.environment = environment.cloned(),
                UsageBy::Day => item.day = Some(date(day)),
            }
            sum
        });
        sum.add(caller, &row.tally);
    }

    fn items(self) -> Vec<UsageItem> {
        let mut items: Vec<UsageItem> = self.sums.into_values().map(Sum::item).collect();
        if self.by != UsageBy::Day {
            let asked = |item: &UsageItem| item.allowed.saturating_add(item.denied).saturating_add(item.failed);
            items.sort_by_key(|item| std::cmp::Reverse((item.allowed, asked(item))));
        }
        items
    }
}

/// The date of a day's number.
fn date(day: u16) -> Date {
    let start = Timestamp::from_second(i64::from(day) * 24 * 60 * 60).unwrap_or_default();
    TimeZone::UTC.to_datetime(start).date()
}

/// A record as it was read; one that is damaged counts, and is as good as none here.
fn unless_damaged<R>(read: Result<Option<Held<R>>>, damaged: &mut u64) -> Result<Option<Held<R>>> {
    match read {
        Err(Error::Integrity { .. }) => {
            *damaged = damaged.saturating_add(1);
            Ok(None)
        }
        other => other,
    }
}
