//! Texts with secrets that are found, and texts without.
#![forbid(unsafe_code)]
#![cfg(test)]

mod drawn;
mod excuses;
mod false_alarms;
mod passwords;
mod recall;
mod repositories;
mod shapes;
mod texts;
mod trees;
mod vault;

use std::sync::LazyLock;

use ibyok_scan::{Engine, ScanFinding, ScanPlace, Scanned};

/// Scans a text as a file of this name.
fn scan_as(name: &str, text: impl AsRef<[u8]>) -> Scanned {
    static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);
    let mut text = text.as_ref();
    ENGINE.scanner().scan(&mut text, &ScanPlace::new(name)).unwrap()
}

fn scan(text: impl AsRef<[u8]>) -> Vec<ScanFinding> {
    scan_as("a.py", text).findings
}

fn rules(text: impl AsRef<[u8]>) -> Vec<String> {
    scan(text).into_iter().map(|finding| finding.rule).collect()
}

/// Makes a key of OpenRouter's shape that belongs to no account. It is made here so that no file holds one.
fn leak() -> String {
    format!("sk-or-v1-{}", hex(64))
}

/// Digits that look random.
fn hex(length: usize) -> String {
    let mut state = 0x2545_f491_u32;
    let mut digit = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from_digit(state >> 28, 16).unwrap()
    };
    (0..length).map(|_| digit()).collect()
}
