//! `docs/audit.md` lists exactly the actions that the vault writes to its log.
#![expect(
    clippy::unwrap_used,
    reason = "a page or a source that cannot be read is a failed test"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ibyok_core::audit::Action;

const PAGE: &str = include_str!("../../../docs/audit.md");

/// Adds the text of each source file, except tests and the file that defines the actions.
fn read_sources(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" && name != "target" {
            read_sources(&path, sources);
        } else if name.ends_with(".rs") && name != "tests.rs" && name != "action.rs" {
            sources.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}

/// Returns the actions that a source file names as a variant.
fn written() -> BTreeSet<&'static str> {
    let mut sources = String::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for name in ["ibyok-core", "ibyok-audit"] {
        read_sources(&crates.join(name).join("src"), &mut sources);
    }
    let is_named = |action: &&Action| {
        let variant = format!("Action::{action:?}");
        let mut behind = sources.split(variant.as_str()).skip(1);
        behind.any(|text| !text.starts_with(|letter: char| letter.is_ascii_alphanumeric()))
    };
    Action::ALL
        .iter()
        .filter(is_named)
        .map(|action| action.as_str())
        .collect()
}

/// Returns the actions of the page. Each group names the subject once: `key.retrieve`, `show`.
fn documented() -> BTreeSet<String> {
    let list = PAGE.split_once("\nActions: ").unwrap().1;
    let list = list.split_once("Later versions").unwrap().0;
    let mut subject = "";
    let words = list.split('`').skip(1).step_by(2);
    words
        .map(|word| match word.split_once('.') {
            Some((first, _)) => {
                subject = first;
                word.to_owned()
            }
            None => format!("{subject}.{word}"),
        })
        .collect()
}

#[test]
fn the_page_lists_the_actions_that_are_written_and_no_others() {
    let written: BTreeSet<String> = written().into_iter().map(str::to_owned).collect();
    assert!(written.len() > 30, "{written:?}");
    assert_eq!(documented(), written);
}
