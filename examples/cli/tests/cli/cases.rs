//! One file for each case: arguments in, streams and exit code out.

#[test]
fn every_case_is_answered_as_its_file_says() {
    let cases = trycmd::TestCases::new();
    for (name, value) in [
        ("HOME", "/nonexistent"),
        ("IBYOK_VAULT", "vault"),
        ("IBYOK_KEK_FILE", "kek"),
        ("IBYOK_DURABILITY", "written"),
        ("NO_COLOR", "1"),
        // In a job of CI, `run` masks values.
        ("CI", "false"),
    ] {
        cases.env(name, value);
    }
    cases.case("tests/cmd/*.trycmd").case("tests/cmd/*.toml");
}
