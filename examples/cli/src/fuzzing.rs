//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use std::collections::BTreeMap;

use ibyok_operations::dotenv;
use ibyok_operations::run::{PROJECT_FILE, parse_project};

/// Any text as a `.env` file: one that is read stays as it is, byte for byte, if nothing in it is replaced.
pub fn dotenv(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if dotenv::parse(text).is_err() {
        return;
    }
    if let Ok(written) = dotenv::rewrite(text, &BTreeMap::new()) {
        assert!(
            written.as_str() == text,
            "a file that changes although nothing in it is replaced"
        );
    }
}

/// Any text as a `.ibyok.toml`: it names keys by reference, or it is refused.
pub fn project_file(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(project) = parse_project(std::path::Path::new(PROJECT_FILE), text) else {
        return;
    };
    for (variable, _) in &project.keys {
        assert!(!variable.starts_with("IBYOK_"), "a variable of ours");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_a_dotenv_file_or_an_error(data in ".{0,200}") {
            dotenv(data.as_bytes());
        }

        #[test]
        fn lines_of_a_dotenv_file_stay_as_they_are(
            data in "((export )?[A-Z]{1,3} ?= ?(['\"]?[a-z#$ \\\\]{0,6}['\"]?)?( #.{0,4})?\r?\n){0,6}"
        ) {
            dotenv(data.as_bytes());
        }

        #[test]
        fn any_text_is_a_project_file_or_an_error(
            data in "(env = \"[a-z]{0,5}\"\n)?(\\[keys\\]\n([A-Z_]{1,8} = \"(ibyok://)?[a-z/]{0,8}\"\n){0,3})?(.{0,10})?"
        ) {
            project_file(data.as_bytes());
        }
    }
}
