//! The same load on every server in turn, round after round, and how they compare with the hello world.

use std::time::Duration;

use ibyok_benches::{Result, median, quantity};

use crate::load::{self, Load};
use crate::process::{Server, free_address};
use crate::site::Site;
use crate::start::until_it_answers;

/// The number of measurements of each server, unless `IBYOK_BENCH_ROUNDS` is set.
const ROUNDS: usize = 5;

/// The time of one measurement.
const ROUND: Duration = Duration::from_secs(2);

/// The time for which a server is under load before it is measured.
const WARM: Duration = Duration::from_millis(300);

/// The time between warming and measuring.
const PAUSE: Duration = Duration::from_millis(200);

/// The numbers of connections. The last one needs `ulimit -n 4096`.
const CONNECTIONS: [usize; 5] = [1, 32, 64, 256, 1000];

/// A server under load, and what came of each round.
struct Rival {
    name: &'static str,
    server: Server,
    request: String,
    rounds: Vec<Round>,
    _site: Option<Site>,
}

struct Round {
    load: Load,
    /// The server's CPU time for one answer, in microseconds.
    cpu: f64,
}

pub(crate) async fn measure() -> Result<()> {
    let rounds = std::env::var("IBYOK_BENCH_ROUNDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(ROUNDS);
    let mut rivals = rivals().await?;
    for connections in CONNECTIONS {
        for rival in &mut rivals {
            rival.rounds.clear();
        }
        for _ in 0..rounds {
            for rival in &mut rivals {
                rival.round(connections).await?;
            }
        }
        table(connections, &rivals);
    }
    for rival in &rivals {
        println!(
            "memory of {:<21} after it {:>6.1} MB",
            rival.name,
            rival.server.megabytes().unwrap_or_default()
        );
    }
    Ok(())
}

/// The hello world first: it is the measure.
async fn rivals() -> Result<Vec<Rival>> {
    let mut rivals = Vec::new();
    let mut size = 0;
    for durability in ["written", "synced"] {
        let site = Site::new().await?;
        let server = site.serve(durability)?;
        let request = site.request(server.address);
        size = until_it_answers(server.address, &request).await?;
        rivals.push(Rival {
            name: durability,
            server,
            request,
            rounds: Vec::new(),
            _site: Some(site),
        });
    }
    let site = Site::new().await?;
    let server = site.serve("written")?;
    let request = site.vault_request(server.address);
    until_it_answers(server.address, &request).await?;
    rivals.push(Rival {
        name: "written, KV of Vault",
        server,
        request,
        rounds: Vec::new(),
        _site: Some(site),
    });
    rivals.insert(0, hello(size).await?);
    println!("every answer has a body of {size} bytes, but for the KV of Vault");
    Ok(rivals)
}

async fn hello(size: usize) -> Result<Rival> {
    let address = free_address()?;
    let server = Server::start("hello", address, |command| {
        command
            .env("IBYOK_BENCH_LISTEN", address.to_string())
            .env("IBYOK_BENCH_BODY", size.to_string());
    })?;
    let request = format!("GET / HTTP/1.1\r\nhost: {address}\r\nuser-agent: bench\r\n\r\n");
    until_it_answers(address, &request).await?;
    Ok(Rival {
        name: "axum hello world",
        server,
        request,
        rounds: Vec::new(),
        _site: None,
    })
}

impl Rival {
    async fn round(&mut self, connections: usize) -> Result<()> {
        let address = self.server.address;
        load::run(address, &self.request, connections, WARM).await?;
        // The connections of the warming are closed by then; together they would be more than the server admits.
        tokio::time::sleep(PAUSE).await;
        let before = self.server.cpu();
        let load = load::run(address, &self.request, connections, ROUND).await?;
        let took = self.server.cpu().saturating_sub(before).as_secs_f64();
        let cpu = took * 1e6 / load.count.max(1) as f64;
        self.rounds.push(Round { load, cpu });
        Ok(())
    }

    fn median(&self, part: impl Fn(&Round) -> f64) -> f64 {
        median(&self.rounds.iter().map(part).collect::<Vec<_>>())
    }

    /// The median over the rounds of what this is to another in the same round.
    fn ratio(&self, other: &Self, part: impl Fn(&Round) -> f64) -> f64 {
        let pairs = self.rounds.iter().zip(&other.rounds);
        median(
            &pairs
                .map(|(ours, theirs)| part(ours) / part(theirs))
                .collect::<Vec<_>>(),
        )
    }
}

fn table(connections: usize, rivals: &[Rival]) {
    let Some(hello) = rivals.first() else { return };
    println!(
        "\n{connections} connections; medians of {} rounds of {ROUND:?}",
        hello.rounds.len()
    );
    println!(
        "{:<22} {:>9} {:>8} {:>9} {:>9} {:>8} {:>9}",
        "", "a second", "of hello", "p50 µs", "p99 µs", "of hello", "CPU µs"
    );
    for rival in rivals {
        println!(
            "{:<22} {:>9} {:>8.2} {:>9} {:>9} {:>8.2} {:>9.1}",
            rival.name,
            quantity(rival.median(|round| round.load.rate)),
            rival.ratio(hello, |round| round.load.rate),
            quantity(rival.median(|round| round.load.p50)),
            quantity(rival.median(|round| round.load.p99)),
            rival.ratio(hello, |round| round.load.p99),
            rival.median(|round| round.cpu)
        );
    }
}
