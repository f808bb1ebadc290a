//! The file of a local KEK: made whole or not at all, and refused if another user owns it or has access to it.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests are tests")]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use ibyok_crypto::{Error, LocalKek};
use tempfile::TempDir;

fn directory() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("kek");
    (directory, path)
}

fn with(bytes: &[u8], mode: u32) -> (TempDir, PathBuf) {
    let (directory, path) = directory();
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (directory, path)
}

fn problem(path: &Path) -> &'static str {
    match LocalKek::from_file(path) {
        Err(Error::KekFile { problem, path: named }) if named == path => problem,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_file_that_was_made_is_private_and_read_as_the_same_key() {
    let (_directory, path) = directory();
    let made = LocalKek::create_file(&path).unwrap();
    let metadata = fs::metadata(&path).unwrap();
    assert_eq!((metadata.permissions().mode() & 0o7777, metadata.len()), (0o600, 32));
    assert_eq!(LocalKek::from_file(&path).unwrap().id(), made.id());
}

#[test]
fn a_file_that_exists_is_never_written_over() {
    let (_directory, path) = with(&[7; 32], 0o600);
    assert!(matches!(LocalKek::create_file(&path), Err(Error::KekFileAccess { .. })));
    assert_eq!(fs::read(&path).unwrap(), [7; 32]);
    let (_directory, link) = directory();
    symlink("nowhere", &link).unwrap();
    assert!(matches!(LocalKek::create_file(&link), Err(Error::KekFileAccess { .. })));
}

#[test]
fn a_file_that_others_may_touch_is_refused() {
    for mode in [0o644, 0o640, 0o604, 0o660, 0o602, 0o610, 0o777] {
        let (_directory, path) = with(&[7; 32], mode);
        assert!(problem(&path).contains("chmod 600"), "{mode:o}");
    }
    let (_directory, path) = with(&[7; 32], 0o400);
    assert!(LocalKek::from_file(&path).is_ok());
}

#[test]
fn a_file_of_another_size_is_refused() {
    for len in [0, 31, 33, 64] {
        let (_directory, path) = with(&vec![7; len], 0o600);
        assert!(problem(&path).contains("32 bytes"), "{len}");
    }
}

#[test]
fn what_is_no_file_is_refused_at_once() {
    let (directory, path) = directory();
    assert!(matches!(LocalKek::from_file(&path), Err(Error::KekFileAccess { .. })));
    assert!(problem(directory.path()).contains("regular"));
    let status = std::process::Command::new("mkfifo")
        .args(["-m", "600"])
        .arg(&path)
        .status();
    if status.is_ok_and(|status| status.success()) {
        assert!(problem(&path).contains("regular"));
    }
}

#[test]
fn a_file_of_another_user_is_refused() {
    let (_directory, path) = with(&[7; 32], 0o600);
    // Only root can give a file away; for others there is no such file that they could open.
    if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
        assert!(problem(&path).contains("another user"));
    }
}

#[test]
fn a_descriptor_holds_exactly_the_key() {
    let kek = LocalKek::from_reader(&mut &[7; 32][..]).unwrap();
    assert_eq!(kek.id(), LocalKek::copy_of(&[7; 32]).id());
    for len in [0, 31, 33] {
        let bytes = vec![7; len];
        assert!(
            matches!(LocalKek::from_reader(&mut &bytes[..]), Err(Error::KekSize)),
            "{len}"
        );
    }
}
