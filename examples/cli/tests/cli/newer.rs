//! A server that is newer than this program.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::harness::Place;

const KEY: &str = r#"{"ref":"prod/openai","id":"key_1kFTFq0JqRJhiRzbs3t1eT","namespace":"default","environment":"prod","name":"openai","provider":null,"variable":"OPENAI_API_KEY","labels":{},"version":1,"state":"resting","disabled":false,"mode":"dream","colour":"red","created":"2026-01-02T03:04:05.678Z","created_by":"os:a@b","revision":1,"versions_count":1,"versions":[{"version":1,"state":"resting","role":"current","marks":["shiny"],"fields":["value"],"created":"2026-01-02T03:04:05Z","by":"os:a@b","changes":[],"weight":7}]}"#;

/// Answers every request with a body; the address is the result.
fn server(body: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let length = body.len();
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 16 << 10];
            let mut count = 0;
            while !request[..count].windows(4).any(|window| window == b"\r\n\r\n") {
                count += stream.read(&mut request[count..]).unwrap();
            }
            stream.write_all(answer.as_bytes()).ok();
        }
    });
    url
}

#[test]
fn members_that_this_program_does_not_know_are_printed_as_json() {
    let place = Place::empty();
    let ask = |url: &str, arguments: &[&str]| {
        let arguments = [&["--url", url, "--json"], arguments].concat();
        place.ibyok(&arguments).env("IBYOK_TOKEN", "t").ok().json()
    };
    let sent: serde_json::Value = serde_json::from_str(KEY).unwrap();
    let shown = ask(&server(KEY), &["keys", "show", "prod/openai"]);
    assert_eq!(shown, sent);
    let list = server(&format!(r#"{{"items":[{KEY}],"next":null,"total":1}}"#));
    assert_eq!(ask(&list, &["keys", "list"])["items"][0], sent);
}

#[test]
fn words_that_this_program_does_not_know_are_shown_to_people() {
    let place = Place::empty();
    let url = server(KEY);
    let call = place.ibyok(&["--url", &url, "keys", "show", "prod/openai"]);
    let shown = call.env("IBYOK_TOKEN", "t").ok().out;
    for expected in ["dream", "resting", "shiny", "2026-01-02T03:04:05Z"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
}
