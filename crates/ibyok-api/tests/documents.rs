//! Documents read and write the JSON that is on the wire.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

use ibyok_api::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads JSON and writes the same bytes.
fn same<T: Serialize + DeserializeOwned>(json: &str) {
    let read: T = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&read).unwrap(), json);
}

const VERSION: &str = r#"{"version":1,"state":"disabled","role":"retiring","marks":["disabled","compromised"],"fields":["value"],"created":"2026-01-02T03:04:05.000000006Z","by":"test","changes":[{"to":"enabled","at":"2026-01-02T03:04:05Z","by":"test"}]}"#;

fn key(rest: &str) -> String {
    format!(
        r#"{{"ref":"dev/openai","id":"key_1kFTFq0JqRJhiRzbs3t1eT","namespace":"default","environment":"dev","name":"openai","provider":null,"variable":"OPENAI_API_KEY","variable_named":true,"labels":{{"a":"b"}},"version":1,"state":"current","pending":null,"disabled":false,"mode_override":null,"mode":"live","mode_source":"tenant_setting","limit":"60/min","rotate_every":"90d","rotation_due":null,"expires_at":null,{rest}"created":"2026-01-02T03:04:05Z","created_by":"test","revision":1,"versions_count":1,"versions":[{VERSION}]}}"#
    )
}

const TOKEN: &str = r#"{"id":"t","name":"ci","namespace":"default","state":"valid","grant":{"scopes":["keys:read","later:scope"],"environments":["dev"],"keys":["open*"],"cidrs":["10.0.0.0/8"],"not_before":"2026-01-01T00:00:00Z","rate":"1/day","pending_only":true,"self_rotate":true},"expires_at":null,"created":"2026-01-02T03:04:05Z","created_by":"test","epoch":0,"older_secret_until":null,"rotated":null,"parents":[],"revoked":{"at":"2026-01-02T03:04:05Z","by":"test"}}"#;

