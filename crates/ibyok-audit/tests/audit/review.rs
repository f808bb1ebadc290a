//! The review's promises.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ibyok_audit::review::{Countries, Country, Detector, Finding, LogReview, Reviewer, Severity, Thresholds};
use ibyok_audit::{Filter, Line, Reader};
use jiff::Timestamp;

use crate::measure::{review, score};
use crate::support::written;
use crate::traffic::{BEGIN, DAY, traffic};

fn at(second: i64) -> Timestamp {
    Timestamp::new(second, 0).unwrap()
}

/// A line of a token.
fn read(seq: u64, second: i64, log: &str, token: &str, key: &str, ip: &str, agent: &str) -> Line {
    let quoted = |text: &str| serde_json::to_string(text).unwrap();
    Line::parse(format!(
        r#"{{"v":1,"seq":{seq},"time":"{:.6}","log":"{log}","prev":"00","action":"key.retrieve","phase":null,"outcome":"allowed","reason":null,"principal":{{"kind":"token","id":{},"name":{},"chain":null}},"namespace":"default","environment":"prod","key":{},"key_id":null,"version":1,"mode":"live","target":null,"record":null,"rev":null,"count":1,"client":{{"ip":"{ip}","user_agent":{}}},"request_id":null,"trace_id":null}}"#,
        at(second),
        quoted(token),
        quoted(token),
        quoted(key),
        quoted(agent),
    ))
    .unwrap()
}

fn reviewed(lines: impl IntoIterator<Item = Line>, since: i64) -> LogReview {
    let mut reviewer = Reviewer::new(at(since), at(BEGIN + 1000 * DAY), &Thresholds::default()).unwrap();
    lines.into_iter().for_each(|line| reviewer.take(&line));
    reviewer.finish()
}

fn of(review: &LogReview, detector: Detector) -> Vec<&Finding> {
    review
        .findings
        .iter()
        .filter(|finding| finding.detector == detector)
        .collect()
}

#[test]
fn every_seeded_attack_is_found_and_ordinary_life_seldom_is() {
    let traffic = traffic(7, 0);
    let (mut scores, review) = (BTreeMap::new(), review(&traffic, &Thresholds::default()));
    let words = score(&traffic, &review, &mut scores);
    assert!(words.iter().all(|words| !words.starts_with("missed")), "{words:#?}");
    assert!(words.len() < 20, "{words:#?}");
    assert!(
        Detector::ALL.iter().all(|detector| scores[detector].should > 0),
        "{scores:?}"
    );
}

#[test]
fn the_same_lines_give_the_same_findings_and_a_later_review_the_same_ids() {
    let traffic = traffic(3, 0);
    let [one, two] = [0, 1].map(|_| review(&traffic, &Thresholds::default()));
    assert_eq!(one.findings, two.findings);
    let mut later = traffic;
    later.since += 7 * DAY;
    let later = review(&later, &Thresholds::default());
    let still: Vec<_> = one.findings.iter().filter(|found| found.first >= later.since).collect();
    assert!(still.len() > 5);
    for finding in still {
        assert!(
            later.findings.iter().any(|other| other.id == finding.id),
            "{finding:#?}"
        );
    }
}

/// A line of an operator about a record.
fn change(seq: u64, action: &str, record: Option<&str>) -> Line {
    let record = record.map_or_else(|| "null".to_owned(), |record| format!("\"{record}\""));
    Line::parse(format!(
        r#"{{"v":1,"seq":{seq},"time":"{:.6}","log":"A","prev":"00","action":"{action}","phase":"done","outcome":"allowed","reason":null,"principal":{{"kind":"operator","id":"os:ann@host","name":null,"chain":null}},"namespace":"default","environment":"prod","key":null,"key_id":null,"version":null,"mode":null,"target":null,"record":{record},"rev":7,"count":1,"client":{{"ip":null,"user_agent":null}},"request_id":null,"trace_id":null}}"#,
        at(BEGIN + 12 * 3600 + i64::try_from(seq).unwrap()),
    ))
    .unwrap()
}

