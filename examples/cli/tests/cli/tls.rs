//! A server with TLS, asked by curl and by this program's own client: certificates are replaced while it runs, and nothing is served in the
//! clear.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::harness::Place;
use crate::remote::Server;

/// Runs a program that must succeed.
fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// An authority of its own, and the files of a server.
struct Authority<'p>(&'p Place);

impl Authority<'_> {
    fn new(place: &Place) -> Authority<'_> {
        let authority = Authority(place);
        let mut request = authority.openssl(&[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ]);
        request.args(["-days", "30", "-subj", "/CN=authority of the test"]);
        run(request.args(["-keyout", "ca.key", "-out", "ca.pem"]));
        authority.issue("first");
        authority.install();
        authority
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.0.path("."));
        command
    }

    /// Makes a certificate for `localhost` of this organisation, in `new.pem` and `new.key`.
    fn issue(&self, organisation: &str) {
        let mut request = self.openssl(&["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]);
        request.args(["-subj", &format!("/O={organisation}/CN=localhost")]);
        run(request.args(["-keyout", "new.key", "-out", "new.csr"]));
        self.0.write("extensions", "subjectAltName=DNS:localhost,IP:127.0.0.1");
        let mut sign = self.openssl(&[
            "x509",
            "-req",
            "-in",
            "new.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
        ]);
        run(sign.args(["-days", "30", "-extfile", "extensions", "-out", "new.pem"]));
    }

    /// Puts the new files in the place of those that the server reads.
    fn install(&self) {
        fs::rename(self.0.path("new.pem"), self.0.path("server.pem")).unwrap();
        fs::rename(self.0.path("new.key"), self.0.path("server.key")).unwrap();
        fs::set_permissions(self.0.path("server.key"), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn serve(&self) -> Server {
        let [certificate, key] = ["server.pem", "server.key"].map(|name| self.0.path(name).display().to_string());
        Server::start_with(self.0, &[("IBYOK_TLS_CERT", &certificate), ("IBYOK_TLS_KEY", &key)])
    }

    fn curl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("curl");
        command
            .args(["-s", "--max-time", "10", "--cacert"])
            .arg(self.0.path("ca.pem"));
        command.args(arguments).output().unwrap()
    }

    /// The organisation in the certificate that a new connection gets.
    fn shown(&self, server: &Server) -> String {
        let address = server.url.rsplit('/').next().unwrap();
        let script =
            format!("openssl s_client -connect {address} </dev/null 2>/dev/null | openssl x509 -noout -subject");
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn shows(&self, server: &Server, organisation: &str) {
        let begun = Instant::now();
        while !self.shown(server).contains(organisation) {
            assert!(begun.elapsed() < Duration::from_secs(10), "{}", self.shown(server));
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

#[test]
fn a_server_with_tls_serves_curl_and_its_own_client_and_nobody_in_the_clear() {
    let place = Place::with_key("prod/openai", "sk-1");
    let token = place.token(&["reader", "--env", "prod"]);
    let authority = Authority::new(&place);
    let server = authority.serve();
    let (https, address) = (&server.url, server.url.strip_prefix("https://").unwrap());
    let bearer = format!("authorization: Bearer {token}");
    let value = format!("{https}/api/v1/keys/prod/openai/value");
    let got = authority.curl(&["-H", &bearer, &value]);
    assert!(String::from_utf8(got.stdout).unwrap().contains("sk-1"));
    let ready = authority.curl(&[
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{ssl_verify_result}",
        &format!("{https}/readyz"),
    ]);
    assert_eq!(ready.stdout, b"200 0");
    // The command line trusts the authorities of the system, or of this variable.
    let ca = place.path("ca.pem");
    let client = |ca: Option<&std::path::Path>| {
        let call = place
            .ibyok(&["get", "-n", "prod/openai"])
            .env("IBYOK_URL", https)
            .env("IBYOK_TOKEN", &token);
        ca.into_iter().fold(call, |call, ca| call.env("SSL_CERT_FILE", ca))
    };
    assert_eq!(client(Some(&ca)).ok().out, "sk-1");
    client(None).fails(5);

    for refused in [
        &[
            "-H",
            &bearer,
            &format!("http://{address}/api/v1/keys/prod/openai/value"),
        ][..],
        &["--tls-max", "1.1", &value],
        &["--cacert", "/etc/ssl/certs/ca-certificates.crt", &value],
    ] {
        let answer = authority.curl(refused);
        assert!(
            !answer.status.success() && answer.stdout.is_empty(),
            "{refused:?}: {answer:?}"
        );
    }
    // Still there after all of them.
    assert!(authority.curl(&[&format!("{https}/readyz")]).status.success());
}

#[test]
fn sighup_replaces_the_certificate_without_dropping_a_connection_and_keeps_the_old_one_if_the_new_is_wrong() {
    let place = Place::with_key("prod/openai", "sk-1");
    let authority = Authority::new(&place);
    let server = authority.serve();
    authority.shows(&server, "first");
    let hangup = || run(Command::new("kill").args(["-HUP", &server.pid().to_string()]));

    // One connection, with a pause in which the certificate changes.
    let ready = format!("{}/readyz", server.url);
    let mut slow = Command::new("curl");
    slow.args(["-s", "--cacert"]).arg(place.path("ca.pem")).args([
        "--rate",
        "30/m",
        "-w",
        "%{num_connects} ",
        "-o",
        "/dev/null",
    ]);
    let slow = slow
        .args([&ready, "-o", "/dev/null", &ready])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(500));
    authority.issue("second");
    authority.install();
    hangup();
    authority.shows(&server, "second");
    let slow = slow.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8(slow.stdout).unwrap(),
        "1 0 ",
        "the second request came on the first connection"
    );

    let whole = fs::read(place.path("server.pem")).unwrap();
    let another = {
        authority.issue("third");
        fs::read(place.path("new.pem")).unwrap()
    };
    // Half written, empty, and without its key.
    for wrong in [whole.get(..whole.len() / 2).unwrap(), b"", &another] {
        fs::write(place.path("server.pem"), wrong).unwrap();
        hangup();
        std::thread::sleep(Duration::from_millis(300));
        authority.shows(&server, "second");
    }
    authority.install();
    hangup();
    authority.shows(&server, "third");
}

#[test]
fn tls_files_that_cannot_be_used_keep_the_server_from_starting() {
    let place = Place::with_key("prod/openai", "sk-1");
    let authority = Authority::new(&place);
    let [certificate, key] = ["server.pem", "server.key"].map(|name| place.path(name).display().to_string());
    let serve = |certificate: &str, key: &str| {
        place
            .ibyok(&[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--tls-cert",
                certificate,
                "--tls-key",
                key,
            ])
            .fails(2)
    };
    place
        .ibyok(&["serve", "--listen", "127.0.0.1:0", "--tls-cert", &certificate])
        .fails(2);
    let empty = place.write("empty", "");
    fs::set_permissions(&empty, fs::Permissions::from_mode(0o600)).unwrap();
    serve("/nonexistent", &key);
    serve(&certificate, "/nonexistent");
    serve(&empty, &key);
    serve(&certificate, &empty);
    // The key in place of the certificate, and the other way round: neither is repeated.
    let swapped = serve(&key, &certificate);
    let text = fs::read_to_string(&key).unwrap();
    let secret = text.lines().nth(1).unwrap();
    assert!(!swapped.err.contains(secret), "{}", swapped.err);
    authority.issue("other");
    let other = place.path("new.pem").display().to_string();
    assert!(serve(&other, &key).err.contains("new.pem"));
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(serve(&certificate, &key).err.contains("chmod 600"));
}
