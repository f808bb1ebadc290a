//! Limits: how often a token may retrieve, and how often a key may be retrieved.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

mod scene;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use ibyok_core::{
    AccessToken, Code, Environments, Error, FileSink, Grant, KeyRef, LocalKek, MemoryStore, RequestContext, Result,
    Scope, Scopes, Session, TokenRequest, Vault,
    audit::{Filter, Outcome, SinkDurability},
    clock::Clock,
    jiff::Timestamp,
    keys::{KeyEdit, KeyWrite},
    limits::LimitScope,
    policy::{Rate, Restriction},
    tokens::attenuate,
};
use ibyok_storage::{
    ChangeNumber, Changes, Collection, Draw, Expect, Health, Limiter, RecordId, RecordPut, Revision, Store, Stored,
    Taken,
};
use scene::{CountingKek, Scene, reading, secret};

/// Both hands of a clock: the wall's, and the one that only goes forward.
#[derive(Clone, Debug)]
struct Hands(Arc<Mutex<(Timestamp, Duration)>>);

impl Hands {
    fn new() -> Self {
        Hands(Arc::new(Mutex::new((Timestamp::now(), Duration::from_secs(1000)))))
    }

    fn pass(&self, time: Duration) {
        let mut hands = self.0.lock().unwrap();
        hands.1 += time;
        hands.0 = hands.0.checked_add(time).unwrap();
    }

    fn set_wall(&self, by: jiff::SignedDuration) {
        let mut hands = self.0.lock().unwrap();
        hands.0 = hands.0.checked_add(by).unwrap();
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        self.0.lock().unwrap().0
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().1
    }
}

/// A vault whose time passes only when the test moves it.
struct Timed {
    vault: Vault,
    hands: Hands,
    scratch: tempfile::TempDir,
}

impl Timed {
    async fn new() -> Self {
        Self::on(MemoryStore::new()).await
    }

    async fn on(store: impl Store + 'static) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let sink = FileSink::builder(scratch.path().join("audit"))
            .durability(SinkDurability::Written)
            .open()
            .await
            .unwrap();
        let hands = Hands::new();
        let vault = Vault::builder()
            .store(store)
            .kek(LocalKek::generate().unwrap())
            .audit(sink)
            .clock(hands.clone())
            .create()
            .await
            .unwrap();
        for name in ["one", "two"] {
            let key: KeyRef = format!("prod/{name}").parse().unwrap();
            vault.operator("test").keys().set(&key, secret(name)).await.unwrap();
        }
        Timed { vault, hands, scratch }
    }

    fn operator(&self) -> Session {
        self.vault.operator("test")
    }

    async fn token(&self, name: &str, grant: Grant) -> AccessToken {
        let issued = self.operator().tokens().issue(TokenRequest::new(name, grant)).await;
        issued.unwrap().token
    }

    async fn get(&self, token: &AccessToken, key: &str) -> Result<()> {
        let key = key.parse().unwrap();
        let released = self.vault.retrieve(token, &key, &RequestContext::default()).await;
        released.map(|_| ())
    }

    /// Returns the number of tries in a row that are let through.
    async fn let_through(&self, token: &AccessToken, key: &str) -> usize {
        let mut through = 0;
        while through < 100 && limited(self.get(token, key).await).is_none() {
            through += 1;
        }
        through
    }
}

fn rate(text: &str) -> Rate {
    text.parse().unwrap()
}

fn reading_at(rate_of: &str) -> Grant {
    let mut grant = reading("prod");
    grant.rate = Some(rate(rate_of));
    grant
}

fn issuing_at(rate_of: &str) -> Grant {
    let scopes = Scopes::from([Scope::KeysRead, Scope::KeysList, Scope::TokensIssue]);
    let mut grant = Grant::new(scopes, Environments::named(["prod"]));
    grant.rate = Some(rate(rate_of));
    grant
}

