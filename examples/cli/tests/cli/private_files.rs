//! Files and directories are their user's alone, for any umask.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::harness::{Call, Place};

/// The call with a umask that takes nothing away.
fn open_to_all(place: &Place, arguments: &[&str]) -> Call {
    let mut call = place.ibyok(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 000; exec \"$0\" \"$@\""]);
    shell
        .arg(call.command.get_program())
        .args(arguments)
        .env_clear()
        .current_dir(place.path(""));
    for (name, value) in call.command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    call.command = shell;
    call
}

/// Finds everything below a directory that another user may look at, except for the files that the test itself put
/// there.
fn lax(directory: &Path, own: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let metadata = path.symlink_metadata().unwrap();
        let (mode, wanted) = (
            metadata.permissions().mode() & 0o777,
            if metadata.is_dir() { 0o700 } else { 0o600 },
        );
        let name = path.file_name().unwrap().to_str().unwrap();
        if mode != wanted && !own.contains(&name) {
            found.push(format!("{} {mode:o}", path.display()));
        }
        if metadata.is_dir() {
            lax(&path, own, found);
        }
    }
}

#[test]
fn every_file_is_0600_and_every_directory_0700_whatever_the_umask() {
    let place = Place::empty();
    // The parents of the vault's directory and of the KEK's are the platform's, and shared by programs.
    for shared in ["data", "config"] {
        fs::create_dir(place.path(shared)).unwrap();
        fs::set_permissions(place.path(shared), fs::Permissions::from_mode(0o700)).unwrap();
    }
    let check = |after: &str| {
        let mut found = Vec::new();
        lax(&place.path(""), &["x.env"], &mut found);
        assert!(found.is_empty(), "after {after}: {found:?}");
    };
    let did = |arguments: &[&str], stdin: &str| {
        let done = open_to_all(&place, arguments).stdin(stdin).call();
        assert!(matches!(done.code, 0 | 10), "{arguments:?}: {done:?}");
        check(&arguments.join(" "));
    };
    did(&["init"], "");
    did(&["keys", "set", "dev/k"], "one");
    did(&["get", "dev/k"], "");
    did(&["run", "--env", "dev", "--", "true"], "");
    did(&["get", "dev/k", "-o", "got"], "");
    place.write("x.env", "A_KEY=1\nB_KEY=2\n");
    fs::set_permissions(place.path("x.env"), fs::Permissions::from_mode(0o600)).unwrap();
    did(&["import", "x.env", "--env", "dev", "--rewrite"], "");
    let mode = fs::metadata(place.path("x.env")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    did(&["export", "--env", "dev", "-o", "exported"], "");
    did(&["tokens", "issue", "ci", "--env", "dev"], "");
    did(&["incident", "open", "dev/k", "--reason", "leaked in a log"], "");
    did(&["incident", "plan", "-o", "plan.md"], "");
    did(&["incident", "report", "dev/k", "--html", "report.html"], "");
    did(&["incident", "report", "dev/k", "--proofs", "proofs"], "");
    did(&["audit", "floors", "export", "floors"], "");
    did(&["scan", "--export-bundle", "bundle"], "");
    did(&["usage"], "");
    did(&["audit", "review", "--html", "review.html"], "");
    did(&["audit", "prove", "1", "-o", "proof.json"], "");
    did(&["audit", "verify"], "");
    for written in [
        "report.html",
        "proofs/report.json",
        "floors",
        "bundle",
        "review.html",
        "plan.md",
    ] {
        assert!(place.path(written).is_file(), "{written}");
    }
    // An export of the log is a stream: it makes no file, and leaves none behind.
    did(&["audit", "export"], "");
    let mut server = open_to_all(&place, &["serve", "--listen", "127.0.0.1:0"]);
    let mut child = server
        .command
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    check("serve");
    Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(child.wait().unwrap().success());
    check("the end of serve");
    let usage = fs::read_dir(place.vault().join("audit"))
        .unwrap()
        .map(|slot| slot.unwrap().path().join("usage"))
        .filter(|usage| usage.exists());
    assert!(usage.count() > 0);
}