#[test]
fn an_accepted_rollback_and_the_records_that_it_writes_again_are_one_finding() {
    let lines = (0..3).flat_map(|n| {
        [
            change(1 + 2 * n, "vault.rollback_accepted", Some("1.abcdefgh.00")),
            change(2 + 2 * n, "vault.restore", Some("1.abcdefgh.00")),
        ]
    });
    let review = reviewed(lines, BEGIN);
    let found = of(&review, Detector::SettingsChanged);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].severity, found[0].count), (Severity::High, 6));
    assert!(
        found[0].explanation.contains("vault.rollback_accepted"),
        "{:?}",
        found[0]
    );
    // A restore by itself still is a finding, and so is one of no record.
    let review = reviewed([change(1, "vault.restore", Some("1.abcdefgh.00"))], BEGIN);
    assert_eq!(of(&review, Detector::SettingsChanged).len(), 1);
    let lines = [
        change(1, "vault.rollback_accepted", Some("r")),
        change(2, "vault.restore", None),
    ];
    assert_eq!(of(&reviewed(lines, BEGIN), Detector::SettingsChanged).len(), 2);
}

#[test]
fn a_network_is_told_once_with_all_its_lines() {
    let usual = (0..10).map(|day| read(1 + day, BEGIN + DAY * day as i64, "A", "t", "k", "192.0.2.1", "x/1"));
    let thief = (0..40).map(|n| {
        read(
            11 + n,
            BEGIN + 9 * DAY + 60 * (1 + n as i64),
            "A",
            "t",
            "k",
            "198.51.100.7",
            "x/2",
        )
    });
    let review = reviewed(usual.chain(thief), BEGIN + 9 * DAY);
    let found = of(&review, Detector::NewNetwork);
    assert_eq!((found.len(), found[0].count, found[0].lines.len()), (1, 40, 5));
    assert_eq!((found[0].lines[0].seq, found[0].severity), (11, Severity::Medium));
    assert_eq!(
        of(&review, Detector::NewAgent).len(),
        0,
        "an update is no other program"
    );
    assert_eq!((review.lines, review.history), (41, 9));
    assert_eq!((review.tokens[0].reads, review.tokens[0].networks), (41, 2));
}

#[test]
fn nodes_with_clocks_apart_do_not_make_findings() {
    // Two logs, one of them three minutes behind, merged by their times; and lines that step back within one.
    let mut lines = Vec::new();
    for n in 0..2000_i64 {
        let (log, behind) = if n % 2 == 0 { ("A", 0) } else { ("B", 180) };
        let seq = 1 + u64::try_from(n / 2).unwrap();
        let back = if n % 50 == 0 { 90 } else { 0 };
        lines.push(read(
            seq,
            BEGIN + n * 1800 - behind - back,
            log,
            "t",
            "k",
            "192.0.2.1",
            "x",
        ));
    }
    let review = reviewed(lines, BEGIN + 20 * DAY);
    assert_eq!(review.findings, []);
    assert_eq!(
        review.logs.iter().map(|log| (&*log.log, log.until)).collect::<Vec<_>>(),
        [("A", 1000), ("B", 1000)]
    );
}

/// Tells by the last group of the network, and nothing of others.
#[derive(Debug)]
struct ByNetwork;

impl Countries for ByNetwork {
    fn country(&self, address: IpAddr) -> Option<Country> {
        let text = address.to_string();
        let lands = [
            ("192.0.2.", "DE"),
            ("198.51.100.", "de"),
            ("203.0.113.", "NL"),
            ("2001:db8:", "SE"),
        ];
        let land = lands.iter().find(|(network, _)| text.starts_with(network));
        Country::parse(land?.1)
    }
}

