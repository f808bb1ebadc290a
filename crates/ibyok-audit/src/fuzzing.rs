//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use crate::{Line, verify_proof};

/// Any text as a line of the log and as a proof of one: a line is read as it is, and no proof holds without a key.
pub fn line(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(line) = Line::parse(text) {
        assert!(line.text() == text, "a line that is read otherwise");
    }
    assert!(verify_proof(text, &[]).is_err(), "a proof that no key vouches for");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"{"v":1,"seq":1,"time":"2026-11-24T10:15:00.123456Z","log":"0000000000000000000000","prev":"","action":"key.retrieve","phase":null,"outcome":"allowed","reason":null,"principal":{"kind":"operator","id":"me","name":null,"chain":null},"namespace":null,"environment":null,"key":null,"key_id":null,"version":null,"mode":null,"mode_source":null,"target":null,"record":null,"rev":null,"client":{"ip":null,"user_agent":null},"request_id":null,"trace_id":null,"count":1}"#;

    proptest! {
        #[test]
        fn any_text_is_a_line_or_an_error(data in ".{0,300}") {
            line(data.as_bytes());
        }

        #[test]
        fn a_line_with_changed_bytes_is_read_or_refused(at: usize, byte: u8, cut: usize) {
            let mut data = LINE.as_bytes().to_vec();
            let length = data.len();
            data[at % length] = byte;
            line(&data);
            line(&data[..cut % (length + 1)]);
        }
    }
}
