//! An IAM policy in front of the KMS stub: what it does not allow is refused and never reaches the stub.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

/// The answer of KMS if the policy does not allow a call.
const DENIED: &str =
    r#"{"__type":"AccessDeniedException","message":"not authorized to perform: kms:Decrypt by this policy"}"#;

/// Starts one on a free port that lets only one environment's keys be used, and gives its URL. It stays until the process ends.
pub fn only(environment: &'static str, stub: &str) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let stub = stub.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let stub = stub.clone();
            std::thread::spawn(move || serve(client, &stub, environment));
        }
    });
    url
}

fn serve(mut client: TcpStream, stub: &str, environment: &str) -> Option<()> {
    let mut stub = TcpStream::connect(stub).ok()?;
    while let Some((message, body)) = message(&mut client) {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        // DescribeKey has no context, and any reader of metadata may call it.
        let context = &body["EncryptionContext"];
        if context.is_object() && context["environment"] != environment {
            let head = "HTTP/1.1 400 Gate\r\nContent-Type: application/x-amz-json-1.1";
            write!(client, "{head}\r\nContent-Length: {}\r\n\r\n{DENIED}", DENIED.len()).ok()?;
            continue;
        }
        stub.write_all(&message).ok()?;
        let (reply, _) = self::message(&mut stub)?;
        client.write_all(&reply).ok()?;
    }
    Some(())
}

/// A whole message of HTTP, and its body.
fn message(from: &mut TcpStream) -> Option<(Vec<u8>, Vec<u8>)> {
    let (mut bytes, mut one) = (Vec::new(), [0]);
    while !bytes.ends_with(b"\r\n\r\n") {
        from.read_exact(&mut one).ok()?;
        bytes.extend(one);
    }
    let head = String::from_utf8_lossy(&bytes).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
    let mut body = vec![0; length.trim().parse().ok()?];
    from.read_exact(&mut body).ok()?;
    bytes.extend(&body);
    Some((bytes, body))
}