#[test]
fn answers_read_back_byte_for_byte() {
    same::<KeyInfo>(&key(""));
    same::<KeyInfo>(&key(
        r#""limit_in_force":{"rate":"1/sec","source":"key","scope":"node"},"#,
    ));
    same::<KeyInfo>(&key(r#""last_used":null,"#));
    same::<KeyInfo>(&key(r#""last_used":"2026-01-02T03:04:05Z","#));
    same::<Page<Due>>(
        r#"{"items":[{"kind":"rotation","ref":"dev/a","token":null,"name":"a","provider":null,"at":"2026-01-02T03:04:05Z","overdue":false,"within_days":7}],"next":null,"damaged":[{"kind":"key","id":"key_x","record":"r","environment":null,"damaged":"older"}],"incomplete":true}"#,
    );
    same::<TokenInfo>(TOKEN);
    same::<Value<String, String>>(
        r#"{"ref":"dev/a","id":"key_x","version":1,"mode":"mock","mode_source":"guardrail","provider":null,"variable":"A","value":"v","fields":{"value":"v"}}"#,
    );
    same::<Problem>(
        r#"{"type":"urn:ibyok:problem:denied","title":"Forbidden","status":403,"detail":"no","code":"denied","request_id":"r"}"#,
    );
}

#[test]
fn the_time_of_a_last_use_is_absent_null_or_a_time() {
    let last = |rest: &str| serde_json::from_str::<KeyInfo>(&key(rest)).unwrap().last_used;
    assert_eq!(last(""), LastUse::NotShown);
    assert_eq!(last(r#""last_used":null,"#), LastUse::Never);
    assert!(matches!(last(r#""last_used":"2026-01-02T03:04:05Z","#), LastUse::At(_)));
}

#[test]
fn a_word_of_a_newer_server_is_read_and_passed_on() {
    let json = key("").replace(r#""mode":"live""#, r#""mode":"dream""#);
    let read: KeyInfo = serde_json::from_str(&json).unwrap();
    assert_eq!(read.mode, Some(Mode::Other("dream".to_owned())));
    same::<KeyInfo>(&json);
}

#[test]
fn members_of_a_newer_server_stay_in_the_json_of_a_document() {
    let json = key(r#""colour":"red","#);
    let read: Document<KeyInfo> = serde_json::from_str(&json).unwrap();
    assert_eq!((read.name.as_str(), &read.json()["colour"]), ("openai", &"red".into()));
    let written = serde_json::to_value(&read).unwrap();
    assert_eq!(written, serde_json::from_str::<serde_json::Value>(&json).unwrap());
    assert!(serde_json::from_str::<Document<KeyInfo>>(r#"{"name":1}"#).is_err());
}

#[test]
fn requests_read_back_byte_for_byte() {
    same::<KeyEdit>("{}");
    same::<KeyEdit>(
        r#"{"provider":null,"variable":"A_KEY","labels":{"a":null,"b":"c"},"limit":"1/sec","rotate_every":"90d","expires_at":null}"#,
    );
    same::<KeyWrite<String>>(r#"{"value":"v","limit":null,"force":true,"reason":"x"}"#);
    same::<KeyWrite<String>>(r#"{"fields":{"org_id":"o","value":"v"},"labels":{"a":"b"}}"#);
    same::<TokenRequest>(
        r#"{"name":"ci","scopes":["keys:read"],"environments":["dev"],"keys":["open*"],"cidrs":["10.0.0.0/8"],"expires_at":"2026-01-01T00:00:00Z","rate":"1/day","self_rotate":true}"#,
    );
    same::<Drain>(r#"{"version":3,"quiet":"7d","force":true,"reason":"x"}"#);
    same::<Drain>(r#"{"version":"pending"}"#);
    same::<IncidentRequest<String>>(r#"{"ref":"dev/a","reason":"x","freeze":true,"replace":{"value":"v"}}"#);
    same::<EnvironmentLimitChange>(r#"{"environment":"dev","limit":null}"#);
}

#[test]
fn a_request_with_two_meanings_is_refused() {
    fn refused<T: DeserializeOwned>(json: &str) {
        assert!(serde_json::from_str::<T>(json).is_err(), "{json}");
    }
    refused::<KeyWrite<String>>(r#"{"value":"a","unknown":1}"#);
    refused::<KeyWrite<String>>(r#"{"value":"a","value":"b"}"#);
    refused::<KeyWrite<String>>(r#"{"fields":{"a":"x","a":"y"}}"#);
    refused::<KeyWrite<String>>(r#"{"fields":{"A B":"x"}}"#);
    refused::<KeyWrite<String>>(r#"{"value":"a","labels":{"a":"x","a":"y"}}"#);
    refused::<KeyEdit>(r#"{"labels":{"a":null,"a":"y"}}"#);
    refused::<KeyEdit>(r#"{"rotate_every":"soon"}"#);
    refused::<KeyEdit>(r#"{"limit":"often"}"#);
    refused::<TokenRequest>(r#"{"name":"x","scopes":["keys:eat"]}"#);
    refused::<TokenRequest>(r#"{"name":"x","keys":["a[b]"]}"#);
    refused::<TokenRequest>(r#"{"name":"x","cidrs":["10.0.0.0"]}"#);
    refused::<TokenRotation>(r#"{"grace_seconds":-1}"#);
    refused::<SetMode>(r#"{"environment":"dev"}"#);
}

#[test]
fn null_stands_for_an_absent_member_of_a_request() {
    let edit: KeyEdit = serde_json::from_str(r#"{"labels":null,"variable":null}"#).unwrap();
    assert_eq!(edit, KeyEdit::default());
    let write: KeyWrite<String> = serde_json::from_str(r#"{"value":"v","fields":null,"labels":null}"#).unwrap();
    assert_eq!((write.fields, write.labels), (None, None));
}
