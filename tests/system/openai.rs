//! A real client gets its key: the `openai` package of the Python package index, started by `ibyok run`, talks to a
//! small server of this test that records the requests. Needs Python with `openai`, in `.venv` or where
//! IBYOK_TEST_VENV says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ibyok_tests::{Home, Oracle, Run, Sentinel, audit_lines};

use crate::home_with_vault;

const ANSWER: &str = r#"{"id":"1","object":"chat.completion","created":1,"model":"any","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"hello"}}]}"#;

/// A provider that knows one answer, and remembers who asked.
struct Provider {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Provider {
    fn start() -> Provider {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        // It lives as long as the tests do.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &noted);
            }
        });
        Provider { address, seen }
    }

    /// The Authorization headers since the last time.
    fn authorizations(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

fn answer(stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream);
    let (mut authorization, mut length) = ("none".to_owned(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim_end().split_once(": ") else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = value.to_owned(),
            "content-length" => length = value.parse().unwrap(),
            _ => {}
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    seen.lock().unwrap().push(authorization);
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
    let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{ANSWER}", ANSWER.len());
    reader.get_mut().write_all(answer.as_bytes()).unwrap();
}

fn python() -> PathBuf {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let venv = std::env::var_os("IBYOK_TEST_VENV").map_or_else(|| repository.join(".venv"), PathBuf::from);
    let python = venv.join("bin/python");
    assert!(python.exists(), "`{}` is missing: `./test` makes it", python.display());
    python
}

/// `ibyok run`, flags, and behind them the client.
fn client(home: &Home, provider: &Provider, flags: &[&str]) -> Run {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("openai_client.py");
    let run = home.ibyok(["run"].iter().chain(flags)).arg("--").arg(python());
    run.arg(program)
        .env("OPENAI_BASE_URL", format!("http://{}/v1", provider.address))
}

#[test]
fn the_openai_package_gets_its_key_whichever_way_it_is_started() {
    let home = home_with_vault();
    let provider = Provider::start();
    let secret = Sentinel::new("the provider's key");
    let bearer = format!("Bearer {}", secret.secret);
    let dotenv = home.input(
        ".env",
        format!("# for the model\nexport OPENAI_API_KEY=\"{}\"\n", secret.secret),
    );
    home.ibyok(["import", ".env", "--env", "dev", "--rewrite"]).run().done();
    let left = std::fs::read_to_string(&dotenv).unwrap();
    assert!(
        left.contains("ibyok://dev/OPENAI_API_KEY") && left.contains("# for the model"),
        "{left}"
    );
    home.input(".ibyok.toml", "env = \"dev\"\n");

    let token = home.token(&["app", "--env", "dev", "--key", "OPENAI_*"]);
    let server = home.serve();
    let url = format!("http://{}", server.address);
    let gets_it = |what: &str, run: Run| {
        let ended = run.run().done();
        assert_eq!(ended.text(), "hello\nleft over: []", "{what}");
        assert_eq!(provider.authorizations(), [bearer.as_str()], "{what}");
    };
    gets_it("all of an environment", client(&home, &provider, &["--env", "dev"]));
    gets_it(
        "a file of references",
        client(&home, &provider, &["--env-file", ".env"]),
    );
    gets_it(
        "one key",
        client(&home, &provider, &["--key", "OPENAI_API_KEY=dev/OPENAI_API_KEY"]),
    );
    gets_it("the project's file", client(&home, &provider, &[]));
    let reference = client(&home, &provider, &[]).env("OPENAI_API_KEY", "ibyok://dev/OPENAI_API_KEY");
    gets_it("a reference in a variable", reference);
    gets_it(
        "by token",
        client(&home, &provider, &["--env", "dev"]).env("IBYOK_TOKEN", &token),
    );
    let remote = client(&home, &provider, &["--env", "dev"]).env("IBYOK_TOKEN", &token);
    gets_it("from a server", remote.env("IBYOK_URL", &url).without("IBYOK_VAULT"));

    // Who may not have it starts nothing.
    let other = home.token(&["other", "--env", "prod"]);
    client(&home, &provider, &["--env", "dev"])
        .env("IBYOK_TOKEN", &other)
        .run()
        .exits(125);
    let missing = client(&home, &provider, &["--key", "OPENAI_API_KEY=dev/nothing"]);
    missing.run().exits(125);
    assert_eq!(provider.authorizations(), Vec::<String>::new());

    assert!(server.stop().success());
    let lines = audit_lines(&home.vault().join("audit"));
    let released =
        |line: &&ibyok_tests::AuditLine| line.text("action") == "key.retrieve" && line.text("outcome") == "allowed";
    assert_eq!(lines.iter().filter(released).count(), 7, "each start is on the log");
    let mut oracle = Oracle::new();
    oracle.secret(secret);
    oracle.check(&home);
    println!("the openai package: its key 7 ways, nothing started without it 2 ways");
}
