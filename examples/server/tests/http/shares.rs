//! The memory for bodies: one token leaves room for the others.

use std::time::Duration;

use ibyok_core::{Environments, Grant, Scope, Scopes};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::{World, read_answer};

const PATH: &str = "/api/v1/keys/dev/body";

/// The bytes that an unfinished body sends.
const SENT: usize = 39_000;

/// A server with room for ten bodies of 40 kB, of which one token has a quarter and a token with its descendants one half.
async fn small() -> World {
    World::with(|options, _| {
        options.body_limit = 40_000;
        options.body_budget = 400_000;
        options.body_timeout = Duration::from_secs(30);
    })
    .await
}

/// Sends bodies that do not end.
async fn unfinished(world: &World, token: &str, count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::new();
    for _ in 0..count {
        let head = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: 40000\r\n\r\n"
        );
        let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&[b' '; SENT]).await.unwrap();
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    streams
}

/// Ends the bodies, and returns how many of them the server had kept. It refused the others for their token's share.
async fn kept(streams: Vec<TcpStream>) -> usize {
    let mut kept = 0;
    for mut stream in streams {
        stream.write_all(&[b' '; 40_000 - SENT]).await.ok();
        let answer = read_answer(&mut stream, false).await.unwrap();
        match answer.status {
            // White space alone is no JSON.
            400 => kept += 1,
            429 => {
                assert_eq!(answer.code(), "limited");
                assert!(answer.header("retry-after").is_some());
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    kept
}

async fn write(world: &World, token: &str) -> u16 {
    let body = format!(r#"{{"value":"v"{}}}"#, " ".repeat(SENT - 20));
    world.tell("PUT", PATH, token, &body).await.status
}

#[tokio::test]
async fn unfinished_bodies_of_one_token_leave_room_for_another() {
    let world = small().await;
    let writer = async || world.token(&[Scope::KeysWrite], &["dev"], &[]).await;
    let (greedy, honest) = (writer().await, writer().await);
    let held = unfinished(&world, &greedy, 12).await;
    assert_eq!(write(&world, &honest).await, 201);
    assert_eq!(write(&world, &greedy).await, 429);
    // Another form of the same token has no share of its own.
    let mut restriction = ibyok_core::policy::Restriction::default();
    restriction.keys = Some(["*".parse().unwrap()].into());
    let narrowed =
        ibyok_core::tokens::attenuate(&ibyok_core::AccessToken::from(greedy.as_str()), &restriction).unwrap();
    assert_eq!(write(&world, narrowed.expose()).await, 429);
    assert_eq!(kept(held).await, 2, "a quarter of the room");
    assert_eq!(write(&world, &greedy).await, 200, "it is free again");
}

#[tokio::test]
async fn a_token_that_issues_tokens_holds_no_more_than_half_of_the_room_with_all_of_them() {
    let world = small().await;
    let scopes = Scopes::from([Scope::KeysWrite, Scope::TokensIssue]);
    let parent = world.issue(Grant::new(scopes, Environments::named(["dev"]))).await;
    let mut children = Vec::new();
    for number in 0..4 {
        let body = format!(r#"{{"name":"child-{number}","scopes":["keys:write"],"environments":["dev"]}}"#);
        let issued = world.tell("POST", "/api/v1/tokens", &parent, &body).await;
        assert_eq!(issued.status, 201, "{}", issued.text());
        children.push(issued.json()["token"].as_str().unwrap().to_owned());
    }
    let mut held = Vec::new();
    for child in children {
        held.extend(unfinished(&world, &child, 3).await);
    }
    assert_eq!(write(&world, &parent).await, 429);
    let other = world.token(&[Scope::KeysWrite], &["dev"], &[]).await;
    assert_eq!(write(&world, &other).await, 201);
    assert_eq!(kept(held).await, 5, "half of the room");
}
