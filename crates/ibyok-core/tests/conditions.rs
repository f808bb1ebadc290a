//! A change on a condition is made if the condition holds when it is stored, and only then.
#![expect(clippy::unwrap_used, reason = "a read that fails is a failed test")]

mod scene;

use ibyok_core::{
    Code, Error, KeyRef, Session,
    keys::{Condition, KeyEdit, KeyInfo},
    modes::Mode,
    rotation::DrainRequest,
};
use scene::{Scene, secret};

/// A key with one version of each role.
async fn rotated() -> (Scene, KeyRef) {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    let operator = scene.operator();
    for value in ["one", "two", "three"] {
        operator.keys().set(&key, secret(value)).await.unwrap();
    }
    operator.rotation().stage(&key, secret("four")).await.unwrap();
    (scene, key)
}

fn relabelled(owner: &str) -> KeyEdit {
    let mut edit = KeyEdit::default();
    edit.labels.insert("owner".to_owned(), Some(owner.to_owned()));
    edit
}

/// Every change that a session can make of a key, by its name. Each works on the key of [`rotated`].
async fn change(session: &Session, verb: &str, key: &KeyRef) -> Result<(), Error> {
    let drained = DrainRequest::default().force("a test");
    let done: Result<Option<KeyInfo>, Error> = match verb {
        "set" => session.keys().set(key, secret("next")).await.map(|_| None),
        "import" => session
            .keys()
            .import(key, secret("next"), ibyok_core::keys::IfExists::Replace)
            .await
            .map(|_| None),
        "stage" => session.rotation().stage(key, secret("next")).await.map(|_| None),
        "edit" => session.keys().edit(key, &relabelled("acme")).await.map(Some),
        "disable" => session.keys().disable(key).await.map(Some),
        "enable" => session.keys().enable(key).await.map(Some),
        "mode" => session.modes().set_of_key(key, Some(Mode::Live)).await.map(Some),
        "promote" => session.rotation().promote(key).await.map(Some),
        "rollback" => session.rotation().roll_back(key).await.map(Some),
        "retire" => session.rotation().retire(key, &drained).await.map(Some),
        "destroy" => {
            let old = key.clone().at_version(1);
            session
                .rotation()
                .destroy(&old, &drained)
                .await
                .map(|gone| Some(gone.key))
        }
        _ => session.keys().remove(key).await.map(Some),
    };
    done.map(|_| ())
}

const VERBS: [&str; 12] = [
    "set", "import", "stage", "edit", "disable", "enable", "mode", "promote", "rollback", "retire", "destroy", "remove",
];

#[tokio::test]
async fn every_change_of_a_key_is_made_only_if_its_condition_holds() {
    for verb in VERBS {
        let (scene, key) = rotated().await;
        let operator = scene.operator();
        let before = operator.keys().show(&key).await.unwrap();
        for stale in [
            Condition::Revision(before.revision - 1),
            Condition::Revision(before.revision + 1),
            Condition::Version(2),
            Condition::Version(4),
            Condition::Any(Vec::new()),
            Condition::Any(vec![Condition::Revision(1), Condition::Version(1)]),
        ] {
            let session = operator.clone().only_if(stale.clone());
            let refused = change(&session, verb, &key).await.unwrap_err();
            assert_eq!(refused.code(), Code::Precondition, "{verb} {stale:?}: {refused}");
            let after = operator.keys().show(&key).await.unwrap();
            assert_eq!(after.revision, before.revision, "{verb} {stale:?}");
        }
        let fresh = Condition::Any(vec![Condition::Version(99), Condition::Revision(before.revision)]);
        let session = operator.clone().only_if(fresh);
        change(&session, verb, &key)
            .await
            .unwrap_or_else(|error| panic!("{verb}: {error}"));
    }
}

