//! A key may have leaked: an incident that is opened on one node holds on the other, and knows the tokens that read
//! the key there.

use ibyok_core::{
    Code,
    incidents::{IncidentRequest, ReaderSource},
    jiff::{SignedDuration, Timestamp},
};
use ibyok_operations::incidents::IncidentReportExt as _;
use ibyok_operations::reviews::ReviewHabits;

use super::{Given, PROMISED, TOLD, soon, taken_away, two_nodes};
use crate::shared::Shared;
use crate::site::{Node, code, key};

crate::on!(postgres redis,
    an_incident_here_freezes_the_key_and_ends_its_readers_there_and_names_them
    an_incident_that_is_opened_on_two_nodes_at_once_is_one
);

mod died {
    use super::a_server_that_died_before_it_told_who_read_is_named;
    crate::on!(redis, a_server_that_died_before_it_told_who_read_is_named);
}

fn an_hour_ago() -> Option<Timestamp> {
    Some(Timestamp::now() - SignedDuration::from_hours(1))
}

async fn an_incident_here_freezes_the_key_and_ends_its_readers_there_and_names_them(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    // One value under two names would be frozen under both.
    for name in ["prod/frozen", "prod/leaked", "prod/other"] {
        here.set(name, &format!("the value of {name}")).await.expect("a key");
    }
    let tokens = [
        here.token("reads-here", "prod").await,
        here.token("reads-there", "prod").await,
    ];
    let bystander = here.token("bystander", "prod").await;
    there.get(&bystander, "prod/other").await.expect("a value");
    let (leaked, frozen) = (key("prod/leaked"), key("prod/frozen"));
    let operator = here.operator();
    // Frozen, and nothing else.
    let is_served: fn(&Given) -> bool = |given| given.as_deref().is_ok_and(|value| value.starts_with("the value of"));
    let is_frozen: fn(&Given) -> bool = |given| *given == Err(Code::KeyDisabled);
    let readers = [(&here, &tokens[0]), (&there, &tokens[1])];
    let request = IncidentRequest::new("seen in a log").freeze(true);
    let change = operator.incidents().open(&frozen, request);
    taken_away(readers, "prod/frozen", [is_served, is_frozen], change).await;

    // Frozen, and who has read it meanwhile ends.
    let request = IncidentRequest::new("pasted into a public gist")
        .freeze(true)
        .revoke_readers(an_hour_ago());
    let refused: fn(&Given) -> bool = |given| matches!(given, Err(Code::KeyDisabled | Code::Unauthenticated));
    let last = here.token("reads-there-last", "prod").await;
    let change = async {
        // What this node counted is not yet told when the incident is opened.
        there.get(&last, "prod/leaked").await?;
        operator.incidents().open(&leaked, request).await
    };
    let opened = taken_away(readers, "prod/leaked", [is_served, refused], change).await;
    let info = opened.incident;
    assert!(
        info.frozen && !opened.was_open && opened.not_revoked.is_empty(),
        "{info:?}"
    );

    // The key for everybody, and its readers for every key.
    for node in [&here, &there] {
        for token in &tokens {
            assert_eq!(code(&node.get(token, "prod/other").await), Some(Code::Unauthenticated));
        }
        assert_eq!(
            code(&node.get(&bystander, "prod/leaked").await),
            Some(Code::KeyDisabled)
        );
        node.get(&bystander, "prod/other")
            .await
            .expect("who did not read it goes on");
    }
    let id = |node: &Node, name: &'static str| {
        let operator = node.operator();
        async move { operator.tokens().show(name).await.expect("a token").id }
    };
    let (by_here, by_there) = (id(&here, "reads-here").await, id(&here, "reads-there").await);
    let by_last = id(&here, "reads-there-last").await;
    let mut revoked = info.revoked.clone();
    revoked.sort_unstable();
    let mut all = [by_here, by_there, by_last];
    all.sort_unstable();
    assert_eq!(revoked, all);
    assert_eq!(code(&there.get(&last, "prod/other").await), Some(Code::Unauthenticated));

    // Each node's report names both: by its own log, and by what the other counted.
    for (node, own, other) in [(&here, by_here, by_there), (&there, by_there, by_here)] {
        let report = node
            .operator()
            .incidents()
            .report("prod/leaked", None, &ReviewHabits::default())
            .await
            .expect("a report");
        assert_eq!(
            (report.facts.incident.id, report.facts.incident.frozen),
            (info.id, true)
        );
        for (id, source) in [(own, ReaderSource::Log), (other, ReaderSource::Usage)] {
            let reader = report.facts.readers.iter().find(|reader| reader.id == id.to_string());
            let reader = reader.unwrap_or_else(|| panic!("{} is not named: {:?}", id, report.facts.readers));
            assert!(reader.source == source && reader.count > 0, "{reader:?}");
        }
        assert!(
            report
                .facts
                .readers
                .iter()
                .all(|reader| reader.name.as_deref() != Some("bystander"))
        );
    }
    // Opened again on the other node, it is added to.
    let again = there
        .operator()
        .incidents()
        .open(&leaked, IncidentRequest::new("seen again"))
        .await;
    let again = again.expect("opened");
    assert!(
        again.was_open && again.incident.id == info.id && again.incident.frozen,
        "{again:?}"
    );
    assert_eq!(again.incident.revoked, info.revoked);
}

