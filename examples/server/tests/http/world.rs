//! A vault, a server on a free port, and a client that sends exactly the bytes it is given.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ibyok_core::{
    Environments, FileSink, Grant, LocalKek, MemoryStore, Scope, Scopes, Secret, Store, TokenRequest, Vault,
    audit::{Filter, SinkDurability},
    modes::Guardrails,
    tokens::Expiry,
};
use ibyok_server::{Limits, Options, Started};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The value stored as `prod/openai`, `dev/openai` and `prod/stripe`.
pub const OPENAI: &str = "sk-prod-openai-SENTINEL";
pub const DEV: &str = "sk-dev-openai-SENTINEL";
pub const STRIPE: &str = "sk-prod-stripe-SENTINEL";

pub struct World {
    pub server: Started,
    pub vault: Vault,
    _place: tempfile::TempDir,
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_, _| ()).await
    }

    pub async fn with(change: impl FnOnce(&mut Options, &mut Limits)) -> Self {
        Self::on(Arc::new(MemoryStore::new()), change).await
    }

    pub async fn on(store: Arc<dyn Store>, change: impl FnOnce(&mut Options, &mut Limits)) -> Self {
        Self::made(store, Guardrails::default(), change).await
    }

    /// On a server with guardrails.
    pub async fn guarded(guardrails: Guardrails) -> Self {
        Self::made(Arc::new(MemoryStore::new()), guardrails, |_, _| ()).await
    }

    async fn made(
        store: Arc<dyn Store>,
        guardrails: Guardrails,
        change: impl FnOnce(&mut Options, &mut Limits),
    ) -> Self {
        let place = tempfile::tempdir().unwrap();
        let sink = FileSink::builder(place.path().join("audit"))
            .durability(SinkDurability::Written)
            .open()
            .await
            .unwrap();
        let builder = Vault::builder()
            .shared_store(store)
            .kek(LocalKek::generate().unwrap())
            .audit(sink)
            .guardrails(guardrails);
        let vault = builder.create().await.unwrap();
        let operator = vault.operator("test");
        for (key, value) in [("prod/openai", OPENAI), ("dev/openai", DEV), ("prod/stripe", STRIPE)] {
            operator
                .keys()
                .set(&key.parse().unwrap(), Secret::copy_of(value.as_bytes()))
                .await
                .unwrap();
        }
        let (mut options, mut limits) = (Options::default(), Limits::default());
        // The whole suite holds for both ways of a retrieval: it runs once as it is, and once with this variable.
        options.past_the_router = std::env::var_os("IBYOK_TEST_ROUTER").is_none();
        // The tests pass at every hour of the day.
        options.review.thresholds.operator_hours = "0-24".to_owned();
        change(&mut options, &mut limits);
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = ibyok_server::start(vault.clone(), address, options, limits)
            .await
            .unwrap();
        World {
            server,
            vault,
            _place: place,
        }
    }

    /// A token with these scopes, in these environments (none: all of them), for keys of these patterns (none: all).
    pub async fn token(&self, scopes: &[Scope], environments: &[&str], keys: &[&str]) -> String {
        let environments = match environments {
            [] => Environments::All,
            names => Environments::named(names.iter().copied()),
        };
        let mut grant = Grant::new(scopes.iter().copied().collect::<Scopes>(), environments);
        grant.keys = (!keys.is_empty()).then(|| keys.iter().map(|key| key.parse().unwrap()).collect());
        self.issue(grant).await
    }

    pub async fn issue(&self, grant: Grant) -> String {
        self.give(TokenRequest::new("test", grant)).await
    }

    async fn give(&self, request: TokenRequest) -> String {
        let issued = self.vault.operator("test").tokens().issue(request).await.unwrap();
        issued.token.expose().to_owned()
    }

    /// A token that may do everything, and does not end.
    pub async fn admin(&self) -> String {
        let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
        self.give(TokenRequest::new("test", grant).expiry(Expiry::Never)).await
    }

    /// Sends exactly these bytes, and reads until the server closes or one answer is complete.
    pub async fn raw(&self, bytes: &[u8]) -> Option<Answer> {
        let mut stream = TcpStream::connect(self.server.address()).await.unwrap();
        // The server may close before everything is sent, which is one of the things to be seen.
        stream.write_all(bytes).await.ok();
        read_answer(&mut stream, bytes.starts_with(b"HEAD ")).await
    }

    /// A request without a body.
    pub async fn ask(&self, method: &str, path: &str, token: &str) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))], b"")
            .await
    }

    /// A request with a body of JSON.
    pub async fn tell(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        self.send(method, path, &headers, body.as_bytes()).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: test\r\nconnection: close\r\n");
        for (name, value) in headers {
            request += &format!("{name}: {value}\r\n");
        }
        if !body.is_empty() {
            request += &format!("content-length: {}\r\n", body.len());
        }
        request += "\r\n";
        self.raw(&[request.as_bytes(), body].concat())
            .await
            .expect_answer(method, path)
    }

    /// The lines of the audit log, as JSON.
    pub async fn log(&self) -> Vec<Value> {
        let lines = self.vault.whole_log("test").lines(&Filter::default()).await.unwrap();
        lines
            .map(|line| serde_json::from_str(line.unwrap().text()).unwrap())
            .collect()
    }
}

trait Expect {
    fn expect_answer(self, method: &str, path: &str) -> Answer;
}

impl Expect for Option<Answer> {
    fn expect_answer(self, method: &str, path: &str) -> Answer {
        self.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }
}

pub struct Answer {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or("none").to_owned()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// Reads one answer, of HEAD without its body; `None` if the connection ends before it is complete.
pub async fn read_answer(stream: &mut TcpStream, head: bool) -> Option<Answer> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(15), async {
        loop {
            if let Some(answer) = parse(&bytes, head) {
                return Some(answer);
            }
            let mut buffer = [0; 16 << 10];
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return None,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    });
    read.await
        .unwrap_or_else(|_| panic!("neither an answer nor an end in 15 seconds"))
}

fn parse(bytes: &[u8], of_head: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap()[9..12].parse().unwrap();
    if status == 100 {
        return parse(&bytes[end + 4..], of_head);
    }
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let length: usize = headers
        .get("content-length")
        .map_or(0, |length| length.parse().unwrap());
    let body = bytes.get(end + 4..end + 4 + if of_head { 0 } else { length })?;
    Some(Answer {
        status,
        headers,
        body: body.to_vec(),
    })
}
