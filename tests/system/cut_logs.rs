//! Somebody who can write to the directory of the logs and to the store takes the last lines of a log away: it is missed, whatever else
//! they take away or set back.

use std::fs;
use std::path::Path;

use ibyok_storage::RecordId;
use ibyok_tests::{Home, copy_tree, segments};
use serde_json::Value;

use crate::foreign_logs::lines_of;
use crate::home_with_vault;

const CHECKPOINT: u8 = 129;
const LOG_KEY: u8 = 6;
const KEY: u8 = 3;

pub(crate) fn of_kind(home: &Home, kind: u8) -> Vec<RecordId> {
    let mut records = home.behind().records();
    records.retain(|id| id.collection().kind().as_u8() == kind);
    records
}

/// A vault at an earlier moment, between two commands.
struct Earlier {
    slot: std::path::PathBuf,
    floors: std::path::PathBuf,
    checkpoint: (RecordId, Vec<u8>),
}

impl Earlier {
    fn keep(home: &Home, name: &str) -> Self {
        let (slot, floors) = (home.path(&format!("{name}-slot")), home.path(&format!("{name}-floors")));
        copy_tree(&home.slot(0), &slot);
        fs::copy(home.vault().join("audit/floors"), &floors).unwrap();
        let id = of_kind(home, CHECKPOINT).remove(0);
        let checkpoint = (id, home.behind().bytes(id));
        Earlier {
            slot,
            floors,
            checkpoint,
        }
    }
}

fn put_back(from: &Path, to: &Path) {
    fs::remove_dir_all(to).unwrap();
    copy_tree(from, to);
}

