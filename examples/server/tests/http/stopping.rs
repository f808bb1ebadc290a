use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{OPENAI, World, read_answer};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_under_load_loses_no_answer() {
    let world = World::new().await;
    let address = world.server.address();
    let token = world.admin().await;
    let request: Arc<str> =
        format!("GET /api/v1/keys/prod/openai/value HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n")
            .into();
    let stopped = Arc::new(AtomicBool::new(false));
    let (whole, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut clients = Vec::new();
    for _ in 0..16 {
        let (request, stopped) = (Arc::clone(&request), Arc::clone(&stopped));
        let (whole, broken) = (Arc::clone(&whole), Arc::clone(&broken));
        clients.push(tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(address).await else {
                    return;
                };
                loop {
                    if stream.write_all(request.as_bytes()).await.is_err() {
                        break;
                    }
                    let mut first = [0; 1];
                    // A connection that ends before an answer began was idle to the server; one that ends within is a loss.
                    if !matches!(stream.peek(&mut first).await, Ok(1)) {
                        break;
                    }
                    match read_answer(&mut stream, false).await {
                        Some(answer) if answer.json()["value"] == OPENAI => whole.fetch_add(1, Ordering::Relaxed),
                        _ => broken.fetch_add(1, Ordering::Relaxed),
                    };
                }
            }
        }));
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let cut = world.server.stop().await.unwrap();
    stopped.store(true, Ordering::Relaxed);
    for client in clients {
        client.await.unwrap();
    }
    assert_eq!((cut, broken.load(Ordering::Relaxed)), (0, 0));
    assert!(whole.load(Ordering::Relaxed) > 50, "there was load: {whole:?}");
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_request_that_has_begun_is_answered_and_no_other_after_it() {
    let world = World::new().await;
    let token = world.admin().await;
    let body = r#"{"value":"late"}"#;
    let head = format!(
        "PUT /api/v1/keys/dev/late HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let World { server, .. } = world;
    let stop = tokio::spawn(server.stop());
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(body.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream, false).await.unwrap();
    assert_eq!((answer.status, answer.header("connection")), (201, Some("close")));
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert_eq!(stop.await.unwrap().unwrap(), 0);
}

#[tokio::test]
async fn who_never_finishes_is_cut_off_after_the_grace() {
    let world = World::with(|_, limits| limits.shutdown_grace = Duration::from_millis(200)).await;
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let begun = Instant::now();
    assert_eq!(world.server.stop().await.unwrap(), 1);
    assert!(begun.elapsed() < Duration::from_secs(2));
}
