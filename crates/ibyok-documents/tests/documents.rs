//! The documents of a vault's things hold what the vault's own JSON holds.
#![expect(clippy::unwrap_used, reason = "a vault that cannot be made is a failed test")]

use ibyok_core::incidents::{IfStillServed, IncidentRequest, IncidentsShown};
use ibyok_core::jiff::Timestamp;
use ibyok_core::keys::{IfExists, KeyWrite};
use ibyok_core::modes::Mode;
use ibyok_core::pages::PageRequest;
use ibyok_core::rotation::DrainRequest;
use ibyok_core::tokens::{Descendants, Expiry};
use ibyok_core::usage::{UsageBy, UsageRequest};
use ibyok_core::{
    Environments, FileSink, Grant, KeyRef, LocalKek, MemoryStore, Scope, Scopes, Secret, Session, TokenRequest, Vault,
};
use ibyok_documents::Documented;
use ibyok_operations::incidents::{IncidentReportExt as _, Opened};
use ibyok_operations::reviews::{ReviewExt as _, ReviewHabits, ReviewRequest};
use ibyok_operations::rotation::DueExt as _;
use ibyok_operations::tokens::TokenReviewExt as _;
use serde::Serialize;

fn same<T: Documented<Document: Serialize> + Serialize>(thing: T) {
    let own = serde_json::to_value(&thing).unwrap();
    assert_eq!(serde_json::to_value(thing.document()).unwrap(), own);
}

fn value(text: &str) -> KeyWrite {
    KeyWrite::from(Secret::copy_of(text.as_bytes()))
}

fn key() -> KeyRef {
    "dev/openai".parse().unwrap()
}

/// A vault with a rotated key, which a token read, and a second key.
async fn vault(place: &std::path::Path) -> (Vault, Session) {
    let builder = Vault::builder()
        .store(MemoryStore::new())
        .kek(LocalKek::generate().unwrap());
    let vault = builder
        .audit(FileSink::open(place).await.unwrap())
        .create()
        .await
        .unwrap();
    let operator = vault.operator("os:me@here");
    let labels = [("team".to_owned(), "billing".to_owned())].into();
    let write = value("sk-1").provider(Some("openai".to_owned())).labels(Some(labels));
    same(operator.keys().add(&key(), write).await.unwrap());
    operator
        .keys()
        .copy(&key(), &"dev/copy".parse().unwrap(), IfExists::Keep)
        .await
        .unwrap();
    let grant =
        Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"])).rate("60/min".parse().unwrap());
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("worker", grant))
        .await
        .unwrap();
    vault.as_token(&issued.token).retrieve(&key()).await.unwrap();
    operator.rotation().stage(&key(), value("sk-2")).await.unwrap();
    (vault, operator)
}

#[tokio::test]
async fn keys_and_their_rotation() {
    let place = tempfile::tempdir().unwrap();
    let (vault, operator) = vault(place.path()).await;
    same(operator.keys().show(&key()).await.unwrap());
    same(
        operator
            .keys()
            .list(None, &PageRequest::default().last_use(true))
            .await
            .unwrap(),
    );
    same(operator.rotation().promote(&key()).await.unwrap());
    same(operator.rotation().status(&key()).await.unwrap());
    same(operator.rotation().due(None).await.unwrap());
    same(operator.modes().list().await.unwrap());
    same(operator.modes().set(&"dev".parse().unwrap(), Mode::Mock).await.unwrap());
    same(
        operator
            .limits()
            .set(&"dev".parse().unwrap(), Some("5/sec".parse().unwrap()))
            .await
            .unwrap(),
    );
    same(operator.limits().list(None).await.unwrap());
    same(operator.keys().show(&key()).await.unwrap());
    let mut drain = DrainRequest::default();
    (drain.force, drain.reason) = (true, Some("the worker is gone".to_owned()));
    same(operator.rotation().destroy(&key().at_version(1), &drain).await.unwrap());
    vault.close().await.unwrap();
}

#[tokio::test]
async fn tokens_and_their_use() {
    let place = tempfile::tempdir().unwrap();
    let (vault, operator) = vault(place.path()).await;
    same(operator.whoami().await.unwrap());
    same(operator.tokens().show("worker").await.unwrap());
    same(
        operator
            .tokens()
            .list(&PageRequest::default().last_use(true))
            .await
            .unwrap(),
    );
    for by in [
        UsageBy::Key,
        UsageBy::Token,
        UsageBy::Env,
        UsageBy::Day,
        UsageBy::Version,
    ] {
        same(operator.usage().report(&UsageRequest::new(by)).await.unwrap());
    }
    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::All);
    let request = TokenRequest::new("wide", grant).expiry(Expiry::Never);
    operator.tokens().issue(request).await.unwrap();
    same(operator.tokens().review().await.unwrap());
    same(operator.tokens().revoke("worker", Descendants::Revoke).await.unwrap());
    vault.close().await.unwrap();
}

#[tokio::test]
async fn incidents_and_reviews() {
    let place = tempfile::tempdir().unwrap();
    let (vault, operator) = vault(place.path()).await;
    let request = IncidentRequest::new("it is in a public log").replace(value("sk-3"));
    let opened = Opened::from(operator.incidents().open(&key(), request).await.unwrap());
    let id = opened.opened.incident.id.to_string();
    same(opened);
    same(operator.incidents().note(&id, "the log is gone").await.unwrap());
    same(
        operator
            .incidents()
            .report(&id, None, &ReviewHabits::default())
            .await
            .unwrap(),
    );
    same(operator.incidents().list(IncidentsShown::All).await.unwrap());
    let closed = operator.incidents();
    same(
        closed
            .close(&id, "a job printed it", "jobs mask", IfStillServed::Close)
            .await
            .unwrap(),
    );
    let since = ReviewRequest::since("2020-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
    same(operator.reviews().run(&since).await.unwrap());
    same(operator.reviews().record(&since, Some("weekly")).await.unwrap());
    vault.close().await.unwrap();
}
