//! The progress of long work, as a person at a terminal sees it. A pseudo-terminal of Python's standard library takes
//! the place of the terminal.

use std::fmt::Write as _;

use ibyok_tests::Home;

use crate::home_with_vault;

/// Runs a command on a pseudo-terminal, and prints everything that it wrote there.
const ON_A_TERMINAL: &str = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

/// The screen of a command on a terminal of 100 columns, with its control characters.
fn screen(home: &Home, args: &[&str]) -> (i32, String) {
    let run = home
        .ibyok_under("python3", ["-c", ON_A_TERMINAL], args)
        .env("TERM", "xterm-256color")
        .env("COLUMNS", "100")
        .run();
    (run.code(), String::from_utf8_lossy(&run.stdout).into_owned())
}

/// The percentages after a word, in the order in which they were drawn.
fn percentages(screen: &str, word: &str) -> Vec<u32> {
    let parts = screen.split(word).skip(1);
    let drawn = parts.filter_map(|part| {
        let before = part.split_once('%')?.0;
        before.rsplit(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    });
    drawn.collect()
}

#[track_caller]
fn goes_forward(screen: &str, word: &str) {
    let drawn = percentages(screen, word);
    assert!(!drawn.is_empty(), "no per cent after {word:?}: {screen:?}");
    assert!(drawn.is_sorted() && drawn.iter().all(|part| *part <= 100), "{drawn:?}");
}

/// A vault whose logs take a while to verify: one with many lines, in many slots.
fn home_with_long_logs() -> Home {
    let home = home_with_vault();
    let mut keys = String::new();
    for number in 0..600 {
        writeln!(keys, "KEY_{number}=value-{number}").unwrap();
    }
    home.input("many.env", keys);
    home.ibyok(["import", "many.env", "--env", "dev"])
        .env("IBYOK_DURABILITY", "written")
        .run()
        .done();
    for slot in 1..20 {
        ibyok_tests::copy_tree(&home.slot(0), &home.slot(slot));
    }
    home
}

#[test]
fn a_verification_shows_per_cent_with_and_without_a_vault() {
    let home = home_with_long_logs();
    let keys = home.ibyok(["audit", "keys"]).run().done();
    home.input("keys", keys.stdout);
    let audit = home.vault().join("audit");
    let outside = ["audit", "verify", "--audit", audit.to_str().unwrap(), "--key", "keys"];
    for args in [&["audit", "verify"][..], &outside] {
        let (code, drawn) = screen(&home, args);
        // Copies of a log are findings.
        assert_eq!(code, 10, "{drawn}");
        goes_forward(&drawn, "verifying");
        // The bar is gone once the answer is there.
        let (_, answer) = drawn.rsplit_once("verifying").unwrap();
        let (_, answer) = answer.split_once("\r\u{1b}[2K").unwrap();
        assert!(answer.contains("SLOT") && !answer.contains('%'), "{answer:?}");
    }
    for quiet in [&["--quiet", "audit", "verify"][..], &["--json", "audit", "verify"]] {
        let (code, drawn) = screen(&home, quiet);
        assert!(code == 10 && !drawn.contains("verifying"), "{drawn:?}");
    }
}

#[test]
fn a_scan_shows_how_far_it_is() {
    let home = home_with_vault();
    let tree = home.path("inputs/tree");
    std::fs::create_dir(&tree).unwrap();
    let text = "a line of text that holds no secret at all, and so on and on\n".repeat(4_000);
    for number in 0..60 {
        std::fs::write(tree.join(format!("{number}.txt")), format!("{number}\n{text}")).unwrap();
    }
    // The end of a tree is not known before it is reached: the count of its texts grows.
    let (code, drawn) = screen(&home, &["scan", "tree"]);
    assert_eq!(code, 0, "{drawn}");
    let counts = drawn.split("scanning: ").skip(1);
    let counts: Vec<u32> = counts
        .filter_map(|part| part.split_once(" text")?.0.parse().ok())
        .collect();
    assert!(
        counts.is_sorted() && counts.iter().any(|count| *count > 0),
        "{counts:?}"
    );
    // Every text of a history is known at the beginning.
    for args in [
        &["init", "--quiet"][..],
        &["add", "."],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "-m",
            "all",
        ],
    ] {
        home.program("git").args(args).within(&tree).run().done();
    }
    let (code, drawn) = screen(&home, &["scan", "tree", "--history"]);
    assert_eq!(code, 0, "{drawn}");
    goes_forward(&drawn, "scanning");
    let (_, quiet) = screen(&home, &["--quiet", "scan", "tree", "--history"]);
    assert!(!quiet.contains("scanning") && !quiet.contains('%'), "{quiet:?}");
}
