//! The webhook: its promises, its signature, the addresses that it refuses, and collectors that fail.
#![expect(clippy::unwrap_used, reason = "tests may panic on unexpected results")]

mod collector;
mod feed;
#[path = "../../ibyok-storage/tests/servers/mod.rs"]
mod servers;

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use ibyok_audit::conformance::SinkHarness;
use ibyok_audit::{Error, Sink};
use ibyok_sinks::{SIGNATURE, WebhookOptions, WebhookSink, signature};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::collector::{Collector, Reply, listens, nobody};
use crate::feed::{batch, lines, split};

const SECRET: &[u8] = b"whsec-0123456789abcdef";

fn options(url: &str) -> WebhookOptions {
    WebhookOptions::new(url).secret(SECRET).allow_private(true)
}

fn sink(collector: &Collector) -> WebhookSink {
    WebhookSink::new(options(&collector.url())).unwrap()
}

struct Webhooks;

struct Both {
    sink: WebhookSink,
    collector: Collector,
}

impl SinkHarness for Webhooks {
    type Sink = Both;

    fn fresh(&self) -> Both {
        let collector = Collector::start(None);
        Both {
            sink: sink(&collector),
            collector,
        }
    }

    fn restart(&self, both: Both) -> Both {
        Both {
            sink: sink(&both.collector),
            collector: both.collector,
        }
    }

    fn lines(&self, both: &Both) -> Vec<Vec<u8>> {
        split(&both.collector.taken())
    }
}

impl Sink for Both {
    fn describe(&self) -> ibyok_audit::SinkDescription {
        self.sink.describe()
    }

    fn durable(&self) -> bool {
        self.sink.durable()
    }

    fn write(&mut self, batch: &ibyok_audit::Batch<'_>) -> Result<(), Error> {
        self.sink.write(batch)
    }

    fn sync(&mut self) -> Result<(), Error> {
        self.sink.sync()
    }

    fn close(&mut self) -> Result<(), Error> {
        self.sink.close()
    }
}

ibyok_audit::sink_conformance!(Webhooks);

#[test]
fn a_batch_carries_its_signature_and_names_its_lines() {
    let collector = Collector::start(None);
    let url = format!("{}?token=hunter2", collector.url());
    let two = options(&url).secret(b"another-secret-of-16".as_slice());
    let mut sink = WebhookSink::new(two).unwrap();
    let bytes = lines("AbC", 7..=9);
    sink.write(&batch(&bytes, 7)).unwrap();
    let request = collector.requests().remove(0);
    assert_eq!(request.head, "POST /ibyok?token=hunter2 HTTP/1.1\r\n");
    assert_eq!(request.body, bytes);
    let header = |name: &str| request.headers.get(name).unwrap().as_str();
    assert_eq!(header("content-type"), "application/x-ndjson");
    assert_eq!((header("ibyok-log"), header("ibyok-lines")), ("AbC", "7-9"));
    let signed = header(&SIGNATURE.to_ascii_lowercase());
    let seconds: u64 = signed
        .trim_start_matches("t=")
        .split(',')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now.abs_diff(seconds) < 60, "{signed}");
    let secrets = [SECRET, b"another-secret-of-16".as_slice()];
    assert_eq!(signed, signature(secrets, seconds, &bytes));
    assert!(!request.headers.contains_key("authorization"));
    let shown = format!("{sink:?} {:?}", sink.describe());
    assert!(
        !shown.contains("hunter2") && !shown.contains("ibyok?") && !shown.contains("whsec"),
        "{shown}"
    );
}

