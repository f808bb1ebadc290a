//! `backup`, `restore` and `copy` that fill a disk half-way: a clear error, nothing half-made, nothing lost. Needs root for a small tmpfs.

use std::fs;

use ibyok_tests::{Home, Oracle};

use crate::small_disk::Small;
use crate::{PROGRAMS, home_with_vault};

/// The keys of a vault, whose values are too large for a small disk together.
const KEYS: usize = 24;
const VALUE: usize = 60 << 10;

fn fill(home: &Home) {
    for number in 0..KEYS {
        home.set(&format!("prod/large{number}"), "x".repeat(VALUE));
    }
}

fn holds(home: &Home) {
    for number in 0..KEYS {
        assert_eq!(home.get(&format!("prod/large{number}")).len(), VALUE);
    }
    Oracle::new().the_log_verifies(home);
}

#[test]
fn a_backup_to_a_full_disk_leaves_no_file_and_is_not_on_the_checklist() {
    let home = home_with_vault();
    fill(&home);
    let place = home.path("inputs/small");
    fs::create_dir(&place).unwrap();
    let small = Small::over(place.clone(), "size=512k");
    let refused = home.ibyok(["--json", "backup", "small/one.backup"]).run();
    refused.fails(5, "unavailable");
    assert_eq!(fs::read_dir(&place).unwrap().count(), 0, "something was left");
    let lines = home.ibyok(["audit", "export"]).run().done().text();
    assert!(
        lines.contains(r#""action":"vault.backup""#) && lines.contains("not_done"),
        "{lines}"
    );
    small.remount("size=8m");
    home.ibyok(["backup", "small/one.backup"]).run().done();
    home.ibyok(["backup", "--verify", "small/one.backup"]).run().done();
    holds(&home);
}

#[test]
fn a_restore_that_fills_the_disk_keeps_the_old_store() {
    let home = Home::empty(PROGRAMS);
    // Once for the vault with its log, and not a second time for the store that is filled beside it.
    let small = Small::mount(&home, "size=40m");
    home.ibyok(["init"]).run().done();
    fill(&home);
    home.ibyok(["backup", "one.backup"]).run().done();
    let free = ballast(&home, 1 << 20);
    let restore = ["--json", "--yes", "restore", "one.backup"];
    let refused = home.ibyok(restore).run();
    assert!([1, 5].contains(&refused.code()), "{}{}", refused.text(), refused.said());
    fs::remove_file(&free).unwrap();
    holds(&home);
    home.ibyok(restore).run().done();
    holds(&home);
    drop(small);
}

#[test]
fn a_copy_that_fills_the_disk_leaves_the_old_store_serving_and_is_finished_later() {
    let home = home_with_vault();
    fill(&home);
    let place = home.path("inputs/small");
    fs::create_dir(&place).unwrap();
    let small = Small::over(place, "size=1m");
    let copy = ["--json", "--yes", "copy", "--to", "file:small/new.db"];
    home.ibyok(copy).run().fails(5, "unavailable");
    holds(&home);
    small.remount("size=32m");
    home.ibyok(copy).run().done();
    holds(&home);
    let settings = fs::read_to_string(home.vault().join("vault.toml")).unwrap();
    assert!(settings.contains("small/new.db"), "{settings}");
}

/// Fills the home's disk with a file, but for so many bytes.
fn ballast(home: &Home, leave: u64) -> std::path::PathBuf {
    let path = home.path("home/ballast");
    drop(fs::write(&path, vec![0_u8; 64 << 20]));
    let length = fs::metadata(&path).unwrap().len();
    let file = fs::File::options().write(true).open(&path).unwrap();
    file.set_len(length.saturating_sub(leave)).unwrap();
    path
}