/// The time to wait, if a limit refused it; anything else that went wrong is a failed test.
#[track_caller]
fn limited(outcome: Result<()>) -> Option<Duration> {
    match outcome {
        Ok(()) => None,
        Err(error @ Error::Limited { .. }) => {
            assert_eq!(error.code(), Code::Limited);
            let wait = error.retry_after().unwrap();
            assert!(!wait.is_zero());
            Some(wait)
        }
        Err(other) => unreachable!("{other}"),
    }
}

#[tokio::test]
async fn a_token_retrieves_as_often_as_its_rate_allows_and_then_waits() {
    let timed = Timed::new().await;
    let token = timed.token("worker", reading_at("3/min")).await;
    assert_eq!(timed.let_through(&token, "prod/one").await, 3);
    let wait = limited(timed.get(&token, "prod/two").await).unwrap();
    assert_eq!(wait, Duration::from_secs(20));
    let other = timed.token("other", reading_at("3/min")).await;
    assert_eq!(timed.let_through(&other, "prod/one").await, 3, "each has its own");

    timed.hands.pass(wait - Duration::from_nanos(1));
    assert_eq!(timed.let_through(&token, "prod/one").await, 0);
    timed.hands.pass(Duration::from_nanos(1));
    assert_eq!(timed.let_through(&token, "prod/one").await, 1, "as it was told");
    timed.hands.pass(Duration::from_secs(3600));
    assert_eq!(timed.let_through(&token, "prod/one").await, 3, "and no more than that");
}

#[tokio::test]
async fn a_rate_for_retrievals_leaves_a_token_able_to_look_at_things() {
    let timed = Timed::new().await;
    let token = timed.token("worker", reading_at("1/day")).await;
    let session = timed.vault.as_token(&AccessToken::from(token.expose()));
    for _ in 0..5 {
        session.whoami().await.unwrap();
        session.keys().list(None, &Default::default()).await.unwrap();
        session.keys().show(&"prod/one".parse().unwrap()).await.unwrap();
    }
    assert_eq!(timed.let_through(&token, "prod/one").await, 1);
    session.keys().show(&"prod/one".parse().unwrap()).await.unwrap();
}

#[tokio::test]
async fn every_verb_of_a_token_has_a_limit_by_default_or_by_its_rate() {
    let timed = Timed::new().await;
    let grant = |rate_of: Option<&str>| {
        let mut grant = Grant::new(Scopes::from([Scope::Admin]), Environments::named(["prod"]));
        grant.rate = rate_of.map(rate);
        grant
    };
    let key: KeyRef = "prod/one".parse().unwrap();
    for (rate_of, reads, changes) in [
        (Some("1/day"), 60, 60),
        (Some("300/min"), 300, 300),
        (Some("2/sec"), 2, 2),
    ] {
        let token = timed.token("worker", grant(rate_of)).await;
        let session = timed.vault.as_token(&token);
        let mut seen = 0;
        while !is_limited(session.keys().show(&key).await) {
            seen += 1;
        }
        let mut changed = 0;
        while !is_limited(session.keys().edit(&key, &KeyEdit::default()).await) {
            changed += 1;
        }
        assert_eq!((seen, changed), (reads, changes), "{rate_of:?}");
        let refused = session.whoami().await.unwrap_err();
        assert!(refused.retry_after().is_some(), "{refused}");
        for _ in 0..200 {
            session.keys().disable(&key).await.unwrap();
        }
        timed.operator().keys().enable(&key).await.unwrap();
        session
            .tokens()
            .revoke("self", ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap();
        timed.hands.pass(Duration::from_secs(3600));
    }
}

/// The numbers of docs/limits.md, as far as a token gets in one moment.
#[tokio::test]
async fn the_limits_by_default_are_those_of_the_documentation() {
    let timed = Timed::new().await;
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::named(["prod"]));
    let session = timed.vault.as_token(&timed.token("worker", grant).await);
    let key: KeyRef = "prod/one".parse().unwrap();
    let (mut reads, mut changes) = (0, 0);
    while !is_limited(session.keys().show(&key).await) {
        reads += 1;
    }
    while !is_limited(session.keys().edit(&key, &KeyEdit::default()).await) {
        changes += 1;
    }
    assert_eq!((reads, changes), (6000, 5000));
    timed.hands.pass(Duration::from_secs(60));
    (reads, changes) = (0, 0);
    while !is_limited(session.keys().show(&key).await) {
        reads += 1;
    }
    while !is_limited(session.keys().edit(&key, &KeyEdit::default()).await) {
        changes += 1;
    }
    assert_eq!((reads, changes), (600, 60), "a minute later");
}

