//! Values at the limits, and values that are no text: kept exactly, or refused whole.

use data_encoding::BASE64;
use ibyok_tests::Request;

use super::{all_is_well, home_with_a_key};

/// The largest value, in bytes.
const LIMIT: usize = 64 << 10;

#[test]
fn any_bytes_are_kept_exactly_by_every_door() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "dev", "--scope", "keys:read", "--scope", "keys:write"]);
    let server = home.serve();
    let every: Vec<u8> = (0..=255).collect();
    let values: [&[u8]; 10] = [
        b"\0",
        b"a\0b",
        b"\xff\xfe",
        b"\xc3\x28",
        b"\n\n",
        b" ",
        b"\r\n",
        &every,
        "\u{feff}\u{1f511}\u{202e}".as_bytes(),
        b"\\\"'$(x)`",
    ];
    for (number, value) in values.iter().enumerate() {
        let file = home.input("value", value);
        let reference = format!("dev/bytes-{number}");
        home.ibyok(["keys", "set", &reference, "--from-file"])
            .arg(file)
            .run()
            .done();
        assert_eq!(&home.get(&reference), value);
        let answer = server.retrieve(&token, &reference).is(200).json();
        match std::str::from_utf8(value) {
            Ok(text) => assert_eq!(answer["value"], text),
            Err(_) => assert_eq!(answer["value_base64"], BASE64.encode(value)),
        }
        let reference = format!("dev/http-{number}");
        let body = format!(r#"{{"value_base64":"{}"}}"#, BASE64.encode(value));
        server
            .send(
                &Request::new("PUT", &format!("/api/v1/keys/{reference}"))
                    .bearer(&token)
                    .json(body),
            )
            .is(201);
        assert_eq!(&home.get(&reference), value);
        let shown = home.ibyok(["--json", "get", &reference]).run().done().json();
        match std::str::from_utf8(value) {
            Ok(text) => assert_eq!(shown["value"], text),
            Err(_) => assert_eq!(shown["value_base64"], BASE64.encode(value)),
        }
    }
    all_is_well(&home);
}

#[test]
fn one_newline_at_the_end_of_standard_input_is_no_part_of_the_value() {
    let home = home_with_a_key();
    for (typed, kept) in [
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        ("a", "a"),
        (" a \n", " a "),
    ] {
        home.set("prod/typed", typed);
        let value = home.get("prod/typed");
        // What ends a line elsewhere (`\r\n`) may be kept or stripped whole; half of it may not.
        let fine = value == kept.as_bytes() || typed == "a\r\n" && value == b"a\r";
        assert!(fine, "{typed:?}: {:?}", String::from_utf8_lossy(&value));
    }
}

#[test]
fn the_largest_value_is_kept_and_a_byte_more_is_refused() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "prod", "--scope", "keys:read", "--scope", "keys:write"]);
    let server = home.serve();
    let put = |size: usize| {
        let body = format!(r#"{{"value":"{}"}}"#, "x".repeat(size));
        server.send(&Request::new("PUT", "/api/v1/keys/prod/large").bearer(&token).json(body))
    };
    put(LIMIT).is(201);
    assert_eq!(
        server.retrieve(&token, "prod/large").is(200).json()["value"]
            .as_str()
            .unwrap()
            .len(),
        LIMIT
    );
    put(LIMIT + 1).is_problem(413, "too_large");
    home.set("prod/large-too", vec![b'x'; LIMIT]);
    assert_eq!(home.get("prod/large-too").len(), LIMIT);
    let over = home
        .ibyok(["--json", "keys", "set", "prod/large-too"])
        .input(vec![b'x'; LIMIT + 1]);
    over.run().fails(2, "too_large");
    assert_eq!(home.get("prod/large-too").len(), LIMIT);
    all_is_well(&home);
}

#[test]
fn nothing_is_no_value() {
    let home = home_with_a_key();
    let token = home.token(&["app", "--env", "prod", "--scope", "keys:write"]);
    for input in ["", "\n"] {
        home.ibyok(["--json", "keys", "set", "prod/key"])
            .input(input)
            .run()
            .fails(2, "invalid");
    }
    let server = home.serve();
    for body in [
        r#"{"value":""}"#,
        r#"{"value_base64":""}"#,
        r#"{"fields":{}}"#,
        r#"{"fields":{"value":""}}"#,
        "{}",
        "null",
        "",
    ] {
        let answer = server.send(&Request::new("PUT", "/api/v1/keys/prod/key").bearer(&token).json(body));
        answer.is_problem(400, "invalid");
    }
    all_is_well(&home);
}
