use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use ibyok_scan::{Engine, Error, Installed, Progress, Repository, ScanFinding, ScanReport, scan_files};
use tempfile::TempDir;

use super::leak;

/// A repository of one's own, and a home directory that nobody else sees.
struct ScanPlace {
    directory: TempDir,
}

impl ScanPlace {
    fn new() -> Self {
        let place = ScanPlace {
            directory: tempfile::tempdir().unwrap(),
        };
        place.git(&["init", "-q", "-b", "main"]);
        place
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("repository")
    }

    fn git(&self, arguments: &[&str]) -> String {
        fs::create_dir_all(self.path()).unwrap();
        let output = Command::new("git")
            .current_dir(self.path())
            .env_clear()
            .envs(self.environment())
            .args([
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@example.com",
                "-c",
                "protocol.file.allow=always",
            ])
            .args(arguments)
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let home = self.directory.path().display().to_string();
        let path = std::env::var("PATH").unwrap();
        [("HOME", home), ("PATH", path)]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn commit(&self, name: &str, text: &str) -> String {
        self.write(name, text);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--no-verify", "-m", "x"]);
        self.git(&["rev-parse", "HEAD"])
    }

    fn repository(&self) -> Repository {
        Repository::open(&self.path(), &self.environment()).unwrap()
    }

    fn staged(&self) -> ScanReport {
        self.repository()
            .scan_staged(&Engine::new(), &Progress::default())
            .unwrap()
    }

    fn history(&self) -> ScanReport {
        self.repository()
            .scan_history(&Engine::new(), &Progress::default())
            .unwrap()
    }
}

fn places(report: &ScanReport) -> Vec<(&str, u64)> {
    report
        .findings
        .iter()
        .map(|ScanFinding { path, line, .. }| (path.as_str(), *line))
        .collect()
}

#[test]
fn what_is_staged_is_scanned_as_it_is_in_the_index() {
    let place = ScanPlace::new();
    place.write("a.txt", &leak());
    place.write("b.txt", "nothing");
    place.git(&["add", "-A"]);
    place.write("a.txt", "nothing any more");
    place.write("b.txt", &leak());
    assert_eq!(places(&place.staged()), [("a.txt", 1)]);
}

#[test]
fn what_was_committed_before_is_not_staged() {
    let place = ScanPlace::new();
    place.commit("a.txt", &leak());
    place.write("sub/b.txt", &leak());
    place.git(&["add", "-A"]);
    assert_eq!(places(&place.staged()), [("sub/b.txt", 1)]);
    let below = Repository::open(&place.path().join("sub"), &place.environment()).unwrap();
    let report = below.scan_staged(&Engine::new(), &Progress::default()).unwrap();
    assert_eq!(places(&report), [("sub/b.txt", 1)]);
}

#[test]
fn the_history_is_scanned_on_every_branch_and_tells_the_oldest_commit() {
    let place = ScanPlace::new();
    place.commit("a.txt", "nothing");
    let first = place.commit("a.txt", &format!("one\n{}", leak()));
    place.commit("a.txt", &format!("one\ntwo\n{}", leak()));
    place.commit("a.txt", "gone");
    place.git(&["checkout", "-q", "-b", "other"]);
    let second = place.commit("dir/b.txt", &leak());
    place.git(&["checkout", "-q", "main"]);
    let report = place.history();
    assert_eq!(places(&report), [("a.txt", 2), ("dir/b.txt", 1)]);
    let commits: Vec<_> = report
        .findings
        .iter()
        .map(|finding| finding.commit.clone().unwrap())
        .collect();
    assert_eq!(commits, [first, second]);
}

#[test]
fn an_empty_repository_has_nothing_and_a_directory_without_one_is_said() {
    let place = ScanPlace::new();
    assert_eq!(place.history().files, 0);
    assert_eq!(place.staged().files, 0);
    let nowhere = Repository::open(place.directory.path(), &place.environment()).unwrap_err();
    assert!(matches!(nowhere, Error::Git { .. }), "{nowhere}");
    assert!(nowhere.to_string().contains("not a git repository"), "{nowhere}");
}

#[test]
fn git_is_taken_from_absolute_directories_alone() {
    let place = ScanPlace::new();
    let environment = [("PATH".to_owned(), ".:bin".to_owned())].into();
    assert!(matches!(
        Repository::open(&place.path(), &environment),
        Err(Error::NoGit)
    ));
}

#[test]
fn a_shallow_clone_and_submodules_are_said() {
    let place = ScanPlace::new();
    place.commit("a.txt", &leak());
    place.commit("b.txt", "x");
    let url = format!("file://{}", place.path().display());
    let clone = place.directory.path().join("clone");
    place.git(&["clone", "-q", "--depth", "1", &url, &clone.display().to_string()]);
    let repository = Repository::open(&clone, &place.environment()).unwrap();
    let report = repository.scan_history(&Engine::new(), &Progress::default()).unwrap();
    assert!(
        report.notes.iter().any(|note| note.contains("shallow")),
        "{:?}",
        report.notes
    );

    let other = ScanPlace::new();
    other.commit("a.txt", "x");
    other.git(&["submodule", "--quiet", "add", &url, "inner"]);
    let report = other.staged();
    assert_eq!(report.notes.len(), 1);
    assert_eq!(report.findings.len(), 0);
}

/// Everything by which a repository can name a program; each would leave a file.
#[test]
fn a_hostile_repository_runs_nothing() {
    let place = ScanPlace::new();
    place.commit("a.txt", &leak());
    let ran = place.directory.path().join("ran");
    let evil = place.directory.path().join("evil.sh");
    fs::write(&evil, format!("#!/bin/sh\necho \"$0 $*\" >> {}\ncat\n", ran.display())).unwrap();
    fs::set_permissions(&evil, fs::Permissions::from_mode(0o755)).unwrap();
    let evil = evil.display().to_string();
    place.write(".gitattributes", "* filter=evil diff=evil merge=evil\n");
    place.write("b.txt", &leak());
    place.git(&["add", "-A"]);
    for name in [
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "core.editor",
        "core.askPass",
        "core.gitProxy",
        "core.alternateRefsCommand",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "merge.evil.driver",
        "gpg.program",
        "credential.helper",
        "uploadpack.packObjectsHook",
        "pager.rev-list",
        "pager.ls-files",
        "trace2.eventTarget",
        "alias.rev-list",
    ] {
        let value = if name.starts_with("alias") {
            format!("!{evil}")
        } else {
            evil.clone()
        };
        let value = if name.starts_with("trace2") {
            ran.display().to_string()
        } else {
            value
        };
        place.git(&["config", name, &value]);
    }
    // A part of the history is elsewhere, and a transport would fetch it.
    place.git(&["config", "remote.origin.url", &format!("ext::{evil}")]);
    place.git(&["config", "remote.origin.promisor", "true"]);
    place.git(&["config", "remote.origin.partialclonefilter", "blob:none"]);
    place.git(&["config", "protocol.ext.allow", "always"]);
    let id = place.git(&["rev-parse", "HEAD:a.txt"]);
    let (directory, name) = id.split_at(2);
    let object = place.path().join(".git/objects").join(directory).join(name);
    let hooks = place.path().join(".git/hooks");
    fs::create_dir_all(&hooks).unwrap();
    for hook in [
        "post-index-change",
        "pre-commit",
        "fsmonitor-watchman",
        "reference-transaction",
    ] {
        fs::copy(&evil, hooks.join(hook)).unwrap();
    }
    fs::remove_file(&ran).unwrap_or_default();

    assert_eq!(places(&place.staged()), [("b.txt", 1)]);
    assert_eq!(places(&place.history()), [("a.txt", 1)]);
    fs::remove_file(object).unwrap();
    let report = place.history();
    assert_eq!((report.findings.len(), report.unread), (0, 1), "{report:?}");
    assert!(!ran.exists(), "{}", fs::read_to_string(&ran).unwrap());
}

#[test]
fn the_hook_is_installed_once_and_no_other_is_overwritten() {
    let place = ScanPlace::new();
    let path = place.path().join(".git/hooks/pre-commit");
    fs::remove_file(&path).unwrap_or_default();
    let installed = place.repository().install_hook().unwrap();
    assert_eq!(installed, Installed::Now(path.canonicalize().unwrap()));
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
    assert!(matches!(
        place.repository().install_hook().unwrap(),
        Installed::Before(_)
    ));
    fs::write(&path, "#!/bin/sh\nmake test\n").unwrap();
    let refused = place.repository().install_hook().unwrap_err();
    assert!(
        refused.to_string().contains("another hook is already there"),
        "{refused}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "#!/bin/sh\nmake test\n");
}

#[test]
fn a_repository_that_says_its_files_are_elsewhere_gets_no_hook_there() {
    let place = ScanPlace::new();
    let outside = place.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    place.git(&["config", "core.worktree", &place.directory.path().display().to_string()]);
    place.git(&["config", "core.hooksPath", &outside.display().to_string()]);
    assert!(place.repository().install_hook().is_err());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn files_that_git_has_although_it_ignores_them_are_known() {
    let place = ScanPlace::new();
    place.commit(".env", &leak());
    place.commit(".gitignore", ".env\nother\n");
    place.write("other", &leak());
    let kept = place.repository().ignored_and_tracked().unwrap();
    assert_eq!(kept, [Path::new(".env")]);
    let report = scan_files(&Engine::new(), &place.path(), &kept, &Progress::default());
    assert_eq!(report.findings.len(), 1);
}

#[test]
fn the_repositorys_hooks_count_only_within_it() {
    let place = ScanPlace::new();
    place.git(&["config", "core.hooksPath", ".husky"]);
    let installed = place.repository().install_hook().unwrap();
    assert!(matches!(installed, Installed::Now(path) if path.ends_with("repository/.husky/pre-commit")));
    let outside = place.directory.path().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, place.path().join("link")).unwrap();
    for hooks in [
        outside.display().to_string(),
        "../outside".to_owned(),
        "link".to_owned(),
        "link/new".to_owned(),
    ] {
        place.git(&["config", "core.hooksPath", &hooks]);
        let refused = place.repository().install_hook().unwrap_err();
        assert!(refused.to_string().contains("outside"), "{hooks}: {refused}");
    }
    assert!(is_empty(&outside));
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().next().is_none()
}

#[test]
fn the_messages_of_commits_and_tags_are_looked_at() {
    let place = ScanPlace::new();
    place.commit("a.txt", "nothing");
    place.write("b.txt", "nothing else");
    place.git(&["add", "-A"]);
    place.git(&[
        "commit",
        "-q",
        "--no-verify",
        "-m",
        "fix the client",
        "-m",
        &format!("it works with {}", leak()),
    ]);
    let commit = place.git(&["rev-parse", "HEAD"]);
    let other = format!("gh{}_{}", "p", "q9Zb3kLm2Qx7TzVb4Wd8Rn5Tq9Zb3kLm2Qx7");
    place.git(&["tag", "-a", "v1", "-m", &format!("first release\n\nmade with {other}")]);
    place.git(&["tag", "-a", "v1-again", "-m", &format!("again {other}"), "v1"]);
    let report = place.history();
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|finding| {
            (
                finding.path.as_str(),
                finding.rule.as_str(),
                finding.line,
                finding.commit.clone(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("commit message", "openrouter-key", 3, Some(commit)),
            ("message of tag v1", "github-key", 3, None),
            ("message of tag v1-again", "github-key", 1, None),
        ]
    );
    place.git(&[
        "commit",
        "-q",
        "--no-verify",
        "--allow-empty",
        "-m",
        &format!("again {}", leak()),
    ]);
    assert_eq!(
        place.history().findings.len(),
        3,
        "the same secret in messages is told once"
    );
}