async fn an_incident_that_is_opened_on_two_nodes_at_once_is_one(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    let names: Vec<String> = (0..5).map(|number| format!("prod/key-{number}")).collect();
    for name in &names {
        here.set(name, &format!("the value of {name}")).await.expect("a key");
        let leaked = key(name);
        let (one, other) = (here.operator(), there.operator());
        let (one, other) = tokio::join!(
            one.incidents().open(&leaked, IncidentRequest::new("seen by one")),
            other
                .incidents()
                .open(&leaked, IncidentRequest::new("seen by the other").freeze(true)),
        );
        let (one, other) = (one.expect("opened"), other.expect("opened"));
        assert_eq!(one.incident.id, other.incident.id);
        assert!(one.was_open != other.was_open, "one opens it, and the other adds to it");
    }
    tokio::time::sleep(PROMISED).await;
    for node in [&here, &there] {
        let open = node
            .operator()
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::Open)
            .await
            .expect("a list");
        for name in &names {
            let of_key: Vec<_> = open.iter().filter(|incident| incident.reference == *name).collect();
            assert_eq!(of_key.len(), 1, "{open:?}");
            let notes = of_key[0].notes.iter().map(|note| note.text.as_str());
            let told: Vec<_> = notes.chain([of_key[0].reason.as_str()]).collect();
            for reason in ["seen by one", "seen by the other"] {
                assert!(told.iter().any(|told| told.contains(reason)), "{told:?}");
            }
            assert!(of_key[0].frozen);
        }
    }
}

async fn a_server_that_died_before_it_told_who_read_is_named(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    here.set("prod/leaked", "the value").await.expect("a key");
    let token = here.token("reader", "prod").await;
    let (leaked, operator) = (key("prod/leaked"), here.operator());
    there.get(&token, "prod/leaked").await.expect("a value");
    soon("it is told that it counts", TOLD, async || {
        let status = operator.rotation().status(&leaked).await.expect("a status");
        let mut versions = status.versions.iter();
        versions.find(|version| !version.consumers.is_empty()).map(drop)
    })
    .await;
    drop(there);
    // For so long it is not yet missed.
    tokio::time::sleep(TOLD).await;
    let request = IncidentRequest::new("on a paste site").revoke_readers(an_hour_ago());
    let opened = operator.incidents().open(&leaked, request).await.expect("opened");
    assert_eq!(opened.incident.revoked.len(), 1);
    assert_eq!(opened.unseen.len(), 1, "{:?}", opened.unseen);
    assert!(
        opened.unseen[0].contains("has not reported its reads"),
        "{:?}",
        opened.unseen
    );
    let report = operator
        .incidents()
        .report("prod/leaked", None, &ReviewHabits::default())
        .await
        .expect("a report");
    assert_eq!(report.facts.unseen, opened.unseen);
}
