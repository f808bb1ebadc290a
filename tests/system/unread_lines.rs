//! Lines of the audit log that were changed or cannot be read: every report made from the log shows the others, and
//! says how many it lacks and from where on.

use std::fs;
use std::path::PathBuf;

use ibyok_tests::{Home, Request};
use rustix::process::{Pid, Signal, kill_process};

use crate::home_with_vault;

/// A vault with a key that was read before and after a line that can be spoilt, and an incident on the key.
fn home() -> (Home, String) {
    let home = home_with_vault();
    home.set("prod/one", "a value");
    home.get("prod/one");
    let opened = ["--json", "--yes", "incident", "open", "prod/one", "--reason", "pasted"];
    let opened = home.ibyok(opened).run().done().json();
    home.get("prod/one");
    (home, opened["id"].as_str().unwrap().to_owned())
}

type Spoiling = fn(&str) -> String;

fn segment(home: &Home) -> PathBuf {
    home.slot(0).join("audit-00000001.log")
}

/// Changes the first line of an action; gives its number in the file.
fn spoil(home: &Home, action: &str, how: Spoiling) -> usize {
    let text = fs::read_to_string(segment(home)).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let which = format!("\"action\":\"{action}\"");
    let at = lines.iter().position(|line| line.contains(&which)).expect("a line");
    lines[at] = how(&lines[at]);
    let rest = text.len() - text.trim_end_matches('\0').len();
    fs::write(
        segment(home),
        lines.join("\n").trim_end_matches('\0').to_owned() + "\n" + &"\0".repeat(rest),
    )
    .unwrap();
    at + 1
}

#[test]
fn lines_that_are_left_out_are_counted_and_named_wherever_the_log_is_read() {
    let (home, incident) = home();
    let cases: [(&str, Spoiling); 4] = [
        ("a byte that became NUL", |line| line.replacen("allowed", "all\0wed", 1)),
        ("a changed word", |line| line.replacen("allowed", "allowee", 1)),
        ("a line that is no JSON", |line| line.replacen('{', "[", 1)),
        ("half a line", |line| line[..line.len() / 2].to_owned()),
    ];
    for (what, how) in cases {
        let copy = home.copy();
        let number = spoil(&copy, "key.retrieve", how);
        let names = |text: &str| {
            assert!(
                text.contains("left out") || text.contains("cannot be read"),
                "{what}: {text}"
            );
            // Lines behind the last checkpoint before it are as little vouched for as itself.
            let (before, _) = text.split_once(" of `slot-0/audit-00000001.log`").expect(what);
            let from: usize = before.rsplit_once("line ").unwrap().1.parse().unwrap();
            assert!(from <= number && from + 8 > number, "{what}: {number}: {text}");
            assert!(!text.contains(copy.vault().to_str().unwrap()), "{what}: {text}");
        };
        for tail in [
            &["audit", "tail"][..],
            &["audit", "tail", "-n", "5"],
            &["audit", "export"],
        ] {
            let tail = copy.ibyok(tail).run().done();
            names(&tail.said());
        }
        let report = copy
            .ibyok(["--json", "incident", "report", &incident])
            .run()
            .done()
            .json();
        let unseen: Vec<&str> = report["unseen"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|gap| gap.as_str())
            .collect();
        names(&unseen.join("\n"));
        // The parts of a report read the log one by one, and the gap is one.
        assert_eq!(
            unseen.iter().filter(|gap| gap.contains("slot-0/")).count(),
            1,
            "{what}: {unseen:?}"
        );
        names(&copy.ibyok(["incident", "report", &incident]).run().done().text());
        let review = copy.ibyok(["--json", "audit", "review"]).run().exits(10).json();
        let findings = review["findings"].as_array().unwrap();
        assert!(
            findings.iter().any(|one| one.to_string().contains("cannot be read")),
            "{what}: {review}"
        );
        copy.ibyok(["audit", "verify"]).run().exits(10);
    }
}

#[test]
fn a_log_that_is_followed_warns_of_lines_that_it_leaves_out_meanwhile() {
    let home = home();
    let home = home.0;
    // The log of a command that ran beside a server.
    let server = home.serve();
    home.get("prod/one");
    home.get("prod/one");
    assert!(server.stop().success());
    let (slot, away) = (home.slot(1), home.path("away"));
    fs::rename(&slot, &away).unwrap();
    let segment = away.join("audit-00000001.log");
    let text = fs::read_to_string(&segment).unwrap().replacen("allowed", "all\0wed", 1);
    fs::write(&segment, text).unwrap();
    let follow = home.ibyok(["audit", "tail", "-f"]).run_and(|child| {
        std::thread::sleep(std::time::Duration::from_secs(2));
        fs::rename(&away, &slot).unwrap();
        std::thread::sleep(std::time::Duration::from_secs(3));
        kill_process(Pid::from_child(child), Signal::TERM).unwrap();
    });
    let said = follow.said();
    assert!(said.contains("left out") && said.contains("slot-1/"), "{said}");
}

#[test]
fn a_server_names_the_lines_that_its_incident_report_lacks() {
    let (home, incident) = home();
    let token = home.token(&[
        "responder",
        "--all-envs",
        "--scope",
        "incidents:write",
        "--scope",
        "audit:read",
    ]);
    spoil(&home, "key.retrieve", |line| line.replacen("allowed", "allowee", 1));
    let server = home.serve();
    let path = format!("/api/v1/incidents/{incident}");
    let report = server.send(&Request::get(&path).bearer(&token)).is(200).json();
    assert!(
        report["unseen"].to_string().contains("slot-0/audit-00000001.log"),
        "{report}"
    );
    assert!(!report.to_string().contains(home.vault().to_str().unwrap()), "{report}");
}

#[test]
fn a_log_that_is_whole_lacks_nothing() {
    let (home, incident) = home();
    // A process that is killed leaves lines that no checkpoint covers, and the next one goes on from them.
    let server = home.serve();
    server.kill();
    home.get("prod/one");
    let tail = home.ibyok(["audit", "tail"]).run().done();
    assert!(!tail.said().contains("warning"), "{}", tail.said());
    let report = home
        .ibyok(["--json", "incident", "report", &incident])
        .run()
        .done()
        .json();
    assert!(!report["unseen"].to_string().contains("slot-"), "{report}");
}
