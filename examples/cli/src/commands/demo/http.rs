//! Sends one HTTP request, as the smallest program would.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::{Error, Result};

/// The longest time for an answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer.
pub(super) struct Answer {
    /// The status.
    pub(super) status: u16,
    /// The body, as text.
    pub(super) body: String,
}

/// Asks for a path with a token.
///
/// # Errors
/// [`Error::Failed`] if there is no answer, or none that is HTTP.
pub(super) async fn get(address: SocketAddr, path: &str, token: &str) -> Result<Answer> {
    let answer = tokio::time::timeout(TIMEOUT, exchange(address, path, token)).await;
    let failed = |why: &str| Error::failed(format!("the server gave no answer: {why}"), "this is a bug");
    let answer = answer
        .map_err(|_| failed("it took too long"))?
        .map_err(|error| failed(&error.to_string()))?;
    parse(&answer).ok_or_else(|| failed("it is not HTTP"))
}

async fn exchange(address: SocketAddr, path: &str, token: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.take(64 * 1024).read_to_string(&mut answer).await?;
    Ok(answer)
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok()?;
    Some(Answer {
        status,
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let answer = parse("HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}").unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (403, "{}"));
        assert!(parse("SSH-2.0-x\r\n\r\n").is_none());
    }
}
