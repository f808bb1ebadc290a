//! Every route answers byte for byte as it is recorded in `recorded.txt`, except for ids, times, secrets and sentences.
//!
//! `IBYOK_RECORD=1 cargo test -p ibyok-server --test http recorded` writes the recording again, after an intended change. With
//! `IBYOK_RECORD_SENTENCES` set it also has the sentences of the answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use regex::{Captures, Regex};

use crate::world::World;

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/http/recorded.txt");

/// Requests in their order: a method, a path, a body, and the word by which later requests name the id in the answer.
const REQUESTS: &[(&str, &str, &str, &str)] = &[
    ("GET", "/healthz", "", ""),
    ("GET", "/readyz", "", ""),
    ("GET", "/nowhere", "", ""),
    ("POST", "/api/v1/keys", "", ""),
    ("GET", "/api/v1/keys?env=dev", "", ""),
    ("GET", "/api/v1/keys?env=dev&last_use=true", "", ""),
    ("GET", "/api/v1/keys?env=staging", "", ""),
    ("GET", "/api/v1/keys?limit=0", "", ""),
    ("GET", "/api/v1/keys?colour=red", "", ""),
    ("GET", "/api/v1/keys?after=x", "", ""),
    ("GET", "/external/keys?env=dev", "", ""),
    ("GET", "/external/usage", "", ""),
    ("GET", "/api/v1/usage", "", ""),
    ("GET", "/api/v1/keys/dev/openai", "", "id"),
    ("GET", "/api/v1/keys/_/{id}", "", ""),
    ("GET", "/api/v1/keys/_/openai", "", ""),
    ("GET", "/api/v1/keys/dev/openai?version=1", "", ""),
    ("GET", "/api/v1/keys/dev/nothing", "", ""),
    ("GET", "/api/v1/keys/DEV/nothing", "", ""),
    ("GET", "/api/v1/keys/dev/openai/value", "", ""),
    ("GET", "/api/v1/keys/dev/openai/value?version=7", "", ""),
    ("GET", "/external/keys/openai/value?env=dev", "", ""),
    ("GET", "/external/keys/openai/value?env=prod", "", ""),
    ("GET", "/external/keys/openai/value", "", ""),
    ("GET", "/external/keys?env=dev", "", ""),
    // Writes.
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"v1"}"#, ""),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"v2","provider":"openai"}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/bytes",
        r#"{"value_base64":"AP8=","labels":{"team":"a"}}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/many",
        r#"{"fields":{"value":"v","user":"u","pin":{"base64":"AP8="}},"variable":"DB_PASSWORD","limit":"60/min","rotate_every":"12w","expires_at":"2999-01-01T00:00:00Z"}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/groq",
        r#"{"value":"gsk_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123"}"#,
        "",
    ),
    ("GET", "/api/v1/keys/staging/bytes/value", "", ""),
    ("GET", "/api/v1/keys/staging/many/value", "", ""),
    ("GET", "/api/v1/keys/staging/many/value?field=pin", "", ""),
    ("GET", "/api/v1/keys/staging/many/value?field=nothing", "", ""),
    ("GET", "/external/keys/bytes/value?env=staging", "", ""),
    ("GET", "/external/keys/many/value?env=staging", "", ""),
    ("GET", "/api/v1/keys/staging/many", "", ""),
    ("PUT", "/api/v1/keys/staging/plain", "", ""),
    ("PUT", "/api/v1/keys/staging/plain", "[]", ""),
    ("PUT", "/api/v1/keys/staging/plain", "{}", ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":1}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"a","value":"b"}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"a","fields":{}}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"fields":{"A B":"x"}}"#, ""),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"fields":{"a":"x","a":"y"}}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"a","labels":{"a":"x","a":"y"}}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"a","limit":"often"}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"a","rotate_every":"soon"}"#,
        "",
    ),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"a","expires_at":"soon"}"#,
        "",
    ),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"a","force":true}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"a","reason":"x"}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value":"a","unknown":1}"#, ""),
    ("PUT", "/api/v1/keys/staging/plain", r#"{"value_base64":"*"}"#, ""),
    (
        "PUT",
        "/api/v1/keys/staging/plain",
        r#"{"value":"v3","limit":null,"rotate_every":null,"expires_at":null}"#,
        "",
    ),
    (
        "PATCH",
        "/api/v1/keys/staging/many",
        r#"{"provider":"stripe","labels":{"a":"b","c":null},"limit":"5/day"}"#,
        "",
    ),
    (
        "PATCH",
        "/api/v1/keys/staging/many",
        r#"{"provider":null,"variable":"X_KEY","rotate_every":"30d"}"#,
        "",
    ),
    (
        "PATCH",
        "/api/v1/keys/staging/many",
        r#"{"limit":null,"rotate_every":null,"expires_at":null}"#,
        "",
    ),
    ("PATCH", "/api/v1/keys/staging/many", "{}", ""),
    ("PATCH", "/api/v1/keys/staging/many", r#"{"rotate_every":"0d"}"#, ""),
    ("POST", "/api/v1/keys/staging/many/disable", "", ""),
    ("POST", "/api/v1/keys/staging/many/enable", "", ""),
    ("POST", "/api/v1/keys/staging/plain/disable", r#"{"version":2}"#, ""),
    ("POST", "/api/v1/keys/staging/plain/disable", r#"{"version":0}"#, ""),
    (
        "POST",
        "/api/v1/keys/staging/plain/disable?version=1",
        r#"{"version":2}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/keys/staging/plain/enable",
        r#"{"version":2,"force":true,"reason":"it is mine"}"#,
        "",
    ),
    ("POST", "/api/v1/keys/staging/plain/enable", r#"{"force":true}"#, ""),
    // Rotation.
    ("POST", "/api/v1/keys/staging/plain/stage", r#"{"value":"v4"}"#, ""),
    ("GET", "/api/v1/keys/staging/plain?version=pending", "", ""),
    ("POST", "/api/v1/keys/staging/plain/promote", "", ""),
    ("POST", "/api/v1/keys/staging/plain/promote", "", ""),
    ("POST", "/api/v1/keys/staging/plain/promote", r#"{"force":"yes"}"#, ""),
    (
        "POST",
        "/api/v1/keys/staging/plain/rollback",
        r#"{"force":true,"reason":"it fails"}"#,
        "",
    ),
    ("GET", "/api/v1/keys/dev/openai/rotation", "", ""),
    ("GET", "/api/v1/keys/staging/plain/rotation", "", ""),
    ("POST", "/api/v1/keys/staging/plain/retire", "", ""),
    (
        "POST",
        "/api/v1/keys/staging/plain/retire",
        r#"{"version":"never"}"#,
        "",
    ),
    ("POST", "/api/v1/keys/staging/plain/retire", r#"{"version":1.5}"#, ""),
    ("POST", "/api/v1/keys/staging/plain/retire", r#"{"quiet":"soon"}"#, ""),
    ("POST", "/api/v1/keys/staging/plain/destroy", "", ""),
    ("POST", "/api/v1/keys/staging/plain/destroy", r#"{"version":0}"#, ""),
    (
        "POST",
        "/api/v1/keys/staging/plain/destroy",
        r#"{"version":1,"quiet":"7d","force":true,"reason":"done"}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/keys/staging/plain/destroy",
        r#"{"version":"2","force":true,"reason":"done"}"#,
        "",
    ),
    ("GET", "/api/v1/rotations/due", "", ""),
    (
        "PATCH",
        "/api/v1/keys/staging/many",
        r#"{"rotate_every":"1d","provider":"openai"}"#,
        "",
    ),
    ("GET", "/api/v1/rotations/due?env=staging", "", ""),
    // Modes and limits.
    ("GET", "/api/v1/modes", "", ""),
    ("PUT", "/api/v1/modes", r#"{"environment":"staging","mode":"mock"}"#, ""),
    (
        "PUT",
        "/api/v1/modes",
        r#"{"environment":"staging","mode":"maybe"}"#,
        "",
    ),
    ("PUT", "/api/v1/modes", r#"{"environment":"staging"}"#, ""),
    ("GET", "/api/v1/keys/staging/bytes/value", "", ""),
    ("POST", "/api/v1/keys/staging/bytes/mode", r#"{"mode":"live"}"#, ""),
    ("POST", "/api/v1/keys/staging/bytes/mode", r#"{"mode":"inherit"}"#, ""),
    ("POST", "/api/v1/keys/staging/bytes/mode", r#"{"mode":"maybe"}"#, ""),
    ("POST", "/api/v1/keys/staging/bytes/mode", r#"{"mode":7}"#, ""),
    ("GET", "/api/v1/limits?env=dev", "", ""),
    (
        "PUT",
        "/api/v1/limits",
        r#"{"environment":"dev","limit":"100/hour"}"#,
        "",
    ),
    ("PUT", "/api/v1/limits", r#"{"environment":"dev"}"#, ""),
    ("PUT", "/api/v1/limits", r#"{"environment":"dev","limit":"1/week"}"#, ""),
    ("GET", "/api/v1/keys/dev/openai", "", ""),
    ("PUT", "/api/v1/limits", r#"{"environment":"dev","limit":null}"#, ""),
    // Tokens.
    ("GET", "/api/v1/tokens/self", "", ""),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"full","scopes":["keys:list","keys:read"],"environments":["development","staging"],"keys":["open*"],"cidrs":["10.0.0.0/8"],"not_before":"2026-01-01T00:00:00Z","expires_at":"2999-01-01T00:00:00Z","rate":"60/min"}"#,
        "token",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"plain","all_environments":true,"no_expiry":true,"pending_only":true}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"self","environments":["dev"],"self_rotate":true}"#,
        "",
    ),
    ("POST", "/api/v1/tokens", r#"{"name":"none"}"#, ""),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"all_environments":true}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"scopes":["keys:eat"]}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"keys":["a[b]"]}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"keys":[""]}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"cidrs":["10.0.0.0"]}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["D E V"]}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"rate":"0/min"}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/tokens",
        r#"{"name":"none","environments":["dev"],"expires_at":"2999-01-01T00:00:00Z","no_expiry":true}"#,
        "",
    ),
    ("GET", "/api/v1/tokens/{token}", "", ""),
    ("GET", "/api/v1/tokens/_?name=full", "", ""),
    ("GET", "/api/v1/tokens/_", "", ""),
    ("GET", "/api/v1/tokens/review", "", ""),
    ("POST", "/api/v1/tokens/{token}/rotate", "", ""),
    (
        "POST",
        "/api/v1/tokens/{token}/rotate",
        r#"{"grace_seconds":0,"revoke_children":true}"#,
        "",
    ),
    ("POST", "/api/v1/tokens/{token}/rotate", r#"{"grace_seconds":-1}"#, ""),
    ("DELETE", "/api/v1/tokens/{token}", "", ""),
    (
        "DELETE",
        "/api/v1/tokens/{token}?keep_children=true&revoke_children=true",
        "",
        "",
    ),
    // Incidents.
    ("GET", "/api/v1/incidents", "", ""),
    ("PUT", "/api/v1/keys/staging/bad", r#"{"value":"leak-1"}"#, ""),
    (
        "POST",
        "/api/v1/incidents",
        r#"{"ref":"staging/bad","reason":"in a log","since":"2026-01-01T00:00:00Z","freeze":true}"#,
        "incident",
    ),
    (
        "POST",
        "/api/v1/incidents",
        r#"{"ref":"staging/bad","reason":"again"}"#,
        "",
    ),
    ("POST", "/api/v1/incidents", r#"{"ref":"staging/bad"}"#, ""),
    ("POST", "/api/v1/incidents", r#"{"ref":"staging bad","reason":"x"}"#, ""),
    (
        "POST",
        "/api/v1/incidents",
        r#"{"ref":"dev/openai","reason":"swap","replace":{"value":"next-1"}}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/incidents",
        r#"{"ref":"dev/openai","reason":"swap","replace":{}}"#,
        "",
    ),
    ("PUT", "/api/v1/keys/staging/bad", r#"{"value":"leak-1"}"#, ""),
    ("POST", "/api/v1/incidents/{incident}/notes", r#"{"text":"seen"}"#, ""),
    ("POST", "/api/v1/incidents/{incident}/notes", r#"{"words":"seen"}"#, ""),
    ("GET", "/api/v1/incidents/{incident}", "", ""),
    ("GET", "/api/v1/incidents/{incident}?since=soon", "", ""),
    (
        "POST",
        "/api/v1/incidents/{incident}/close",
        r#"{"cause":"a log","prevention":"masks"}"#,
        "",
    ),
    (
        "POST",
        "/api/v1/incidents/{incident}/close",
        r#"{"cause":"a log","prevention":"masks","force":true}"#,
        "",
    ),
    ("POST", "/api/v1/incidents/{incident}/close", r#"{"cause":"a log"}"#, ""),
    // The review of the log.
    (
        "POST",
        "/api/v1/audit/review/acks",
        r#"{"id":"0123456789abcdef","reason":"x"}"#,
        "",
    ),
    ("POST", "/api/v1/audit/review/acks", r#"{"id":"0123456789abcdef"}"#, ""),
    ("POST", "/api/v1/audit/review/done", r#"{"reason":"weekly"}"#, ""),
    ("GET", "/api/v1/audit/review", "", ""),
    ("GET", "/api/v1/audit/review?since=soon", "", ""),
    // Removals, and the answer to a stranger.
    ("DELETE", "/api/v1/keys/staging/plain", "", ""),
    ("DELETE", "/api/v1/keys/staging/plain", "", ""),
    ("DELETE", "/api/v1/tokens/self", "", ""),
    ("GET", "/api/v1/keys", "", ""),
];

/// Replaces the parts of answers that differ from run to run. An id becomes the number of its first appearance.
struct Plain {
    changing: Vec<(Regex, &'static str)>,
    id: Regex,
    ids: BTreeMap<String, String>,
}

impl Plain {
    fn new() -> Self {
        let changing = [
            (r"ibyok_[0-9A-Za-z_-]{20,}", "SECRET"),
            (
                r"[0-9]{4}-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9](\.[0-9]+)?Z",
                "TIME",
            ),
            (r"20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]", "DATE"),
            (r"mock-key-[0-9A-Za-z]{32}", "MOCK"),
            (r#""(seq|lines|until|requests|reads|refused)":[0-9]+"#, r#""$1":0"#),
            (r#""hours":\[[0-9,]+\]"#, r#""hours":[]"#),
        ];
        // Sentences are for people and get better; the rest is for programs.
        let sentences = [
            (
                r#""(detail|hint|explanation|what|how|why|problem)":"[^"]*""#,
                r#""$1":"…""#,
            ),
            (r#""warnings":\[[^\]]*\]"#, r#""warnings":["…"]"#),
        ];
        let sentences = sentences
            .iter()
            .filter(|_| std::env::var_os("IBYOK_RECORD_SENTENCES").is_none());
        let changing = changing.iter().chain(sentences);
        Plain {
            changing: changing
                .map(|(pattern, word)| (Regex::new(pattern).unwrap(), *word))
                .collect(),
            id: Regex::new(
                r"(?-u:\b)(key_[0-9A-Za-z]{22}|inc_[0-9A-Za-z]{22}|[0-9A-Za-z]{22}|[0-9A-Za-z]{30}|[0-9a-f]{32}|[0-9a-f]{16})(?-u:\b)",
            )
            .unwrap(),
            ids: BTreeMap::new(),
        }
    }

    fn of(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, word) in &self.changing {
            text = pattern.replace_all(&text, *word).into_owned();
        }
        let ids = &mut self.ids;
        let numbered = self.id.replace_all(&text, |found: &Captures<'_>| {
            let number = ids.len();
            ids.entry(found[0].to_owned()).or_insert(format!("ID{number}")).clone()
        });
        numbered.into_owned()
    }
}

#[tokio::test]
async fn every_answer_is_byte_for_byte_as_recorded() {
    let world = World::new().await;
    let bearer = format!("Bearer {}", world.admin().await);
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
        ("x-request-id", "recorded"),
        ("user-agent", "recorder/1"),
    ];
    let (mut plain, mut names, mut found) = (Plain::new(), BTreeMap::new(), String::new());
    for (method, path, body, name) in REQUESTS {
        let path = names
            .iter()
            .fold((*path).to_owned(), |path, (name, id): (&&str, &String)| {
                path.replace(&format!("{{{name}}}"), id)
            });
        let answer = world.send(method, &path, &headers, body.as_bytes()).await;
        if !name.is_empty() {
            let id = answer.json()["id"].as_str().map(str::to_owned);
            names.insert(name, id.unwrap_or_else(|| panic!("{method} {path}: {}", answer.text())));
        }
        writeln!(found, "{method} {} {body}", plain.of(&path)).unwrap();
        writeln!(found, "{} {}\n", answer.status, plain.of(&answer.text())).unwrap();
    }
    if std::env::var_os("IBYOK_RECORD").is_some() {
        std::fs::write(RECORDING, &found).unwrap();
    }
    let recorded = std::fs::read_to_string(RECORDING).unwrap();
    for (found, recorded) in found.lines().zip(recorded.lines()) {
        assert_eq!(found, recorded);
    }
    assert_eq!(found.lines().count(), recorded.lines().count());
}