#[tokio::test]
async fn the_revision_that_a_change_answers_with_is_the_one_that_is_shown_afterwards() {
    for verb in VERBS {
        if verb == "remove" {
            continue;
        }
        let (scene, key) = rotated().await;
        let operator = scene.operator();
        change(&operator, verb, &key).await.unwrap();
        // Once done, to do it again changes nothing where there is nothing left to do.
        let shown = operator.keys().show(&key).await.unwrap().revision;
        let edited = operator.keys().edit(&key, &relabelled(verb)).await.unwrap().revision;
        assert_eq!(edited, shown + 1, "{verb}");
        assert_eq!(operator.keys().show(&key).await.unwrap().revision, edited, "{verb}");
        let disabled = operator.keys().disable(&key).await.unwrap().revision;
        let again = operator.keys().disable(&key).await.unwrap().revision;
        assert_eq!(again, operator.keys().show(&key).await.unwrap().revision, "{verb}");
        assert!(disabled >= edited, "{verb}");
        let set = operator.keys().set(&key, secret("last")).await.unwrap().revision;
        assert_eq!(set, operator.keys().show(&key).await.unwrap().revision, "{verb}");
    }
}

#[tokio::test]
async fn of_many_writers_who_read_the_same_revision_one_alone_changes_the_key() {
    let scene = Scene::new().await;
    let key = scene.key("prod/openai");
    let other = scene.another_node().await.operator("os:other@there");
    let operator = scene.operator();
    operator.keys().set(&key, secret("one")).await.unwrap();
    for _ in 0..10 {
        let before = operator.keys().show(&key).await.unwrap();
        let on = |session: &Session| session.clone().only_if(Condition::Revision(before.revision));
        let (here, there) = (on(&operator), on(&other));
        let code = |outcome: Result<(), Error>| outcome.err().map(|error| error.code());
        let (one, two, three, four) = tokio::join!(
            async { code(change(&here, "set", &key).await) },
            async { code(change(&there, "set", &key).await) },
            async { code(change(&here, "edit", &key).await) },
            async { code(change(&there, "edit", &key).await) },
        );
        let codes = [one, two, three, four];
        let done = codes.iter().filter(|code| code.is_none()).count();
        assert_eq!(done, 1, "{codes:?}");
        assert!(
            codes.iter().flatten().all(|code| *code == Code::Precondition),
            "{codes:?}"
        );
        assert_eq!(operator.keys().show(&key).await.unwrap().revision, before.revision + 1);
    }
}

#[tokio::test]
async fn a_key_that_is_not_there_meets_no_condition() {
    let scene = Scene::new().await;
    let key = scene.key("prod/nothing");
    for condition in [Condition::Exists, Condition::Revision(0), Condition::Version(1)] {
        let session = scene.operator().only_if(condition);
        let set = session.keys().set(&key, secret("one")).await.unwrap_err();
        assert_eq!(set.code(), Code::Precondition);
        // Whoever changes what does not exist is told that first.
        let edited = session.keys().edit(&key, &relabelled("acme")).await.unwrap_err();
        assert_eq!(edited.code(), Code::NotFound);
    }
    assert_eq!(
        scene.operator().keys().show(&key).await.unwrap_err().code(),
        Code::NotFound
    );
    scene.operator().keys().set(&key, secret("one")).await.unwrap();
    scene.operator().keys().remove(&key).await.unwrap();
    let session = scene.operator().only_if(Condition::Exists);
    let set = session.keys().set(&key, secret("two")).await.unwrap_err();
    assert_eq!(set.code(), Code::Precondition, "a key that was removed is not there");
}

#[tokio::test]
async fn an_incident_is_opened_whatever_happened_to_the_key_meanwhile() {
    let (scene, key) = rotated().await;
    let session = scene.operator().only_if(Condition::Revision(1));
    let opened = session
        .incidents()
        .open(&key, ibyok_core::incidents::IncidentRequest::new("a gist"))
        .await;
    assert_eq!(opened.unwrap().incident.versions, [3]);
}