#[test]
fn a_country_in_which_a_token_never_was_is_a_finding_of_its_own() {
    let usual = (0..9).flat_map(|day| {
        let at = BEGIN + DAY * day as i64;
        let (one, two) = ("192.0.2.1", "2001:db8::1");
        [
            read(1 + 2 * day, at, "A", "home", "k", one, "x"),
            read(2 + 2 * day, at + 1, "A", "abroad", "k", two, "x"),
        ]
    });
    let now = BEGIN + 9 * DAY;
    let mut seq = 18;
    let mut next = |token: &str, ip: &str| {
        seq += 1;
        read(seq, now + seq as i64, "A", token, "k", ip, "x")
    };
    let later = [
        next("home", "198.51.100.7"),
        next("home", "203.0.113.7"),
        next("home", "::ffff:203.0.113.8"),
        next("home", "2001:db8:1::1"),
        next("home", "10.0.0.1"),
        next("fresh", "203.0.113.9"),
    ];
    let lines: Vec<Line> = usual.chain(later).collect();
    let reviewer = || Reviewer::new(at(now), at(now + DAY), &Thresholds::default()).unwrap();
    let finished = |mut reviewer: Reviewer| {
        lines.iter().for_each(|line| reviewer.take(line));
        reviewer.finish()
    };
    let review = finished(reviewer().countries(ByNetwork));
    let told: Vec<_> = of(&review, Detector::NewCountry)
        .into_iter()
        .map(|found| {
            (
                found.subject.id.as_str(),
                found.severity,
                found.count,
                found.explanation.as_str(),
            )
        })
        .collect();
    let (first, second) = (
        "came from the country NL for the first time; no token of this vault ever came from there",
        "came from the country SE for the first time; another token came from there before",
    );
    assert_eq!(
        told,
        [
            ("home", Severity::High, 2, first),
            ("home", Severity::Medium, 1, second)
        ],
        "another network of the same country, one of no country and a token that is learned are none"
    );
    let networks: Vec<_> = of(&review, Detector::NewNetwork)
        .into_iter()
        .map(|found| found.explanation.split(" for ").next().unwrap())
        .collect();
    let expected = [
        "came from 198.51.100.0/24 (DE)",
        "came from 203.0.113.0/24 (NL)",
        "came from 10.0.0.0/24",
        "came from 2001:db8:1::/48 (SE)",
    ];
    assert!(expected.iter().all(|words| networks.contains(words)), "{networks:?}");
    let row = review
        .networks
        .iter()
        .find(|row| row.network == "203.0.113.0/24")
        .unwrap();
    assert_eq!(row.country, Country::parse("NL"));

    let without = finished(reviewer());
    assert_eq!(of(&without, Detector::NewCountry).len(), 0);
    assert!(serde_json::to_string(&without).unwrap().find("country").is_none());
}

#[tokio::test]
async fn a_hole_and_a_line_that_cannot_be_read_are_told_and_a_torn_tail_is_none() {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    written(&place, 20).await;
    let mut lines = crate::support::lines(&place);
    lines.remove(9);
    lines[14] = "nonsense".to_owned();
    crate::support::put_lines(&place, &lines);
    let mut torn = std::fs::read(crate::support::segment(&place)).unwrap();
    torn.extend_from_slice(br#"{"v":1,"seq":21,"time":"#);
    std::fs::write(crate::support::segment(&place), torn).unwrap();
    let mut reviewer = Reviewer::new(Timestamp::UNIX_EPOCH, Timestamp::MAX, &Thresholds::default()).unwrap();
    for line in Reader::open(&place).unwrap().lines(&Filter::default()).unwrap() {
        match line {
            Ok(line) => reviewer.take(&line),
            Err(error) => reviewer.unreadable(&error),
        }
    }
    let review = reviewer.finish();
    let found = of(&review, Detector::LogGap);
    assert!(
        found.iter().all(|finding| finding.severity == Severity::High),
        "{found:#?}"
    );
    assert_eq!(found.iter().map(|finding| finding.count).sum::<u64>(), 3, "{found:#?}");
    assert_eq!(review.logs[0].until, 20);
}

#[test]
fn what_is_beyond_a_bound_is_counted() {
    let mut lines = Vec::new();
    for n in 0..30_000_u64 {
        let ip = format!("10.{}.{}.1", n / 250 % 250, n % 250);
        lines.push(read(
            n + 1,
            BEGIN + 5 * DAY + n as i64,
            "A",
            &format!("t{}", n % 15_000),
            "k",
            &ip,
            "x",
        ));
    }
    let review = reviewed(lines, BEGIN);
    assert_eq!(review.not_judged, 10_000);
    assert_eq!((review.tokens.len(), review.networks.len()), (200, 200));
    assert_eq!(review.lines, 30_000);

    let usual = (0..10).map(|day| read(1 + day, BEGIN + DAY * day as i64, "A", "t", "k", "192.0.2.1", "x"));
    let many = (0..1000).map(|n| {
        let ip = format!("10.{}.{}.1", n / 250, n % 250);
        read(11 + n, BEGIN + 10 * DAY + 600 * n as i64, "A", "t", "k", &ip, "x")
    });
    let review = reviewed(usual.chain(many), BEGIN + 9 * DAY);
    let found = of(&review, Detector::NewNetwork).len() as u64;
    assert_eq!(
        (found, review.more["new_network"]),
        (200, 55),
        "256 networks of a token are told apart"
    );
}
