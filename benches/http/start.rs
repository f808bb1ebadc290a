//! Measures the memory of an idle server, and the time from its start to the first key.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ibyok_benches::{Result, median};

use crate::load;
use crate::site::Site;

/// The number of measured starts.
const STARTS: usize = 11;

/// The longest time until a server answers at all.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn measure() -> Result<()> {
    let site = Site::new().await?;
    let (mut gets, mut firsts, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..STARTS {
        let begun = Instant::now();
        site.get()?;
        gets.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let server = site.serve("synced")?;
        until_it_answers(server.address, &site.request(server.address)).await?;
        firsts.push(begun.elapsed().as_secs_f64() * 1e3);
        tokio::time::sleep(Duration::from_millis(300)).await;
        idle.extend(server.megabytes());
    }
    println!("`ibyok get`, from its start to its end      {:>8.1} ms", median(&gets));
    println!("start of a server to its first retrieval  {:>8.1} ms", median(&firsts));
    println!("memory of a server that is idle           {:>8.1} MB\n", median(&idle));
    Ok(())
}

/// Tries until an answer is there.
pub(crate) async fn until_it_answers(address: SocketAddr, request: &str) -> Result<usize> {
    let end = Instant::now() + PATIENCE;
    loop {
        match load::body_size(address, request).await {
            Ok(size) => return Ok(size),
            Err(error) if Instant::now() > end => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_micros(500)).await,
        }
    }
}