/// A vault with a reader, at an earlier moment and now. Between them are two retrievals and a new key.
fn read_and_changed() -> (Home, Earlier) {
    let home = home_with_vault();
    home.set("dev/a", "the first value of a");
    let reader = home.token(&["reader", "--env", "dev"]);
    let earlier = Earlier::keep(&home, "earlier");
    for _ in 0..2 {
        let read = home.ibyok(["get", "-n", "dev/a"]).env("IBYOK_TOKEN", &reader);
        read.run().done();
    }
    home.set("dev/planted", "the value of the planted key");
    (home, earlier)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Floors {
    Kept,
    SetBack,
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Checkpoint {
    Kept,
    SetBack,
    Removed,
}

fn take_away(home: &Home, earlier: &Earlier, checkpoint: Checkpoint, floors: Floors) {
    let (id, bytes) = &earlier.checkpoint;
    match checkpoint {
        Checkpoint::Kept => {}
        Checkpoint::SetBack => home.behind().put(*id, bytes),
        Checkpoint::Removed => home.behind().delete(*id),
    }
    let file = home.vault().join("audit/floors");
    if floors != Floors::Kept {
        for end in ["", "-wal", "-shm"] {
            fs::remove_file(file.with_file_name(format!("floors{end}"))).unwrap_or_default();
        }
    }
    if floors == Floors::SetBack {
        fs::copy(&earlier.floors, &file).unwrap();
    }
}

#[track_caller]
fn is_missed(home: &Home, what: &str) {
    for look in ["first", "second"] {
        let verified = home.ibyok(["--json", "audit", "verify"]).run();
        assert_eq!(verified.code(), 10, "{what}, the {look} look: {}", verified.said());
        assert_eq!(verified.json()["ok"], false, "{what}");
    }
    let status = home.ibyok(["status"]).run();
    let told = status.code() != 0 || status.said().contains("audit floors rebuild");
    assert!(told, "{what}: {}", status.said());
}

#[test]
fn a_log_that_was_set_back_is_missed_with_and_without_its_checkpoint_and_the_floors() {
    let (home, earlier) = read_and_changed();
    for checkpoint in [Checkpoint::Kept, Checkpoint::SetBack, Checkpoint::Removed] {
        for floors in [Floors::Kept, Floors::SetBack, Floors::Removed] {
            if (checkpoint, floors) == (Checkpoint::SetBack, Floors::SetBack) {
                continue;
            }
            let copy = home.copy();
            put_back(&earlier.slot, &copy.slot(0));
            take_away(&copy, &earlier, checkpoint, floors);
            is_missed(&copy, &format!("checkpoint {checkpoint:?}, floors {floors:?}"));
            assert_eq!(copy.get("dev/planted"), b"the value of the planted key");
        }
    }
}

/// Removes everything of a log but its place: lines, checkpoints, state, public key and counts.
fn erase(home: &Home, also: &[&str]) {
    for file in segments(&home.slot(0)) {
        fs::remove_file(file).unwrap();
    }
    for beside in ["checkpoints", "state", "usage"].iter().chain(also) {
        fs::remove_file(home.slot(0).join(beside)).unwrap_or_default();
    }
}

#[test]
fn a_log_whose_lines_and_checkpoints_are_all_gone_is_missed() {
    let (home, earlier) = read_and_changed();
    for checkpoint in [Checkpoint::Kept, Checkpoint::SetBack, Checkpoint::Removed] {
        for floors in [Floors::Kept, Floors::SetBack, Floors::Removed] {
            for also in [&[][..], &["log.pub"][..]] {
                let copy = home.copy();
                erase(&copy, also);
                take_away(&copy, &earlier, checkpoint, floors);
                is_missed(
                    &copy,
                    &format!("an erased log, checkpoint {checkpoint:?}, floors {floors:?}, {also:?}"),
                );
                assert_eq!(copy.get("dev/planted"), b"the value of the planted key");
            }
        }
    }
}

#[test]
fn a_vault_opens_although_its_log_and_every_record_about_it_are_gone() {
    let (home, _) = read_and_changed();
    erase(&home, &[]);
    for kind in [LOG_KEY, CHECKPOINT] {
        for id in of_kind(&home, kind) {
            home.behind().delete(id);
        }
    }
    assert_eq!(home.get("dev/planted"), b"the value of the planted key");
    is_missed(&home, "an erased log without key and checkpoint");
}

#[test]
fn a_log_that_was_cut_at_every_eighth_line_is_missed() {
    let (home, earlier) = read_and_changed();
    let (_, lines) = lines_of(&home.slot(0));
    for end in (8..lines.len()).step_by(8) {
        for checkpoint in [Checkpoint::SetBack, Checkpoint::Removed] {
            for floors in [Floors::Kept, Floors::Removed] {
                let copy = home.copy();
                let (file, lines) = lines_of(&copy.slot(0));
                fs::write(file, format!("{}\n", lines[..end].join("\n"))).unwrap();
                // Nothing beside the log speaks of more lines than it has.
                for beside in ["checkpoints", "state"] {
                    fs::remove_file(copy.slot(0).join(beside)).unwrap();
                }
                take_away(&copy, &earlier, checkpoint, floors);
                let verified = copy.ibyok(["audit", "verify"]).run();
                let what = format!("cut at line {end}, checkpoint {checkpoint:?}, floors {floors:?}");
                assert_eq!(verified.code(), 10, "{what}: {}", verified.said());
                assert_eq!(copy.ibyok(["audit", "verify"]).run().code(), 10, "{what}");
            }
        }
    }
}

#[test]
fn the_finding_names_the_log_and_both_lines_until_an_operator_acknowledges_it() {
    let (home, earlier) = read_and_changed();
    let (_, before) = lines_of(&home.slot(0));
    let (_, after) = lines_of(&earlier.slot);
    put_back(&earlier.slot, &home.slot(0));
    take_away(&home, &earlier, Checkpoint::Removed, Floors::Kept);
    let log = fs::read_to_string(home.slot(0).join("id")).unwrap();
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    let said = report["floors"]["findings"].to_string();
    for named in [
        format!("`{}`", log.trim()),
        format!("line {}", before.len()),
        format!("line {}", after.len()),
    ] {
        assert!(said.contains(&named), "{named} in {said}");
    }
    // The log says it itself, to whoever reads it.
    let tail = home.ibyok(["audit", "tail", "--action", "log.gap"]).run().done();
    assert!(tail.text().contains("had come to line"), "{}", tail.text());
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    home.ibyok(["audit", "verify"]).run().done();
    home.set("dev/later", "x");
    home.ibyok(["audit", "verify"]).run().done();
    // What was acknowledged is no reason to believe the next cut.
    put_back(&earlier.slot, &home.slot(0));
    is_missed(&home, "the second cut");
}

#[test]
fn a_log_of_another_slot_that_was_cut_is_missed_as_well() {
    let home = home_with_vault();
    home.set("dev/a", "x");
    let server = home.serve();
    home.set("dev/b", "x");
    let kept = home.path("kept");
    copy_tree(&home.slot(1), &kept);
    home.set("dev/c", "x");
    server.stop();
    put_back(&kept, &home.slot(1));
    for id in of_kind(&home, CHECKPOINT) {
        home.behind().delete(id);
    }
    is_missed(&home, "the log of slot 1");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    home.ibyok(["audit", "verify"]).run().done();
}

#[test]
fn a_key_of_a_log_without_its_checkpoint_is_a_finding() {
    let home = home_with_vault();
    home.set("dev/a", "x");
    let server = home.serve();
    home.set("dev/b", "x");
    server.stop();
    let second = fs::read_to_string(home.slot(1).join("id")).unwrap();
    fs::remove_file(home.vault().join("audit/floors")).unwrap();
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    for id in of_kind(&home, CHECKPOINT) {
        home.behind().delete(id);
    }
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    let found = report["findings"].as_array().unwrap();
    let found = found.iter().find(|finding| finding["what"] == "no_checkpoint");
    assert_eq!(found.unwrap()["log"], second.trim(), "{report}");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    home.ibyok(["audit", "verify"]).run().done();
}

#[test]
fn a_log_without_a_checkpoint_and_without_its_key_is_missed() {
    let (home, earlier) = read_and_changed();
    put_back(&earlier.slot, &home.slot(0));
    for id in of_kind(&home, CHECKPOINT).into_iter().chain(of_kind(&home, LOG_KEY)) {
        home.behind().delete(id);
    }
    is_missed(&home, "no record of the log is left");
}

#[test]
fn a_log_whose_key_was_lost_and_acknowledged_is_missed_when_it_is_cut_or_removed_later() {
    let home = home_with_vault();
    for name in ["dev/a", "dev/b", "dev/c"] {
        home.set(name, "x");
    }
    let lost = fs::read_to_string(home.slot(0).join("id")).unwrap();
    for id in of_kind(&home, LOG_KEY) {
        home.behind().delete(id);
    }
    is_missed(&home, "the key of the log");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    for _ in 0..2 {
        home.ibyok(["audit", "verify"]).run().done();
    }
    let cut = home.copy();
    let (file, lines) = lines_of(&cut.slot(0));
    fs::write(file, format!("{}\n", lines[..6].join("\n"))).unwrap();
    for beside in ["checkpoints", "state"] {
        fs::remove_file(cut.slot(0).join(beside)).unwrap();
    }
    is_missed(&cut, "a cut of the log whose key is lost");
    fs::remove_dir_all(home.slot(0)).unwrap();
    let report = home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
    assert!(report.to_string().contains(lost.trim()), "{report}");
}

#[test]
fn floors_are_not_begun_anew_beside_a_log_that_was_made_unreadable() {
    let (home, _) = read_and_changed();
    let old = of_kind(&home, KEY);
    let old: Vec<_> = old.into_iter().map(|id| (id, home.behind().bytes(id))).collect();
    home.set("dev/planted", "the next value of the planted key");
    for (file, text) in [
        ("id", "1111111111111111111111\n"),
        ("id", "no id"),
        ("log.pub", "no key"),
        ("log.pub", ""),
    ] {
        let copy = home.copy();
        for file in ["floors", "floors-wal", "floors-shm"] {
            fs::remove_file(copy.vault().join("audit").join(file)).unwrap_or_default();
        }
        for id in of_kind(&copy, LOG_KEY) {
            copy.behind().delete(id);
        }
        fs::write(copy.slot(0).join(file), text).unwrap();
        for (id, bytes) in &old {
            copy.behind().put(*id, bytes);
        }
        let read = copy.ibyok(["get", "dev/planted"]).run();
        assert_ne!(read.code(), 0, "{file} with {text:?}: {}", read.said());
        assert!(!read.said().contains("the value of"), "{}", read.said());
    }
}

#[test]
fn a_killed_server_leaves_a_log_without_a_finding() {
    let home = home_with_vault();
    for round in 0..4 {
        let server = home.serve();
        for number in 0..3 {
            home.set(&format!("dev/k{round}-{number}"), "x");
        }
        server.kill();
        let verified = home.ibyok(["--json", "audit", "verify"]).run();
        assert_eq!(verified.code(), 0, "{}", verified.text());
        let findings: &Value = &verified.json()["findings"];
        assert_eq!(findings.as_array().map(Vec::len), Some(0));
    }
    assert!(!segments(&home.slot(1)).is_empty());
}
