//! Batches of lines by HTTPS POST, each signed.

mod sign;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ibyok_audit::{Batch, Error as LogError, Sink, SinkDescription, SinkDurability};
use reqwest::{Certificate, Client, StatusCode, redirect};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::error::Error;
use crate::lane::{DEADLINE, Lane};
use crate::place;
use crate::progress::Progress;
use crate::reach::{Reach, Resolver};

pub use sign::{SIGNATURE, signature};

/// The form of a URL, for hints.
const FORM: &str = "use `https://host/path`; `http://` is allowed only to this machine";

/// The lines and the bytes of one request, at most.
const LINES: usize = 1000;
const BYTES: usize = 1 << 20;

/// The bytes of an answer that are read, so that its connection can be used again.
const ANSWER: usize = 64 << 10;

/// The shortest secret, in bytes.
const SECRET_MIN: usize = 16;

/// The settings of a webhook.
pub struct WebhookOptions {
    url: String,
    secrets: Vec<Zeroizing<Vec<u8>>>,
    authorities: Option<Vec<u8>>,
    reach: Reach,
}

impl WebhookOptions {
    /// A webhook at this URL. It needs a secret.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            secrets: Vec::new(),
            authorities: None,
            reach: Reach::default(),
        }
    }

    /// Adds a secret that signs: at least 16 bytes. With two secrets each batch carries two signatures, so that a receiver can change from
    /// one to the other.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<Vec<u8>>) -> Self {
        self.secrets.push(Zeroizing::new(secret.into()));
        self
    }

    /// Allows addresses of private networks and of this machine.
    #[must_use]
    pub fn allow_private(mut self, allow: bool) -> Self {
        self.reach.private = allow;
        self
    }

    /// Sets the address on which the program itself listens. The webhook never connects to it.
    #[must_use]
    pub fn listens_on(mut self, address: SocketAddr) -> Self {
        self.reach.own = Some(address);
        self
    }

    /// Trusts these authorities (PEM) instead of the system's.
    #[must_use]
    pub fn authorities(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.authorities = Some(pem.into());
        self
    }
}

impl fmt::Debug for WebhookOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookOptions")
            .field("reach", &self.reach)
            .finish_non_exhaustive()
    }
}

/// Sends batches of lines to a collector by HTTPS POST.
///
/// The body is JSON lines, at most 1,000 lines or about 1 MiB. [`SIGNATURE`] proves its sender, and `Ibyok-Log` and `Ibyok-Lines` name the
/// lines. A 2xx acknowledges them. An answer 408, 425, 429 or 5xx, and none within three seconds, is a failure after which the log sends
/// the same lines again. Any other answer rejects them, a redirect included. The collector may get a line twice, and recognises it by `log`
/// and `seq`.
pub struct WebhookSink {
    name: String,
    url: Url,
    secrets: Vec<Zeroizing<Vec<u8>>>,
    reach: Reach,
    client: Client,
    lane: Lane,
    progress: Progress,
}

impl WebhookSink {
    /// Checks the settings. Connects only when there are lines.
    ///
    /// # Errors
    /// Fails for a URL that is not `https://` (or `http://` to this machine), for an address that is not allowed, without a secret, for
    /// one that is too short, and for a file of authorities without a certificate.
    pub fn new(options: WebhookOptions) -> Result<Self, Error> {
        let url = place::parse(&options.url, FORM)?;
        let mut reach = options.reach;
        reach.only_here = match url.scheme() {
            "https" => false,
            "http" => true,
            other => return Err(Error::new(format!("a webhook cannot use `{other}`"), FORM)),
        };
        if options.secrets.is_empty() {
            let hint = "name a file that holds the secret, as `secret_file`";
            return Err(Error::new("a webhook needs a secret that signs its batches", hint));
        }
        if options.secrets.iter().any(|secret| secret.len() < SECRET_MIN) {
            let what = format!("a secret of a webhook is shorter than {SECRET_MIN} bytes");
            return Err(Error::new(what, "make one with `openssl rand -hex 32`"));
        }
        let sink = Self {
            name: format!("webhook {}", place::shown(&url)),
            client: client(&url, &reach, options.authorities)?,
            secrets: options.secrets,
            url,
            reach,
            lane: Lane::default(),
            progress: Progress::default(),
        };
        sink.check_literal().map_err(|why| {
            Error::new(
                format!("the URL of a webhook is not allowed: {why}"),
                "give another URL",
            )
        })?;
        Ok(sink)
    }