#[tokio::test]
async fn a_family_of_tokens_has_ten_times_what_one_token_has() {
    let timed = Timed::new().await;
    let mut grant = issuing_at("1/min");
    grant.rate = None;
    let parent = timed.vault.as_token(&timed.token("parent", grant.clone()).await);
    let (mut of_each, mut reads) = (Vec::new(), 0);
    grant.scopes = Scopes::from([Scope::KeysList]);
    for number in 0..12 {
        let request = TokenRequest::new(format!("child-{number}"), grant.clone());
        let child = timed
            .vault
            .as_token(&parent.tokens().issue(request).await.unwrap().token);
        let before = reads;
        while !is_limited(child.whoami().await) {
            reads += 1;
        }
        of_each.push(reads - before);
    }
    assert_eq!(of_each[..10], [6000; 10]);
    assert_eq!(of_each[10..], [0, 0], "whatever else is issued");
    assert!(!is_limited(parent.whoami().await), "the parent has its own");
}

#[tokio::test]
async fn no_token_uses_up_the_refused_revocations_of_its_siblings() {
    let timed = Timed::new().await;
    let mut grant = issuing_at("1/min");
    grant.rate = None;
    grant.scopes = Scopes::from([Scope::TokensIssue, Scope::TokensRevoke]);
    let parent = timed.vault.as_token(&timed.token("parent", grant.clone()).await);
    let issue = async |by: &Session, name: String| {
        let issued = by.tokens().issue(TokenRequest::new(name, grant.clone())).await.unwrap();
        timed.vault.as_token(&issued.token)
    };
    let (honest, sibling) = (
        issue(&parent, "honest".to_owned()).await,
        issue(&parent, "sibling".to_owned()).await,
    );
    issue(&honest, "stolen".to_owned()).await;
    let outside = TokenRequest::new(
        "outside",
        Grant::new(Scopes::from([Scope::KeysWrite]), Environments::named(["prod"])),
    );
    let outside = timed
        .operator()
        .tokens()
        .issue(outside)
        .await
        .unwrap()
        .info
        .id
        .to_string();
    // What the sibling issues has buckets of its own, and together they empty those of the family.
    let refused = async |session: &Session, which: &str| {
        session
            .tokens()
            .revoke(which, ibyok_core::tokens::Descendants::Revoke)
            .await
            .unwrap_err()
            .code()
    };
    for number in 0..13 {
        let child = issue(&sibling, format!("child-{number}")).await;
        let mut count = 0;
        while refused(&child, &outside).await != Code::Limited {
            count += 1;
            assert!(count < 1000);
        }
        assert!(count >= 10, "each has its own share: {count}");
    }
    // An honest token is told the truth, and finds by name what it takes away.
    assert_ne!(refused(&honest, "absent").await, Code::Limited);
    honest
        .tokens()
        .revoke("stolen", ibyok_core::tokens::Descendants::Revoke)
        .await
        .unwrap();
    // Beyond its own share it waits with its family.
    let mut count = 1;
    while refused(&honest, "absent").await != Code::Limited {
        count += 1;
    }
    assert_eq!(count, 10);
}

fn is_limited<T>(outcome: Result<T>) -> bool {
    match outcome {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code(), Code::Limited, "{error}");
            true
        }
    }
}

