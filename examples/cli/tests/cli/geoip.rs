//! Countries in reviews of the log, by a file that a flag, a variable or the vault's own file names.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::harness::Place;
use crate::remote::Server;

#[path = "../../../../crates/ibyok-operations/src/reviews/geoip/database/mmdb.rs"]
mod mmdb;

const HERE: &str = "192.0.2.7";
const THERE: &str = "198.51.100.7";

/// A vault whose tokens are judged from their first line on, and a file of two countries.
fn place() -> (Place, String) {
    let place = Place::with_key("prod/openai", "sk-1");
    let settings = place.read("data/ibyok/vault.toml");
    place.write(
        "data/ibyok/vault.toml",
        format!("{settings}\n[review]\nlearning_days = 0\n"),
    );
    let networks = [("192.0.2.0/24", "DE"), ("198.51.100.0/24", "NL")];
    let file = place.write("countries.mmdb", mmdb::mmdb("GeoLite2-Country", &networks));
    (place, file)
}

/// Reads the key as a client behind a proxy at this address.
fn read_from(server: &Server, token: &str, address: &str) {
    let host = server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(
        stream,
        "GET /api/v1/keys/prod/openai/value HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         X-Forwarded-For: {address}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

fn countries(review: &Value) -> Vec<(&str, &str)> {
    let findings = review["findings"].as_array().unwrap().iter();
    let new = findings.filter(|found| found["detector"] == "new_country");
    new.map(|found| {
        (
            found["severity"].as_str().unwrap(),
            found["explanation"].as_str().unwrap(),
        )
    })
    .collect()
}

#[test]
fn a_token_in_a_country_where_it_never_was_is_told_here_and_by_a_server() {
    let (place, file) = place();
    let token = place.token(&["ci", "--env", "prod"]);
    let auditor = place.token(&["auditor", "--all-envs", "--scope", "audit:read"]);
    let proxied = [
        ("IBYOK_GEOIP", file.as_str()),
        ("IBYOK_TRUSTED_PROXIES", "127.0.0.1/32"),
    ];
    let server = Server::start_with(&place, &proxied);
    read_from(&server, &token, HERE);
    read_from(&server, &token, THERE);

    let review = ["audit", "review", "--json"];
    let there = place
        .ibyok(&review)
        .env("IBYOK_URL", &server.url)
        .env("IBYOK_TOKEN", &auditor)
        .call();
    let words =
        |land| format!("came from the country {land} for the first time; no token of this vault ever came from there");
    let (of_de, of_nl) = (words("DE"), words("NL"));
    let expected = [("high", of_de.as_str()), ("high", of_nl.as_str())];
    assert_eq!((there.code, countries(&there.json())), (10, expected.to_vec()));
    drop(server);

    let by_flag = place.ibyok(&["--geoip", &file, "audit", "review", "--json"]).call();
    assert_eq!(countries(&by_flag.json()), expected);
    let lands = |review: &Value| -> Vec<Value> {
        let rows = review["networks"].as_array().unwrap().iter();
        rows.filter_map(|row| row.get("country").cloned()).collect()
    };
    assert_eq!(lands(&by_flag.json()), ["DE", "NL"]);
    let none = place.ibyok(&review).call().json();
    assert_eq!((countries(&none), lands(&none)), (vec![], vec![]));

    let settings = place.read("data/ibyok/vault.toml");
    place.write("data/ibyok/vault.toml", format!("geoip = \"{file}\"\n{settings}"));
    let page = place.path("review.html").display().to_string();
    let by_file = place.ibyok(&["audit", "review", "--html", &page]).call();
    assert!(
        by_file.out.contains(&of_nl) && by_file.out.contains("198.51.100.0/24 (NL)"),
        "{by_file:?}"
    );
    let page = place.read("review.html");
    assert!(page.contains("<th>Country</th>") && page.contains("<td>NL</td>"));
}

#[test]
fn a_file_that_is_no_such_database_is_named_before_anything_is_done() {
    let (place, _) = place();
    let text = place.write("notes.mmdb", "no database");
    let asn = place.write("asn.mmdb", mmdb::mmdb("GeoLite2-ASN", &[("192.0.2.0/24", "DE")]));
    for file in ["/nope.mmdb", "/dev/zero", "/", &text, &asn] {
        for verb in [&["audit", "review"][..], &["get", "prod/openai"], &["serve"]] {
            let done = place.ibyok(verb).env("IBYOK_GEOIP", file).fails(2);
            assert!(
                done.err.contains(&format!("`{file}`")) && done.out.is_empty(),
                "{done:?}"
            );
        }
    }
    place.ibyok(&["get", "prod/openai"]).env("IBYOK_GEOIP", "").ok();
}