#[test]
fn failures_that_may_pass_and_refusals_are_told_apart() {
    let bytes = lines("AbC", 1..=2);
    for (reply, rejected) in [
        (Reply::Status(500), false),
        (Reply::Status(503), false),
        (Reply::Status(429), false),
        (Reply::Status(408), false),
        (Reply::Cut, false),
        (Reply::Status(400), true),
        (Reply::Status(401), true),
        (Reply::Status(404), true),
        (Reply::Status(413), true),
    ] {
        let collector = Collector::start(None);
        // A connection that ends is tried once more by the client itself.
        collector.replies([reply.clone(), reply.clone(), reply.clone()]);
        let mut sink = sink(&collector);
        let error = sink.write(&batch(&bytes, 1)).unwrap_err();
        assert_eq!(
            matches!(error, Error::Rejected { .. }),
            rejected,
            "{reply:?}: {error:?}"
        );
        assert!(collector.taken().is_empty());
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (collector, elsewhere) = (Collector::start(None), Collector::start(None));
    collector.replies([Reply::Redirect(elsewhere.url())]);
    let bytes = lines("AbC", 1..=1);
    let error = sink(&collector).write(&batch(&bytes, 1)).unwrap_err();
    assert!(
        matches!(&error, Error::Rejected { .. }) && error.to_string().contains("redirect"),
        "{error}"
    );
    assert!(elsewhere.requests().is_empty() && listens(elsewhere.address));
}

#[test]
fn a_collector_that_is_silent_is_left_within_the_deadline_of_the_log() {
    let collector = Collector::start(None);
    collector.replies([Reply::Silence]);
    let mut sink = sink(&collector);
    let bytes = lines("AbC", 1..=1);
    let error = sink.write(&batch(&bytes, 1)).unwrap_err();
    assert!(!matches!(error, Error::Rejected { .. }), "{error}");
    sink.write(&batch(&bytes, 1)).unwrap();
    assert_eq!(collector.taken(), bytes);
}

#[test]
fn a_collector_that_is_down_and_comes_back_gets_the_lines() {
    let address = nobody();
    let mut sink = WebhookSink::new(options(&format!("http://{address}/"))).unwrap();
    let bytes = lines("AbC", 1..=1);
    for _ in 0..2 {
        let error = sink.write(&batch(&bytes, 1)).unwrap_err();
        assert!(!matches!(error, Error::Rejected { .. }), "{error}");
    }
}

#[test]
fn a_large_batch_that_fails_half_way_goes_on_where_it_failed() {
    let collector = Collector::start(None);
    collector.replies([Reply::Status(204), Reply::Status(500)]);
    let mut sink = sink(&collector);
    let bytes = lines("AbC", 1..=2500);
    assert!(sink.write(&batch(&bytes, 1)).is_err());
    sink.write(&batch(&bytes, 1)).unwrap();
    assert_eq!(collector.taken(), bytes, "no line twice");
    let sent: Vec<String> = collector
        .requests()
        .iter()
        .map(|request| request.headers["ibyok-lines"].clone())
        .collect();
    assert_eq!(sent, ["1-1000", "1001-2000", "1001-2000", "2001-2500"]);
}

#[test]
fn private_addresses_need_leave_by_every_way_of_writing_them() {
    let collector = Collector::start(None);
    let port = collector.address.port();
    let open = |url: &str| WebhookSink::new(WebhookOptions::new(url).secret(SECRET));
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "10.0.0.1",
        "192.168.0.1",
        "[fd00::1]",
    ] {
        let error = open(&format!("https://{host}:{port}/")).unwrap_err();
        assert!(error.what.contains("allow_private"), "{host}: {error}");
    }
    for host in [
        "169.254.169.254",
        "[fe80::1]",
        "0.0.0.0",
        "224.0.0.1",
        "[64:ff9b::a9fe:a9fe]",
    ] {
        assert!(
            WebhookSink::new(options(&format!("https://{host}/"))).is_err(),
            "{host}"
        );
    }
    // A name is checked where it is resolved.
    let mut named = open(&format!("https://localhost:{port}/")).unwrap();
    let bytes = lines("AbC", 1..=1);
    let error = named.write(&batch(&bytes, 1)).unwrap_err();
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    assert!(told.contains("allow_private"), "{told}");
    assert!(collector.requests().is_empty());
}