#[tokio::test]
async fn children_share_what_their_parents_rate_leaves_for_other_verbs() {
    let timed = Timed::new().await;
    let session = timed
        .vault
        .as_token(&timed.token("parent", issuing_at("100/min")).await);
    let key: KeyRef = "prod/one".parse().unwrap();
    let mut reads = 0;
    for number in 0..3 {
        let mut grant = reading_at("80/min");
        grant.scopes = Scopes::from([Scope::KeysList]);
        let child = session
            .tokens()
            .issue(TokenRequest::new(format!("child-{number}"), grant))
            .await;
        let child = timed.vault.as_token(&child.unwrap().token);
        while !is_limited(child.keys().show(&key).await) {
            reads += 1;
        }
    }
    assert_eq!(reads, 100);
    assert!(
        is_limited(session.keys().show(&key).await),
        "it is the parent's own rate"
    );
}

#[tokio::test]
async fn a_clock_on_the_wall_that_jumps_changes_no_limit() {
    let timed = Timed::new().await;
    let mut grant = reading_at("2/min");
    grant.expires = None;
    let request = TokenRequest::new("worker", grant).expiry(ibyok_core::tokens::Expiry::Never);
    let token = timed.operator().tokens().issue(request).await.unwrap().token;
    assert_eq!(timed.let_through(&token, "prod/one").await, 2);
    for hours in [-48, 24 * 3650, -24 * 3650] {
        timed.hands.set_wall(jiff::SignedDuration::from_hours(hours));
        assert_eq!(timed.let_through(&token, "prod/one").await, 0, "{hours}");
    }
    timed.hands.pass(Duration::from_secs(30));
    assert_eq!(timed.let_through(&token, "prod/one").await, 1);
}

#[tokio::test]
async fn every_way_to_write_a_key_or_to_narrow_a_token_is_the_same_bucket() {
    let timed = Timed::new().await;
    let id = timed
        .operator()
        .keys()
        .show(&"prod/one".parse().unwrap())
        .await
        .unwrap()
        .id;
    let edit = limit_edit(Some("6/hour"));
    timed
        .operator()
        .keys()
        .edit(&"prod/one".parse().unwrap(), &edit)
        .await
        .unwrap();
    let token = timed.token("worker", reading_at("100/hour")).await;
    let mut restriction = Restriction::default();
    restriction.environments = Some(["prod".to_owned()].into());
    let narrower = attenuate(&token, &restriction).unwrap();
    let by_id = format!("prod/{id}");
    for way in [
        "prod/one",
        "production/one",
        "ibyok://prod/one",
        "ibyok://default/prod/one",
        &by_id,
    ] {
        timed.get(&token, way).await.unwrap();
    }
    timed.get(&narrower, "prod/one").await.unwrap();
    for way in [
        "prod/one",
        "production/one",
        "ibyok://default/prod/one",
        &by_id,
        "prod/one?version=1",
    ] {
        for token in [&token, &narrower] {
            assert!(limited(timed.get(token, way).await).is_some(), "{way}");
        }
    }
}

fn limit_edit(limit: Option<&str>) -> KeyEdit {
    let mut edit = KeyEdit::default();
    edit.limit = Some(limit.map(rate));
    edit
}

#[tokio::test]
async fn a_parents_limit_counts_what_all_its_children_do() {
    let timed = Timed::new().await;
    let parent = timed.token("parent", issuing_at("6/hour")).await;
    let session = timed.vault.as_token(&AccessToken::from(parent.expose()));
    let child = session
        .tokens()
        .issue(TokenRequest::new("child", issuing_at("4/hour")))
        .await
        .unwrap()
        .token;
    let below = timed.vault.as_token(&AccessToken::from(child.expose()));
    let grandchild = below
        .tokens()
        .issue(TokenRequest::new("grandchild", reading_at("4/hour")))
        .await
        .unwrap()
        .token;
    let sibling = session
        .tokens()
        .issue(TokenRequest::new("sibling", reading_at("6/hour")))
        .await
        .unwrap()
        .token;

    assert_eq!(timed.let_through(&grandchild, "prod/one").await, 4);
    assert_eq!(
        timed.let_through(&child, "prod/one").await,
        0,
        "its child has used it up"
    );
    assert_eq!(
        timed.let_through(&sibling, "prod/one").await,
        2,
        "the parent's is shared"
    );
    let refused = timed.get(&sibling, "prod/one").await.unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("descends from has reached its limit of 6/hour"),
        "{refused}"
    );

    // What the parent's limit refuses is not taken from the child's own: it is whole again as soon as it would be.
    timed.hands.pass(Duration::from_secs(3600));
    assert_eq!(timed.let_through(&parent, "prod/one").await, 6);
    for _ in 0..10 {
        assert!(limited(timed.get(&sibling, "prod/one").await).is_some());
    }
    timed.hands.pass(Duration::from_secs(3600));
    assert_eq!(timed.let_through(&sibling, "prod/one").await, 6);
}

