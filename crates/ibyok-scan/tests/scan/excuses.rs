use ibyok_scan::{Engine, Error, ExcusedFiles, KnownKey, Matcher, Progress, TreeOptions, scan_tree};

use super::{leak, scan, scan_as};

#[test]
fn a_line_is_excused_with_a_reason() {
    let scanned = scan_as("a.py", format!("x = '{}'  # ibyok:allow revoked in 2024", leak()));
    assert_eq!((scanned.findings.len(), scanned.excused), (0, 1));
}

#[test]
fn without_a_reason_it_is_a_finding_that_says_so() {
    let found = scan(format!("x = '{}'  # ibyok:allow", leak()));
    assert!(found[0].note.as_ref().unwrap().contains("needs a reason"));
}

#[test]
fn an_excuse_holds_for_its_line_only() {
    assert_eq!(scan(format!("# ibyok:allow an old one\nx = '{}'\n", leak())).len(), 1);
    assert_eq!(scan(format!("x = '{}'\n# ibyok:allow an old one\n", leak())).len(), 1);
}

#[test]
fn a_private_key_is_excused_on_the_line_before() {
    let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n");
    assert_eq!(scan(&key).len(), 1);
    assert_eq!(scan(format!("# ibyok:allow a key of the tests\n{key}")).len(), 0);
}

#[test]
fn files_are_excused_at_the_top_alone_and_for_a_reason() {
    let top = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = top.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".git/HEAD", "");
    for path in ["vectors/a.json", "vectors/deep/b.json", "src/main.rs"] {
        write(path, &leak());
    }
    // What a dependency brings excuses nothing.
    write("src/.ibyokignore", "# mine\nmain.rs\n");
    write(".ibyokignore", "# published vectors\n/vectors/\n");
    let scan = |root: &str| {
        let root = top.path().join(root);
        let engine = Engine::new().excusing(ExcusedFiles::near(&root).unwrap());
        let report = scan_tree(&engine, &root, TreeOptions::default(), &Progress::default()).unwrap();
        (report.findings.len(), report.excused)
    };
    assert_eq!(scan(""), (1, 2));
    assert_eq!(scan("vectors/deep"), (0, 1), "also from within");
    assert_eq!(scan("vectors/a.json"), (0, 1), "also the file alone");
    assert_eq!(scan("src"), (1, 0));
    write(".ibyokignore", "/vectors/\n");
    assert!(matches!(ExcusedFiles::near(top.path()), Err(Error::Excuses { .. })));
    std::fs::remove_file(top.path().join(".ibyokignore")).unwrap();
    std::os::unix::fs::symlink("src/.ibyokignore", top.path().join(".ibyokignore")).unwrap();
    assert!(matches!(ExcusedFiles::near(top.path()), Err(Error::Excuses { .. })));
}

#[test]
fn a_key_of_the_vault_is_excused_in_no_file() {
    #[derive(Debug)]
    struct All;
    impl Matcher for All {
        fn find(&self, candidate: &[u8]) -> Option<KnownKey> {
            (candidate == leak().as_bytes()).then(|| KnownKey::new("prod/x", Some(1)))
        }
        fn shortest(&self) -> usize {
            8
        }
    }
    let top = tempfile::tempdir().unwrap();
    std::fs::write(top.path().join("a.txt"), leak()).unwrap();
    std::fs::write(top.path().join(".ibyokignore"), "# an example\na.txt\n").unwrap();
    let engine = Engine::new()
        .excusing(ExcusedFiles::near(top.path()).unwrap())
        .with_matcher(std::sync::Arc::new(All));
    let report = scan_tree(&engine, top.path(), TreeOptions::default(), &Progress::default()).unwrap();
    assert_eq!((report.findings.len(), report.excused), (1, 0));
}