    /// Checks an address that the URL itself holds. No resolver sees it.
    fn check_literal(&self) -> Result<(), String> {
        let ip = match self.url.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(name)) if !name.is_empty() => return Ok(()),
            Some(Host::Domain(_)) | None => return Err("it has no host".to_owned()),
        };
        self.reach.check(SocketAddr::new(ip, port(&self.url)))
    }

    async fn post(&self, batch: &Batch<'_>) -> Result<(), LogError> {
        self.check_literal().map_err(LogError::other)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        let secrets = self.secrets.iter().map(|secret| secret.as_slice());
        let last = batch.first_seq() + batch.count().saturating_sub(1);
        let request = self
            .client
            .post(self.url.clone())
            .header("content-type", "application/x-ndjson")
            .header("ibyok-log", batch.log().unwrap_or_default())
            .header("ibyok-lines", format!("{}-{last}", batch.first_seq()))
            .header(SIGNATURE, signature(secrets, now.as_secs(), batch.bytes()))
            .body(batch.bytes().to_vec());
        // The driver's error would repeat the URL, whose path may be a secret.
        let answer = request.send().await;
        let mut answer = answer.map_err(|error| LogError::other(error.without_url()))?;
        let judged = judge(answer.status());
        let mut read = 0;
        while let Ok(Some(bytes)) = answer.chunk().await {
            read += bytes.len();
            if read > ANSWER {
                break;
            }
        }
        judged
    }
}

/// Judges an answer: an acknowledgement, a failure that may pass, or a refusal of these lines.
fn judge(status: StatusCode) -> Result<(), LogError> {
    let told = format!("the collector answered {status}");
    match status.as_u16() {
        200..=299 => Ok(()),
        300..=399 => Err(LogError::rejected(format!("{told}: a webhook follows no redirect"))),
        408 | 425 | 429 | 500..=599 => Err(LogError::other(told)),
        _ => Err(LogError::rejected(told)),
    }
}

fn port(url: &Url) -> u16 {
    url.port_or_known_default().unwrap_or(443)
}

fn client(url: &Url, reach: &Reach, authorities: Option<Vec<u8>>) -> Result<Client, Error> {
    let resolver = Resolver {
        reach: reach.clone(),
        port: port(url),
    };
    // A proxy would connect to an address that nobody here has checked, so the variables of proxies do not count.
    let mut client = Client::builder()
        .user_agent(concat!("ibyok-audit/", env!("CARGO_PKG_VERSION")))
        .redirect(redirect::Policy::none())
        .no_proxy()
        .dns_resolver(std::sync::Arc::new(resolver))
        .timeout(DEADLINE)
        .pool_idle_timeout(Duration::from_secs(20));
    if let Some(pem) = authorities {
        let hint = "give a readable PEM file of certificates";
        let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
        if certificates.is_empty() {
            return Err(Error::new(
                "the file of authorities of a webhook holds no certificate",
                hint,
            ));
        }
        client = client.tls_certs_only(certificates);
    }
    let failed =
        |error: reqwest::Error| Error::new(format!("cannot make an HTTP client: {error}"), "check the certificates");
    client.build().map_err(failed)
}

impl fmt::Debug for WebhookSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSink")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Sink for WebhookSink {
    fn describe(&self) -> SinkDescription {
        SinkDescription::new(&self.name, SinkDurability::Synced)
    }

    fn durable(&self) -> bool {
        true
    }

    fn write(&mut self, batch: &Batch<'_>) -> Result<(), LogError> {
        for part in batch.parts(LINES, BYTES) {
            if self.progress.has(&part) {
                continue;
            }
            let mut lane = std::mem::take(&mut self.lane);
            let posted = lane.run(self.post(&part));
            self.lane = lane;
            posted?;
            self.progress.is_past(&part);
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), LogError> {
        Ok(())
    }

    fn close(&mut self) -> Result<(), LogError> {
        Ok(())
    }
}