#[tokio::test]
async fn a_childs_rate_lies_within_its_parents() {
    let timed = Timed::new().await;
    let parent = timed.token("parent", issuing_at("60/min")).await;
    let session = timed.vault.as_token(&AccessToken::from(parent.expose()));
    let mut unlimited = reading("prod");
    for wider in ["61/min", "2/sec", "100000/day"] {
        let refused = session
            .tokens()
            .issue(TokenRequest::new("child", reading_at(wider)))
            .await;
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Denied { limit: "rate", .. }), "{wider}: {error}");
    }
    unlimited.rate = None;
    assert!(
        session
            .tokens()
            .issue(TokenRequest::new("child", unlimited))
            .await
            .is_err()
    );
    for within in ["60/min", "1/sec", "1/day"] {
        session
            .tokens()
            .issue(TokenRequest::new("child", reading_at(within)))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_keys_limit_counts_all_tokens_and_no_operator() {
    let timed = Timed::new().await;
    let key: KeyRef = "prod/one".parse().unwrap();
    timed
        .operator()
        .keys()
        .edit(&key, &limit_edit(Some("3/min")))
        .await
        .unwrap();
    let (a, b) = (
        timed.token("a", reading("prod")).await,
        timed.token("b", reading("prod")).await,
    );
    timed.get(&a, "prod/one").await.unwrap();
    timed.get(&b, "prod/one").await.unwrap();
    timed.get(&a, "prod/one").await.unwrap();
    let refused = timed.get(&b, "prod/one").await.unwrap_err();
    assert_eq!(refused.to_string(), "key `prod/one` has reached its limit of 3/min");
    assert_eq!(refused.hint().unwrap(), "try again in 20 s");
    timed.get(&b, "prod/two").await.unwrap();
    for _ in 0..10 {
        timed.operator().retrieve(&key).await.unwrap();
    }
}

#[tokio::test]
async fn an_environments_default_holds_for_each_key_that_has_no_limit_of_its_own() {
    let timed = Timed::new().await;
    let operator = timed.operator();
    let token = timed.token("worker", reading("prod")).await;
    let prod = "prod".parse().unwrap();
    assert_eq!(
        timed.let_through(&token, "prod/one").await,
        100,
        "none applies unless set"
    );

    let set = operator.limits().set(&prod, Some(rate("2/hour"))).await.unwrap();
    assert_eq!((set.limit, set.scope), (Some(rate("2/hour")), LimitScope::Node));
    assert_eq!(timed.let_through(&token, "prod/one").await, 2);
    assert_eq!(timed.let_through(&token, "prod/two").await, 2, "each key by itself");
    operator
        .keys()
        .edit(&"prod/one".parse().unwrap(), &limit_edit(Some("5/hour")))
        .await
        .unwrap();
    let shown = operator.keys().show(&"prod/one".parse().unwrap()).await.unwrap();
    let in_force = shown.limit_in_force.unwrap();
    assert_eq!((in_force.rate, in_force.source.as_str()), (rate("5/hour"), "key"));
    assert_eq!(
        timed.let_through(&token, "prod/one").await,
        5,
        "its own, also where it is higher"
    );
    let shown = operator.keys().show(&"prod/two".parse().unwrap()).await.unwrap();
    assert_eq!(
        (shown.limit, shown.limit_in_force.unwrap().source.as_str()),
        (None, "environment")
    );

    operator
        .keys()
        .edit(&"prod/one".parse().unwrap(), &limit_edit(None))
        .await
        .unwrap();
    assert_eq!(
        timed.let_through(&token, "prod/one").await,
        0,
        "what was used of the default stays used"
    );
    operator.limits().set(&prod, None).await.unwrap();
    assert_eq!(timed.let_through(&token, "prod/one").await, 100);
    let all = operator.limits().list(None).await.unwrap();
    assert!(all.len() == 3 && all.iter().all(|limit| limit.limit.is_none()));
}

#[tokio::test]
async fn a_new_version_keeps_the_limit_unless_it_says_otherwise() {
    let timed = Timed::new().await;
    let (operator, key) = (timed.operator(), "prod/new".parse().unwrap());
    let write = || KeyWrite::from(secret("sk"));
    operator
        .keys()
        .add(&key, write().limit(Some(Some(rate("2/hour")))))
        .await
        .unwrap();
    operator.keys().set(&key, write()).await.unwrap();
    assert_eq!(operator.keys().show(&key).await.unwrap().limit, Some(rate("2/hour")));
    operator.keys().set(&key, write().limit(Some(None))).await.unwrap();
    assert_eq!(operator.keys().show(&key).await.unwrap().limit, None);
}

#[tokio::test]
async fn a_default_is_set_with_settings_write_for_the_whole_environment() {
    let timed = Timed::new().await;
    let prod = "prod".parse().unwrap();
    let grant = |scope: Scope| Grant::new(Scopes::from([scope]), Environments::named(["prod"]));
    let mut one_key = grant(Scope::SettingsWrite);
    one_key.keys = Some(vec!["one".parse().unwrap()]);
    for (name, grant) in [
        ("lists", grant(Scope::KeysList)),
        ("writes", grant(Scope::KeysWrite)),
        ("one", one_key),
    ] {
        let session = timed.vault.as_token(&timed.token(name, grant).await);
        let refused = session.limits().set(&prod, Some(rate("1/day"))).await;
        assert_eq!(refused.unwrap_err().code(), Code::Denied, "{name}");
    }
    let session = timed
        .vault
        .as_token(&timed.token("sets", grant(Scope::SettingsWrite)).await);
    session.limits().set(&prod, Some(rate("1/day"))).await.unwrap();
    let elsewhere = session.limits().set(&"dev".parse().unwrap(), None).await;
    assert_eq!(elsewhere.unwrap_err().code(), Code::Denied);
    let nowhere = timed.operator().limits().set(&"nowhere".parse().unwrap(), None).await;
    assert_eq!(nowhere.unwrap_err().code(), Code::NotFound);
    let reader = timed
        .vault
        .as_token(&timed.token("reads", grant(Scope::KeysList)).await);
    let seen = reader.limits().list(None).await.unwrap();
    assert_eq!(
        seen.iter().map(|limit| limit.environment.as_str()).collect::<Vec<_>>(),
        ["prod"]
    );
    assert_eq!(
        reader
            .limits()
            .list(Some(&"dev".parse().unwrap()))
            .await
            .unwrap_err()
            .code(),
        Code::Denied
    );
    session.limits().set(&prod, None).await.unwrap();
    timed.vault.close().await.unwrap();
    let log = ibyok_audit::Reader::open(timed.scratch.path().join("audit")).unwrap();
    let lines = log.lines(&Filter::default()).unwrap();
    let lines = lines.map(|line| line.unwrap().entry().clone());
    let done = lines.filter(|line| line.action == "settings.change" && line.phase == Some(ibyok_audit::Phase::Done));
    let told: Vec<_> = done.filter_map(|line| line.reason).collect();
    assert_eq!(told, ["limit 1/day", "no limit"]);
}

#[tokio::test]
async fn refusals_are_one_line_a_second_with_their_count() {
    let timed = Timed::new().await;
    let token = timed.token("worker", reading_at("1/day")).await;
    let quiet = timed.token("quiet", reading_at("1/day")).await;
    for _ in 0..50 {
        timed.get(&token, "prod/one").await.ok();
    }
    timed.get(&quiet, "prod/two").await.unwrap();
    limited(timed.get(&quiet, "prod/two").await).unwrap();
    timed.hands.pass(Duration::from_secs(2));
    // The vault looks after itself once a second, by the machine's clock.
    tokio::time::sleep(Duration::from_millis(1200)).await;
    for key in ["prod/one", "prod/two", "prod/absent"] {
        limited(timed.get(&token, key).await).unwrap();
    }
    timed.vault.close().await.unwrap();

    let lines = lines_of(&timed.scratch.path().join("audit"));
    let by = |name: &str| {
        lines
            .iter()
            .filter(|(who, ..)| who == name)
            .cloned()
            .collect::<Vec<_>>()
    };
    let line = |key: Option<&str>, count| ("worker".to_owned(), key.map(str::to_owned), count);
    assert_eq!(
        by("worker"),
        [line(Some("one"), 1), line(Some("one"), 48), line(None, 3)]
    );
    assert_eq!(by("quiet"), [("quiet".to_owned(), Some("two".to_owned()), 1)]);
}

/// Token, key and count of each line of a retrieval that a limit refused.
fn lines_of(log: &std::path::Path) -> Vec<(String, Option<String>, u64)> {
    let lines = ibyok_audit::Reader::open(log)
        .unwrap()
        .lines(&Filter::default())
        .unwrap();
    let lines = lines.map(|line| line.unwrap().entry().clone());
    let refused = lines.filter(|line| line.reason.as_deref() == Some("limited"));
    let told = refused.map(|line| {
        assert_eq!((line.action.as_str(), line.outcome), ("key.retrieve", Outcome::Denied));
        assert_eq!(
            (line.principal.kind.as_str(), line.environment.as_deref()),
            ("token", Some("prod"))
        );
        (line.principal.name.unwrap(), line.key, line.count)
    });
    told.collect()
}

#[tokio::test]
async fn a_limit_refuses_before_a_realm_is_opened_and_a_keys_before_anything_is_unwrapped() {
    let scratch = tempfile::tempdir().unwrap();
    let kek = CountingKek::new();
    let vault = Vault::builder()
        .store(MemoryStore::new())
        .kek(kek.clone())
        .audit(FileSink::open(scratch.path().join("audit")).await.unwrap())
        .key_cache_ttl(Duration::ZERO)
        .create()
        .await
        .unwrap();
    let key: KeyRef = "prod/one".parse().unwrap();
    vault.operator("test").keys().set(&key, secret("sk")).await.unwrap();
    let mut grant = reading("prod");
    grant.environments = Environments::All;
    grant.rate = Some(rate("1/day"));
    let token = vault
        .operator("test")
        .tokens()
        .issue(TokenRequest::new("whole", grant))
        .await
        .unwrap()
        .token;
    let unwraps = async || {
        let before = kek.unwraps();
        let outcome = vault.retrieve(&token, &key, &RequestContext::default()).await;
        (outcome.is_ok(), kek.unwraps() - before)
    };
    assert_eq!(unwraps().await, (true, 2), "the token's realm and the key's");
    assert_eq!(unwraps().await, (false, 1), "the token's alone");
}

#[tokio::test]
async fn a_changed_limit_holds_here_at_once_and_on_other_nodes_within_a_second() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    scene.operator().keys().set(&key, secret("sk")).await.unwrap();
    let token = scene.token(reading("prod")).await;
    let other = scene.another_node().await;
    let get = async |vault: &Vault| {
        limited(
            vault
                .retrieve(&token, &key, &RequestContext::default())
                .await
                .map(|_| ()),
        )
    };
    assert!(get(&other).await.is_none());
    scene
        .operator()
        .keys()
        .edit(&key, &limit_edit(Some("1/day")))
        .await
        .unwrap();
    let changed = Instant::now();
    assert!(get(&scene.vault).await.is_none());
    assert!(get(&scene.vault).await.is_some(), "at once where it was made");
    while get(&other).await.is_none() {
        assert!(
            changed.elapsed() < Duration::from_secs(1),
            "still unlimited a second after"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    scene
        .operator()
        .keys()
        .edit(&key, &limit_edit(Some("1000/sec")))
        .await
        .unwrap();
    assert!(get(&scene.vault).await.is_none());
}

/// A store that offers limits over all nodes, of which a test knows what they say.
#[derive(Clone, Debug)]
struct Offering {
    records: MemoryStore,
    asked: Arc<Mutex<Vec<Draw>>>,
    away: Arc<AtomicBool>,
}

#[async_trait]
impl Limiter for Offering {
    async fn take(&self, draws: &[Draw]) -> ibyok_storage::Result<Taken> {
        if self.away.load(Ordering::SeqCst) {
            return Err(ibyok_storage::Error::unavailable("offering", "it is away"));
        }
        let mut asked = self.asked.lock().unwrap();
        let used = |draw: &Draw| asked.iter().filter(|before| *before == draw).count();
        if let Some(which) = draws.iter().position(|draw| used(draw) >= draw.count.get() as usize) {
            let wait = Duration::from_millis(1500);
            return Ok(Taken::None { which, wait });
        }
        asked.extend(draws);
        Ok(Taken::All)
    }
}

#[async_trait]
impl Store for Offering {
    async fn get(&self, id: &RecordId) -> ibyok_storage::Result<Option<Stored>> {
        self.records.get(id).await
    }

    async fn put(&self, id: &RecordId, bytes: &[u8], expect: Expect) -> ibyok_storage::Result<Revision> {
        self.records.put(id, bytes, expect).await
    }

    async fn get_many(&self, ids: &[RecordId]) -> ibyok_storage::Result<Vec<Option<Stored>>> {
        self.records.get_many(ids).await
    }

    async fn put_many(&self, puts: &[RecordPut<'_>]) -> ibyok_storage::Result<Vec<Revision>> {
        self.records.put_many(puts).await
    }

    async fn list(
        &self,
        collection: &Collection,
        after: Option<&RecordId>,
        limit: usize,
    ) -> ibyok_storage::Result<Vec<RecordId>> {
        self.records.list(collection, after, limit).await
    }

    async fn changes(&self, since: ChangeNumber) -> ibyok_storage::Result<Changes> {
        self.records.changes(since).await
    }

    async fn wait(&self, since: ChangeNumber) -> ibyok_storage::Result<()> {
        self.records.wait(since).await
    }

    async fn delete(&self, id: &RecordId, expect: Revision) -> ibyok_storage::Result<()> {
        self.records.delete(id, expect).await
    }

    async fn check(&self) -> ibyok_storage::Result<Health> {
        self.records.check().await
    }

    async fn scrub(&self) -> ibyok_storage::Result<Option<String>> {
        self.records.scrub().await
    }

    fn limiter(&self) -> Option<&dyn Limiter> {
        Some(self)
    }
}

#[tokio::test]
async fn where_the_store_counts_nothing_is_let_through_that_it_does_not_answer_for() {
    let store = Offering {
        records: MemoryStore::new(),
        asked: Arc::default(),
        away: Arc::default(),
    };
    let timed = Timed::on(store.clone()).await;
    let token = timed.token("worker", reading_at("2/min")).await;
    let unlimited = timed.token("unlimited", reading("prod")).await;
    let shown = timed.operator().tokens().show("worker").await.unwrap();
    assert_eq!(shown.limit_scope, Some(LimitScope::Shared));
    assert_eq!(timed.let_through(&token, "prod/one").await, 2);
    assert_eq!(
        limited(timed.get(&token, "prod/one").await),
        Some(Duration::from_millis(1500))
    );

    store.away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let refused = timed.get(&token, "prod/one").await.unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    }
    timed.get(&unlimited, "prod/one").await.unwrap();
    store.away.store(false, Ordering::SeqCst);
    assert!(limited(timed.get(&token, "prod/one").await).is_some());
    let in_the_clear = format!("{:?}", store.asked.lock().unwrap());
    let id = timed.operator().tokens().show("worker").await.unwrap().id;
    assert!(
        !in_the_clear.contains(&format!("{:?}", id.bytes())),
        "what the store sees of a bucket is a keyed hash"
    );
}
