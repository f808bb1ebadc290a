//! A log of an attacker who holds one environment's keys and can write to the directory of logs: it proves nothing
//! about any other environment.

use std::path::PathBuf;

use ibyok_audit::review::{Reviewer, Thresholds};
use ibyok_audit::{
    Action, Event, FileSink, Filter, LeftOutReason, Log, Outcome, Phase, Principal as Who, PrincipalKind, SigningKey,
};
use ibyok_policy::TokenId;
use jiff::{SignedDuration, Timestamp};

use crate::Code;
use crate::forging::{Scene, scene};
use crate::model::kind;
use crate::model::name::from_base62;
use crate::realm::log_keys::line_key;

/// The id of an innocent token of an environment.
fn token_of(realm: &crate::realm::Realm) -> String {
    TokenId::new(*realm.tag().as_bytes(), [5; 16]).unwrap().to_string()
}

fn event(action: Action) -> Event<'static> {
    Event::new(action, Outcome::Allowed, Timestamp::now()).namespace("default")
}

fn by(token: &str) -> Who<'_> {
    Who::new(PrincipalKind::Token).id(token).name("forged")
}

/// Lines about prod, which the holder of dev's keys cannot know to be true. All carry the request id `forged`.
fn about_prod(scene: &Scene) -> Vec<Event<'static>> {
    let (prod, dev) = (token_of(&scene.prod), token_of(&scene.dev));
    let key = crate::keys::KeyId(scene.prod.keys.record_id("openai"));
    let record = scene.prod.record(kind::KEY, [1; 16]).unwrap().to_string();
    let events = vec![
        event(Action::KeyRetrieve)
            .environment("prod")
            .key("openai")
            .key_id(key.to_string())
            .version(1_u32)
            .principal(by(&prod)),
        // The same by parts: no environment, another's token, another's record, another namespace.
        event(Action::KeyRetrieve)
            .key("openai")
            .key_id(key.to_string())
            .principal(by(&dev)),
        event(Action::KeyRetrieve)
            .environment("dev")
            .key("openai")
            .principal(by(&prod)),
        event(Action::TokenRevoke).target("token", &prod).principal(by(&dev)),
        event(Action::TokenList).principal(by(&prod)),
        event(Action::VaultRollbackAccepted).record(record).phase(Phase::Done),
        event(Action::EnvRemove).target("environment", "prod"),
        event(Action::NamespaceRemove).target("namespace", "acme"),
        Event::new(Action::KeyRetrieve, Outcome::Allowed, Timestamp::now())
            .namespace("acme")
            .environment("dev")
            .key("openai"),
    ];
    events
        .into_iter()
        .map(|event| event.request_id("forged").into_owned())
        .collect()
}

/// Puts a log with dev's MACs and a key of the attacker's own into a slot of the vault's place. Gives its id.
async fn forge(scene: &Scene, kept_in_store: bool) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (sink, signing) = (FileSink::open(&place).await.unwrap(), SigningKey::generate().unwrap());
    let id = sink.state().log().to_owned();
    let lines = line_key(&scene.dev, &signing.public(&id));
    if kept_in_store {
        let record = scene.dev.record(kind::LOG_KEY, from_base62(&id).unwrap()).unwrap();
        let sealed = scene
            .dev
            .keys
            .seal_record(&scene.dev.place(&record), signing.expose_seed());
        scene.write(&record, &sealed.unwrap()).await;
    }
    let log = Log::builder().home(sink).signing_key(signing).line_key(lines);
    let log = log.open().await.unwrap();
    for event in about_prod(scene) {
        drop(log.append(event).await.unwrap());
    }
    let of_dev = event(Action::KeyRetrieve).environment("dev").key("openai");
    drop(log.append(of_dev.principal(by(&token_of(&scene.dev)))).await.unwrap());
    log.close().await.unwrap();
    std::fs::rename(place.join("slot-0"), place_of(scene).join("slot-7")).unwrap();
    id
}

/// An examiner of the lines since then.
fn reviewer(since: Timestamp) -> Reviewer {
    Reviewer::new(since, Timestamp::now(), &Thresholds::default()).unwrap()
}

fn week_ago() -> Timestamp {
    Timestamp::now()
        .checked_sub(SignedDuration::from_hours(7 * 24))
        .unwrap()
}

fn place_of(scene: &Scene) -> PathBuf {
    scene.vault.inner.recorder.log.status().place
}