#[test]
fn the_program_itself_is_no_collector() {
    let collector = Collector::start(None);
    let own = options(&collector.url()).listens_on(collector.address);
    assert!(WebhookSink::new(own).unwrap_err().what.contains("itself"));
    let url = format!("http://localhost:{}/", collector.address.port());
    let any = std::net::SocketAddr::from(([0, 0, 0, 0], collector.address.port()));
    let mut named = WebhookSink::new(options(&url).listens_on(any)).unwrap();
    let bytes = lines("AbC", 1..=1);
    assert!(named.write(&batch(&bytes, 1)).is_err());
    assert!(collector.requests().is_empty());
}

#[test]
fn settings_that_make_no_webhook_are_refused_without_their_secrets() {
    for url in [
        "ftp://host/",
        "https://",
        "host",
        "http://93.184.216.34/",
        "https://me:hunter2@host:port/",
    ] {
        let error = WebhookSink::new(options(url)).map(drop).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{url}");
    }
    assert!(
        WebhookSink::new(WebhookOptions::new("https://example.com/")).is_err(),
        "no secret"
    );
    let short = WebhookOptions::new("https://example.com/").secret(b"short".as_slice());
    let error = WebhookSink::new(short).unwrap_err();
    assert!(error.what.contains("16") && !error.what.contains("short\""), "{error}");
    assert!(WebhookSink::new(options("https://example.com/").authorities(b"none".as_slice())).is_err());
}

#[test]
fn tls_needs_an_authority_that_vouches_for_the_collector() {
    let certificates = servers::tls::Certificates::new();
    let chain = CertificateDer::pem_file_iter(certificates.path("server.pem")).unwrap();
    let chain: Vec<_> = chain.map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(certificates.path("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
    let collector = Collector::start(Some(Arc::new(config)));
    let url = format!("https://{}/", collector.address);
    let bytes = lines("AbC", 1..=1);
    assert!(
        WebhookSink::new(options(&url))
            .unwrap()
            .write(&batch(&bytes, 1))
            .is_err(),
        "nobody vouches"
    );
    let authority = std::fs::read(certificates.path("authority.pem")).unwrap();
    let mut sink = WebhookSink::new(options(&url).authorities(authority)).unwrap();
    sink.write(&batch(&bytes, 1)).unwrap();
    assert_eq!(collector.taken(), bytes);
}

/// The verifier of `docs/audit.md`, run on requests as they arrive and as an attacker could change them.
#[test]
fn the_verifier_of_the_documentation_accepts_what_is_sent_and_nothing_else() {
    let page = include_str!("../../../docs/audit.md");
    let verifier = page.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(verifier.contains("def verify("), "{verifier}");
    let collector = Collector::start(None);
    let bytes = lines("AbC", 1..=3);
    sink(&collector).write(&batch(&bytes, 1)).unwrap();
    let request = collector.requests().remove(0);
    let header = &request.headers[&SIGNATURE.to_ascii_lowercase()];
    let old = signature([SECRET], 1_000_000_000, &bytes);
    let other = signature([b"another-secret-of-16".as_slice()], 1_000_000_000, &bytes);
    let v1 = header.split(',').nth(1).unwrap();
    let cases = [
        (header.clone(), bytes.clone(), true),
        (format!("{header},v1=00"), bytes.clone(), true),
        (header.clone(), bytes[..bytes.len() - 1].to_vec(), false),
        (old, bytes.clone(), false),
        (other, bytes.clone(), false),
        (format!("t=1,{v1}"), bytes.clone(), false),
        (format!("t={},v1=", u32::MAX), bytes.clone(), false),
    ];
    for (header, body, expected) in cases {
        let program = format!(
            "{verifier}\nbody = bytes.fromhex('{}')\nprint(verify(body, '{header}', b'{}'))",
            body.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
            String::from_utf8_lossy(SECRET)
        );
        let output = std::process::Command::new("python3")
            .arg("-c")
            .arg(&program)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let expected = if expected { "True" } else { "False" };
        assert_eq!(said, expected, "{header}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
