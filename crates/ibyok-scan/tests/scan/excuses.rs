use super::{leak, scan, scan_as};

#[test]
fn a_line_is_excused_with_a_reason() {
    let scanned = scan_as("a.py", format!("x = '{}'  # ibyok:allow revoked in 2024", leak()));
    assert_eq!((scanned.findings.len(), scanned.excused), (0, 1));
}

#[test]
fn without_a_reason_it_is_a_finding_that_says_so() {
    let found = scan(format!("x = '{}'  # ibyok:allow", leak()));
    assert!(found[0].note.as_ref().unwrap().contains("needs a reason"));
}

#[test]
fn an_excuse_holds_for_its_line_only() {
    assert_eq!(scan(format!("# ibyok:allow an old one\nx = '{}'\n", leak())).len(), 1);
    assert_eq!(scan(format!("x = '{}'\n# ibyok:allow an old one\n", leak())).len(), 1);
}

#[test]
fn a_private_key_is_excused_on_the_line_before() {
    let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgevZzL1gdAFr88hb2";
    let key = format!("-----BEGIN PRIVATE KEY-----\n{body}\n");
    assert_eq!(scan(&key).len(), 1);
    assert_eq!(scan(format!("# ibyok:allow a key of the tests\n{key}")).len(), 0);
}
