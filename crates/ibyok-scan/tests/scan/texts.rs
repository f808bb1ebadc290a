use std::io::{self, Read};

use ibyok_scan::{Engine, ScanPlace};

use super::{leak, rules, scan, scan_as};

#[test]
fn lines_and_columns_count_characters() {
    let found = scan(format!("# größer\n# ü \"{}\"\n", leak()));
    assert_eq!((found[0].line, found[0].column), (2, 6));
}

#[test]
fn a_finding_shows_the_prefix_and_nothing_else() {
    let leak = leak();
    let found = scan(format!("OPENROUTER_API_KEY='{leak}'"));
    assert_eq!(found[0].excerpt, "OPENROUTER_API_KEY = sk-o…");
    let shown = serde_json::to_string(&found).unwrap();
    assert!(!shown.contains(leak.get(9..20).unwrap()), "{shown}");
}

#[test]
fn names_and_paths_cannot_move_a_cursor() {
    let scanned = scan_as("a\u{1b}[31m\n.py", leak());
    assert_eq!(scanned.findings[0].path, "a\\u{1b}[31m\\u{a}.py");
}

#[test]
fn binary_texts_are_left_out_unless_asked_for() {
    let text = format!("\0\0{} \0", leak());
    assert!(scan_as("a.bin", &text).binary);
    let engine = Engine::new().binary(true);
    let scanned = engine
        .scanner()
        .scan(&mut text.as_bytes(), &ScanPlace::new("a.bin"))
        .unwrap();
    assert_eq!((scanned.binary, scanned.findings.len()), (false, 1));
}

#[test]
fn utf16_is_read() {
    for big in [false, true] {
        let units = format!("\u{feff}API: {}\r\n", leak())
            .encode_utf16()
            .collect::<Vec<_>>();
        let text: Vec<u8> = units
            .iter()
            .flat_map(|u| if big { u.to_be_bytes() } else { u.to_le_bytes() })
            .collect();
        assert_eq!(rules(text), ["openrouter-key"]);
    }
}

#[test]
fn in_files_that_programs_write_only_shapes_are_looked_for() {
    let generic = "api_key = \"q9Zb3kLm2Qx7TzVb4Wd8R\"";
    assert_eq!(scan_as("sub/Cargo.lock", generic).findings.len(), 0);
    assert_eq!(scan_as("sub/Cargo.toml", generic).findings.len(), 1);
    assert_eq!(scan_as("sub/Cargo.lock", leak()).findings.len(), 1);
}

/// A text too long to hold, made as it is read.
struct Long {
    left: u64,
    line: Vec<u8>,
    at: usize,
}

impl Read for Long {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < into.len() && self.left > 0 {
            into[written] = self.line[self.at];
            self.at = (self.at + 1) % self.line.len();
            written += 1;
            self.left -= 1;
        }
        Ok(written)
    }
}

#[test]
fn a_long_text_is_scanned_to_its_end() {
    let mut end = io::Cursor::new(format!("\n{}\n", leak()));
    let line = b"some words of a text that goes on and on = 12\n".to_vec();
    let lines = 400_000;
    let long = Long {
        left: lines * line.len() as u64,
        line,
        at: 0,
    };
    let engine = Engine::new();
    let scanned = engine
        .scanner()
        .scan(&mut long.chain(&mut end), &ScanPlace::new("a.txt"))
        .unwrap();
    assert_eq!((scanned.findings[0].line, scanned.findings[0].column), (lines + 2, 1));
    assert_eq!(scanned.findings.len(), 1);
}

#[test]
fn a_key_in_one_line_of_megabytes_is_found_once_wherever_it_is() {
    let leak = leak();
    for before in [0, 1_000_000, 1_032_100, 1_032_191, 1_032_192, 1_048_570, 2_064_384] {
        let text = format!("{} {leak} {}", "x".repeat(before), "y".repeat(50_000));
        let found = scan(&text);
        assert_eq!(found.len(), 1, "{before}");
        assert_eq!(found[0].column, before as u64 + 2);
    }
}
