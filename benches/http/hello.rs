//! The measure: an axum hello world, as its documentation shows it.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use ibyok_benches::Result;
use tokio::net::TcpListener;

/// Serves a body of `IBYOK_BENCH_BODY` bytes at `IBYOK_BENCH_LISTEN`, until it is killed.
pub(crate) fn serve() -> Result<()> {
    let address: SocketAddr = std::env::var("IBYOK_BENCH_LISTEN")?.parse()?;
    let body: &'static str = "h".repeat(std::env::var("IBYOK_BENCH_BODY")?.parse()?).leak();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let router = Router::new().route("/", get(move || async move { body }));
        axum::serve(TcpListener::bind(address).await?, router).await?;
        Ok(())
    })
}