#[tokio::test]
async fn a_log_that_devs_keys_vouch_for_is_believed_about_dev_alone() {
    for kept_in_store in [false, true] {
        let scene = scene().await;
        let id = forge(&scene, kept_in_store).await;
        let forged = about_prod(&scene).len() as u64;
        let mut filter = Filter::default();
        filter.log = Some(id.clone());
        for filter in [filter, Filter::default()] {
            let mut lines = scene.vault.whole_log("test").lines(&filter).await.unwrap();
            let read: Vec<_> = lines.by_ref().map(Result::unwrap).collect();
            let of_log: Vec<_> = read.iter().filter(|line| line.entry().log == id).collect();
            assert!(
                of_log
                    .iter()
                    .all(|line| !line.text().contains("\"request_id\":\"forged\"")),
                "{of_log:#?}"
            );
            assert!(
                of_log
                    .iter()
                    .any(|line| line.entry().environment.as_deref() == Some("dev"))
            );
            assert!(of_log.iter().any(|line| line.entry().action == "log.open"));
            let left_out = lines.left_out();
            assert_eq!(left_out.len(), 1, "{left_out:?}");
            assert_eq!((left_out[0].lines, left_out[0].why), (forged, LeftOutReason::Elsewhere));
        }
        let operator = scene.vault.operator("test");
        let prod = crate::keys::KeyId(scene.prod.keys.record_id("openai")).to_string();
        let opened = crate::incidents::IncidentRequest::new("pasted");
        let opened = operator
            .incidents()
            .open(&"prod/openai".parse().unwrap(), opened)
            .await
            .unwrap();
        let report = operator
            .incidents()
            .facts(&opened.incident.id.to_string(), None, reviewer)
            .await
            .unwrap();
        let report = serde_json::to_string(&report.0).unwrap() + &format!("{:?}", report.1.unwrap());
        assert!(
            report.contains(&prod) && !report.contains(&token_of(&scene.prod)),
            "{report}"
        );
        assert!(
            report.contains("one environment vouch"),
            "and the report says so: {report}"
        );
        let reviewed = operator.audit().examine(reviewer(week_ago())).await.unwrap();
        let reviewed = serde_json::to_string(&reviewed.found).unwrap();
        assert!(
            !reviewed.contains(&token_of(&scene.prod)) && !reviewed.contains("should stand"),
            "{reviewed}"
        );
        assert!(reviewed.contains("not believed"), "{reviewed}");
        // The first forged line is the second of its log.
        let proof = operator.audit().prove(Some(&id), 2).await;
        assert_eq!(proof.unwrap_err().code(), Code::NotFound);
        let proof = scene
            .vault
            .whole_log("test")
            .prove(Some(&id), 2 + forged)
            .await
            .unwrap();
        assert!(proof.line().contains("\"environment\":\"dev\""));
        let verified = operator.audit().verify(&[]).await.unwrap();
        assert!(verified.ok, "{verified:?}");
        assert!(
            verified.notes.iter().any(|note| note.contains("default/dev")),
            "{:?}",
            verified.notes
        );
    }
}

#[tokio::test]
async fn nothing_that_dev_writes_takes_the_log_of_another_environment_away() {
    let scene = scene().await;
    // The log of a server that opens prod alone.
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let (sink, signing) = (FileSink::open(&place).await.unwrap(), SigningKey::generate().unwrap());
    let id = sink.state().log().to_owned();
    let record = scene.prod.record(kind::LOG_KEY, from_base62(&id).unwrap()).unwrap();
    let sealed = scene
        .prod
        .keys
        .seal_record(&scene.prod.place(&record), signing.expose_seed());
    scene.write(&record, &sealed.unwrap()).await;
    let lines = line_key(&scene.prod, &signing.public(&id));
    let log = Log::builder()
        .home(sink)
        .signing_key(signing)
        .line_key(lines)
        .open()
        .await
        .unwrap();
    let read = event(Action::KeyRetrieve).environment("prod").key("openai");
    drop(
        log.append(read.request_id("true").principal(by(&token_of(&scene.prod))))
            .await
            .unwrap(),
    );
    log.close().await.unwrap();
    std::fs::rename(place.join("slot-0"), place_of(&scene).join("slot-5")).unwrap();
    // The attacker takes its id for a slot and a key of dev's.
    let forged = forge(&scene, false).await;
    let slot = place_of(&scene).join("slot-7");
    std::fs::write(slot.join("id"), format!("{id}\n")).unwrap();
    let devs = scene.dev.record(kind::LOG_KEY, from_base62(&id).unwrap()).unwrap();
    let sealed = scene.dev.keys.seal_record(&scene.dev.place(&devs), &[9; 32]);
    scene.write(&devs, &sealed.unwrap()).await;
    let lines = scene.vault.whole_log("test").lines(&Filter::default()).await.unwrap();
    let texts: Vec<String> = lines.map(|line| line.unwrap().text().to_owned()).collect();
    assert!(
        texts.iter().any(|line| line.contains("\"request_id\":\"true\"")),
        "{texts:#?}"
    );
    assert!(texts.iter().all(|line| !line.contains(&forged)));
    let verified = scene.vault.operator("test").audit().verify(&[]).await.unwrap();
    let of_prod = verified.logs.iter().find(|log| log.slot == Some(5)).unwrap();
    assert_eq!(of_prod.first_bad, None, "{verified:?}");
}

#[tokio::test]
async fn a_log_whose_environment_is_damaged_is_counted_and_the_others_are_read() {
    let scene = scene().await;
    let id = forge(&scene, true).await;
    let dev = scene.dev.name.record_id(scene.vault.inner.records.vault);
    scene.write(&dev, b"no record at all").await;
    let whole = scene.vault.whole_log("test");
    let mut lines = whole.lines(&Filter::default()).await.unwrap();
    let read: Vec<_> = lines.by_ref().map(Result::unwrap).collect();
    assert!(
        read.iter()
            .any(|line| line.entry().environment.as_deref() == Some("prod"))
    );
    assert!(read.iter().all(|line| line.entry().log != id));
    let left_out = lines.left_out();
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!(left_out[0].why, LeftOutReason::NoKey);
    assert!(left_out[0].lines > about_prod(&scene).len() as u64, "{left_out:?}");
    whole.audit().examine(reviewer(week_ago())).await.unwrap();
    let mut last = Filter::default();
    last.limit = Some(3);
    assert_eq!(whole.lines(&last).await.unwrap().left_out().len(), 1);
}
