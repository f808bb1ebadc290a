//! The client's reaction to answers of every kind, from a server that sends any given bytes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests may panic on unexpected results"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ibyok_client::{Client, Error, KeyWrite, SecretSlice, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\nretry-after: 0\r\ncontent-length: 22\r\nconnection: close\r\n\r\n{\"code\":\"unavailable\"}";
const REDIRECT: &str =
    "HTTP/1.1 307 Temporary Redirect\r\nlocation: /elsewhere\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Answers each connection with the next of these, the last one for ever; gives its address and what it was asked.
async fn server(answers: &[String]) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answers, heard) = (answers.to_vec(), Arc::clone(&asked));
    tokio::spawn(async move {
        for number in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 64 << 10];
            let mut count = stream.read(&mut request).await.unwrap();
            while !request[..count].windows(4).any(|window| window == b"\r\n\r\n") {
                count += stream.read(&mut request[count..]).await.unwrap();
            }
            heard
                .lock()
                .unwrap()
                .push(String::from_utf8_lossy(&request[..count]).into_owned());
            let answer = &answers[number.min(answers.len() - 1)];
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (url, asked)
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn client(url: &str) -> Client {
    Client::new(url, SecretString::from("ibyok_sentinel")).unwrap()
}

fn value() -> String {
    ok(r#"{"ref":"prod/openai","id":"key_x","version":3,"mode":"live","value":"sk-1","new_field":1}"#)
}

#[tokio::test]
async fn what_only_reads_is_tried_again_and_then_given_up() {
    let (url, asked) = server(&[BUSY.to_owned(), BUSY.to_owned(), value()]).await;
    assert_eq!(
        client(&url)
            .retrieve("prod", "openai", None, None)
            .await
            .unwrap()
            .text()
            .unwrap(),
        "sk-1"
    );
    assert_eq!(asked.lock().unwrap().len(), 3);
    let (url, asked) = server(&[BUSY.to_owned()]).await;
    assert_eq!(client(&url).whoami().await.unwrap_err().code(), "unavailable");
    assert_eq!(asked.lock().unwrap().len(), 4);
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_asked_once_and_within_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let patience = Duration::from_millis(300);
    let client = Client::builder(&url, SecretString::from("t")).timeout(patience).build();
    let asked = tokio::spawn(async move { client.unwrap().whoami().await });
    let (silent, _) = listener.accept().await.unwrap();
    let error = asked.await.unwrap().unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(tokio::time::timeout(patience * 2, listener.accept()).await.is_err());
    drop(silent);
}

#[tokio::test]
async fn trying_again_ends_with_the_timeout() {
    let later = BUSY.replace("retry-after: 0", "retry-after: 2");
    let (url, asked) = server(&[later]).await;
    let client = Client::builder(&url, SecretString::from("t"));
    let client = client.timeout(Duration::from_secs(1)).build().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(client.whoami().await.unwrap_err().code(), "unavailable");
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_changes_something_is_sent_once() {
    let (url, asked) = server(&[BUSY.to_owned()]).await;
    let write = KeyWrite::value(SecretSlice::from(b"v".to_vec()));
    assert_eq!(
        client(&url).set_key("prod", "openai", &write).await.unwrap_err().code(),
        "unavailable"
    );
    assert_eq!(
        client(&url).remove_key("prod", "openai").await.unwrap_err().code(),
        "unavailable"
    );
    assert_eq!(asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_is_refused_for_good_is_not_tried_again() {
    let body =
        r#"{"type":"urn:x","title":"Forbidden","status":403,"detail":"not allowed","code":"denied","request_id":"r"}"#;
    let answer = format!(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let (url, asked) = server(&[answer]).await;
    let error = client(&url).retrieve("prod", "openai", None, None).await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("denied", "not allowed"));
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_redirect_does_not_get_the_token() {
    let (url, asked) = server(&[REDIRECT.to_owned(), value()]).await;
    let error = client(&url).retrieve("prod", "openai", None, None).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error:?}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn what_is_no_answer_of_ours_is_said_without_repeating_it() {
    for body in [
        "<html>SENT</html>",
        r#"{"value":"SENT"}"#,
        r#"{"ref":1,"value":"SENT"}"#,
        "",
        "null",
    ] {
        let (url, _) = server(&[ok(body)]).await;
        let error = client(&url).retrieve("prod", "openai", None, None).await.unwrap_err();
        assert!(matches!(error, Error::Answer { .. }), "{body}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("SENT"), "{error:?}");
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_none() {
    let (url, _) = server(&["HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{\"ref\":".to_owned()]).await;
    let error = client(&url).retrieve("prod", "openai", None, None).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let client = Client::builder(&url, SecretString::from("t"))
        .timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let write = KeyWrite::value(SecretSlice::from(b"v".to_vec()));
    assert!(matches!(
        client.set_key("prod", "openai", &write).await,
        Err(Error::Unreachable { .. })
    ));
}

#[tokio::test]
async fn a_request_names_everything_in_its_place() {
    let (url, asked) = server(&[value()]).await;
    client(&url)
        .retrieve("prod", "openai", Some(3), Some("org_id"))
        .await
        .unwrap();
    let asked = asked.lock().unwrap()[0].to_lowercase();
    assert!(
        asked.starts_with("get /api/v1/keys/prod/openai/value?version=3&field=org_id http/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("\r\nauthorization: bearer ibyok_sentinel\r\n"));
    assert!(asked.contains("\r\nuser-agent: ibyok-client/"));
}

#[tokio::test]
async fn every_page_of_a_list_is_followed() {
    let page = |next: &str| ok(&format!(r#"{{"items":[],"next":{next}}}"#));
    let (url, asked) = server(&[page("\"a.1\""), page("\"a.2\""), page("null")]).await;
    assert!(client(&url).keys(Some("prod")).await.unwrap().is_empty());
    let asked = asked.lock().unwrap().clone();
    assert_eq!(asked.len(), 3);
    assert!(asked[1].contains("env=prod&limit=500&after=a.1"));
    let (url, asked) = server(&[page("\"same\"")]).await;
    assert!(
        client(&url).keys(None).await.is_ok(),
        "a server that gives the same page for ever ends the list"
    );
    assert_eq!(asked.lock().unwrap().len(), 2);
}
