use std::path::Path;

use ibyok_audit::{LineKey, VerifyingKey, verify};
use secrecy::SecretBox;
use serde::Deserialize;

#[derive(Deserialize)]
struct Vectors {
    log: String,
    key: String,
    line_key: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    lines: Vec<String>,
    checkpoints: Vec<String>,
    ok: bool,
    first_bad: Option<FirstBad>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct FirstBad {
    what: String,
    seq: u64,
}

#[test]
fn each_case_is_judged_as_it_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors/chain.json");
    let vectors: Vectors = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let lines = data_encoding::HEXLOWER.decode(vectors.line_key.as_bytes()).unwrap();
    let lines = LineKey::new(SecretBox::new(Box::new(lines.try_into().unwrap())));
    let key = vectors.key.parse::<VerifyingKey>().unwrap().with_lines(lines);
    assert!(vectors.cases.len() > 10);
    for case in vectors.cases {
        let scratch = tempfile::tempdir().unwrap();
        let slot = scratch.path().join("slot-0");
        std::fs::create_dir(&slot).unwrap();
        std::fs::write(slot.join("id"), &vectors.log).unwrap();
        let text = |lines: &[String]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        std::fs::write(slot.join("audit-00000001.log"), text(&case.lines)).unwrap();
        std::fs::write(slot.join("checkpoints"), text(&case.checkpoints)).unwrap();
        let report = verify(scratch.path(), std::slice::from_ref(&key), &[]).unwrap();
        assert_eq!(report.ok, case.ok, "{}: {report:?}", case.name);
        let what = |bad: &ibyok_audit::BadLine| serde_json::to_value(bad.what).unwrap().as_str().unwrap().to_owned();
        let found = report.first_bad.as_ref().map(|bad| FirstBad {
            what: what(bad),
            seq: bad.seq,
        });
        assert_eq!(found, case.first_bad, "{}", case.name);
    }
}

#[test]
fn the_proofs_are_judged_as_their_file_says() {
    let vectors: serde_json::Value = serde_json::from_str(include_str!("../../../../vectors/proof.json")).unwrap();
    let keys = [vectors["key"].as_str().unwrap().parse().unwrap()];
    let cases = vectors["cases"].as_array().unwrap();
    for case in cases {
        let proof = case["proof"].as_str().unwrap();
        let ok = ibyok_audit::verify_proof(proof, &keys).is_ok();
        assert_eq!(ok, case["ok"].as_bool().unwrap(), "{}", case["name"]);
    }
    let good = cases.iter().filter(|case| case["ok"] == true).count();
    assert_eq!((good, cases.len()), (11, 19));
}
