//! The functions that fuzzing calls with any bytes. They run as property tests as well, so that each is tried at every build.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::backup::frames::{Frame, FrameReader};
use crate::model::attestation::AttestationRecord;
use crate::model::incident::IncidentRecord;
use crate::model::key::KeyRecord;
use crate::model::key_ref::KeyRef;
use crate::model::review::ReviewRecord;
use crate::model::settings::SettingsRecord;
use crate::model::token::TokenRecord;
use crate::realm::tags::TagBody;

/// Any bytes as the body of each kind of record: one that is read is written again as it was read.
pub fn record(data: &[u8]) {
    again::<KeyRecord>(data);
    again::<TokenRecord>(data);
    again::<SettingsRecord>(data);
    again::<IncidentRecord>(data);
    again::<ReviewRecord>(data);
    again::<AttestationRecord>(data);
    again::<TagBody>(data);
}

fn again<R: Serialize + DeserializeOwned>(data: &[u8]) {
    let Ok(record) = serde_json::from_slice::<R>(data) else {
        return;
    };
    let Ok(written) = serde_json::to_vec(&record) else {
        return;
    };
    let read = serde_json::from_slice::<R>(&written);
    let same = read.is_ok_and(|read| serde_json::to_vec(&read).is_ok_and(|again| again == written));
    assert!(same, "a record that is not read again as it was written");
}

/// Reads any bytes as a backup: to its end, or to an error. No frame takes more memory than the longest record.
pub fn backup(data: &[u8]) {
    let Ok(mut reader) = FrameReader::begin(data) else {
        return;
    };
    while let Ok(frame) = reader.next() {
        if matches!(frame, Frame::End(_)) {
            let rest = u64::try_from(data.len()).unwrap_or(u64::MAX) - reader.bytes;
            assert_eq!(reader.ends().is_ok(), rest == 0, "bytes after the end");
            return;
        }
    }
}

/// Parses any text as a reference to a key: one that parses is printed in a form that means the same.
pub fn key_reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(key) = text.parse::<KeyRef>() else { return };
    let printed = key.to_string().parse::<KeyRef>();
    assert!(
        printed.is_ok_and(|printed| printed == key),
        "a reference that is read otherwise"
    );
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RECORDS: [&str; 4] = [
        r#"{"rev":3,"name":"openai","variable":"OPENAI_API_KEY","created":"2026-11-24T10:15:00Z","created_by":"me","disabled":false,"last_version":1,"versions":[{"number":1,"role":"current","sealed":{"data_key":"AAAA","fields":{"value":"AAAA"}},"fingerprint":"AAAA","created":"2026-11-24T10:15:00Z","created_by":"me"}]}"#,
        r#"{"rev":1,"name":"app","grant":{"scopes":["keys:read"],"environments":["prod"]},"epoch":0,"created":"2026-11-24T10:15:00Z","created_by":"me"}"#,
        r#"{"rev":1,"mode":"mock"}"#,
        r#"{"namespace":"default","environment":"prod"}"#,
    ];

    #[test]
    fn the_examples_are_records() {
        assert!(serde_json::from_str::<KeyRecord>(RECORDS[0]).is_ok());
        assert!(serde_json::from_str::<TokenRecord>(RECORDS[1]).is_ok());
    }

    proptest! {
        #[test]
        fn any_frames_are_a_backup_or_an_error(kinds in prop::collection::vec(any::<(u8, u8)>(), 0..20), cut: usize) {
            let mut data = b"ibyok-backup v1\n".to_vec();
            for (kind, length) in kinds {
                let kind = *b"HRGSFME".get(usize::from(kind) % 8).unwrap_or(&kind);
                data.extend([kind, 0, 0, 0, length]);
                data.extend(std::iter::repeat_n(length, usize::from(length)));
            }
            backup(&data);
            backup(&data[..cut % (data.len() + 1)]);
        }

        #[test]
        fn any_bytes_are_a_record_or_an_error(data in prop::collection::vec(any::<u8>(), 0..300)) {
            record(&data);
        }

        #[test]
        fn a_record_with_changed_bytes_is_read_or_refused(which in 0usize..4, at: usize, byte: u8, cut: usize) {
            let mut data = RECORDS[which].as_bytes().to_vec();
            let length = data.len();
            record(&data);
            data[at % length] = byte;
            record(&data);
            record(&data[..cut % (length + 1)]);
        }

        #[test]
        fn any_text_is_a_reference_or_an_error(
            data in "(ibyok://)?([a-z]{0,4}/)?[a-z-]{0,8}/[A-Za-z0-9._-]{0,12}(\\?version=[0-9a-z]{0,4})?(#[a-z_]{0,6})?"
        ) {
            key_reference(data.as_bytes());
        }
    }
}
