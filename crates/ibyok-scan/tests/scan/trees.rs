use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use ibyok_scan::{Engine, Progress, ScanReport, TreeOptions, scan_tree};
use tempfile::TempDir;

use super::leak;

fn tree(files: &[&str]) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for file in files {
        let path = directory.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, leak()).unwrap();
    }
    directory
}

fn scan(root: &Path, options: TreeOptions) -> ScanReport {
    scan_tree(&Engine::new(), root, options, &Progress::default()).unwrap()
}

fn found(root: &Path, options: TreeOptions) -> Vec<String> {
    let report = scan(root, options);
    let start = format!("{}/", root.display());
    report
        .findings
        .into_iter()
        .map(|finding| finding.path.replace(&start, ""))
        .collect()
}

#[test]
fn every_file_is_scanned_hidden_ones_too_in_order() {
    let tree = tree(&["b/c.txt", "a.txt", ".env", ".github/x.yml", ".git/config"]);
    assert_eq!(
        found(tree.path(), TreeOptions::default()),
        [".env", ".github/x.yml", "a.txt", "b/c.txt"]
    );
}

#[test]
fn what_git_ignores_is_left_out_unless_asked_for() {
    let tree = tree(&["a.txt", ".env", ".git/HEAD"]);
    fs::write(tree.path().join(".gitignore"), ".env\n").unwrap();
    assert_eq!(found(tree.path(), TreeOptions::default()), ["a.txt"]);
    assert_eq!(
        found(tree.path(), TreeOptions::default().no_ignore(true)),
        [".env", "a.txt"]
    );
    assert_eq!(found(&tree.path().join(".env"), TreeOptions::default()).len(), 1);
}

#[test]
fn links_are_not_followed_and_loops_end() {
    let tree = tree(&["a/b.txt"]);
    symlink("..", tree.path().join("a/loop")).unwrap();
    symlink("a/b.txt", tree.path().join("link")).unwrap();
    assert_eq!(found(tree.path(), TreeOptions::default()), ["a/b.txt"]);
}

#[test]
fn a_name_that_is_not_utf8_is_shown_with_escapes() {
    let tree = tree(&[]);
    fs::write(tree.path().join(std::ffi::OsStr::from_bytes(b"x\xff\x1b")), leak()).unwrap();
    assert_eq!(found(tree.path(), TreeOptions::default()), ["x\\xff\\u{1b}"]);
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[test]
fn what_is_no_file_is_not_opened_and_is_named() {
    let tree = tree(&["a.txt"]);
    pipe(&tree.path().join("pipe"));
    let socket = std::os::unix::net::UnixListener::bind(tree.path().join("socket")).unwrap();
    let report = scan(tree.path(), TreeOptions::default());
    assert_eq!((report.findings.len(), report.unread), (1, 0));
    let names: Vec<_> = report
        .left_out
        .iter()
        .map(|what| what.rsplit('/').next().unwrap())
        .collect();
    assert_eq!(names, ["pipe (a pipe)", "socket (a socket)"]);
    drop(socket);
}

#[test]
fn a_pipe_as_the_root_is_refused_and_not_waited_for() {
    let tree = tree(&[]);
    let root = tree.path().join("pipe");
    pipe(&root);
    let refused = scan_tree(&Engine::new(), &root, TreeOptions::default(), &Progress::default());
    assert!(refused.unwrap_err().to_string().contains("it is a pipe"));
}

#[test]
fn a_descriptor_is_read_to_its_end() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = std::io::pipe().unwrap();
    let slow = std::thread::spawn(move || {
        for part in ["x = '", &leak(), "'\n"] {
            std::thread::sleep(std::time::Duration::from_millis(50));
            writer.write_all(part.as_bytes()).unwrap();
        }
    });
    let root = format!("/dev/fd/{}", reader.as_raw_fd());
    let report = scan(Path::new(&root), TreeOptions::default());
    slow.join().unwrap();
    assert_eq!(
        (report.findings.len(), report.findings[0].path.as_str()),
        (1, root.as_str())
    );
}

#[test]
fn a_root_that_is_not_there_is_an_error_that_names_it() {
    let missing = scan_tree(
        &Engine::new(),
        Path::new("/no/such"),
        TreeOptions::default(),
        &Progress::default(),
    );
    assert!(missing.unwrap_err().to_string().contains("cannot scan `/no/such`"));
}

#[test]
fn a_report_counts_what_it_looked_at() {
    let tree = tree(&["a.txt", "b.txt"]);
    fs::write(tree.path().join("c.bin"), b"\0\0").unwrap();
    let report = scan(tree.path(), TreeOptions::default());
    assert_eq!(
        (report.files, report.binary, report.bytes),
        (2, 1, 2 * leak().len() as u64)
    );
}
