//! An outsider can check the proofs of `prove` with the public key alone.

use ibyok_audit::{Error, FileSink, prove, verify_proof};

use crate::support::{append, event, key, open_with};

async fn place() -> (tempfile::TempDir, std::path::PathBuf, String) {
    let scratch = tempfile::tempdir().unwrap();
    let place = scratch.path().join("audit");
    let log = open_with(FileSink::builder(&place).segment_bytes(4096).open().await.unwrap()).await;
    for n in 2..40 {
        append(&log, event(n)).await;
    }
    let id = log.status().id;
    log.close().await.unwrap();
    (scratch, place, id)
}

#[tokio::test]
async fn each_line_is_proved_and_the_proof_is_worth_nothing_for_another() {
    let (_scratch, place, log) = place().await;
    let keys = [key().public(&log)];
    for seq in 1..=40 {
        let proof = prove(&place, None, seq, &keys, &[]).unwrap();
        let proven = verify_proof(&proof.text(), &keys).unwrap();
        assert_eq!((proven.line.entry().seq, proven.size >= seq), (seq, true));
        assert_eq!(proven.line.text(), proof.line());
    }
    let text = prove(&place, Some(&log), 7, &keys, &[]).unwrap().text();
    for (from, to) in [
        ("index 6", "index 5"),
        ("index 6", "index 06"),
        ("@v1", "@v2"),
        ("extra ", "extra"),
        ("\n\n", "\n"),
    ] {
        assert!(verify_proof(&text.replacen(from, to, 1), &keys).is_err(), "{from}");
    }
    let other = [key().public("another")];
    assert!(matches!(verify_proof(&text, &other), Err(Error::DoesNotHold { .. })));
}

#[tokio::test]
async fn no_byte_of_a_proof_can_be_changed() {
    let (_scratch, place, log) = place().await;
    let keys = [key().public(&log)];
    let text = prove(&place, None, 17, &keys, &[]).unwrap().text();
    for at in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else {
            continue;
        };
        assert!(verify_proof(&changed, &keys).is_err(), "byte {at} of\n{text}");
    }
    for end in 0..text.len() {
        let Some(cut) = text.get(..end) else { continue };
        // A last newline less is the same proof.
        assert!(
            verify_proof(cut, &keys).is_err() || end + 1 == text.len(),
            "cut at {end}"
        );
    }
}

#[tokio::test]
async fn what_cannot_be_proved_says_why() {
    let (_scratch, place, log) = place().await;
    let keys = [key().public(&log)];
    assert!(matches!(prove(&place, None, 41, &keys, &[]), Err(Error::NoLine { .. })));
    assert!(matches!(prove(&place, None, 0, &keys, &[]), Err(Error::NoLine { .. })));
    assert!(matches!(
        prove(&place, Some("other"), 1, &keys, &[]),
        Err(Error::NoLine { .. })
    ));
    let mut lines = crate::support::lines(&place);
    lines[2] = lines[2].replace("key-3", "key-4");
    crate::support::put_lines(&place, &lines);
    assert!(matches!(
        prove(&place, None, 5, &keys, &[]),
        Err(Error::DoesNotHold { .. })
    ));
}
