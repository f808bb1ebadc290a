//! A program that uses a key, as these tests run it: it fetches the key by HTTP again and again, and notes the
//! version that it got.
//!
//! Arguments: the environment, the key, a file that holds the version to which it is pinned (empty: it takes the
//! current one), and the file for its notes. The server's address and the token are in IBYOK_URL and IBYOK_TOKEN. It
//! ends when its input does.

use std::error::Error;
use std::io::{Read, Write};
use std::time::Duration;

use ibyok_client::{Client, SecretString};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let mut next = || args.next().ok_or("four arguments are needed");
    let (environment, key, pin, notes) = (next()?, next()?, next()?, next()?);
    let client = Client::builder(
        &std::env::var("IBYOK_URL")?,
        SecretString::from(std::env::var("IBYOK_TOKEN")?),
    )
    .build()?;
    let ended = std::thread::spawn(|| std::io::stdin().read_to_end(&mut Vec::new()).unwrap_or_default());
    while !ended.is_finished() {
        let version = std::fs::read_to_string(&pin)?.trim().parse::<u32>().ok();
        let line = match client.retrieve(&environment, &key, version, None).await {
            Ok(got) => format!("{}\n", got.version),
            Err(error) => format!("{error}\n"),
        };
        std::fs::File::options()
            .append(true)
            .create(true)
            .open(&notes)?
            .write_all(line.as_bytes())?;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}
