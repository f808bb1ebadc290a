//! The same promises of the real servers, over HTTP.

use std::time::{Duration, Instant};

use ibyok_tests::{Finished, Request, Server, wait_until};

use crate::kms_stub::{Fault, KmsStub, REGION};
use crate::machine::Machine;
use crate::proxy::{self, Proxy};
use crate::shared::Shared;

crate::on!(postgres redis, a_server_cut_off_in_silence_answers_503_and_names_its_lease a_store_that_is_away_or_refuses_is_said_at_the_start a_second_machine_attaches_with_a_copy_of_the_kek);

/// From the last look at the store to the last release.
const PROMISED: Duration = Duration::from_secs(1);

/// The longest time until a server serves again after its store or KMS does.
const BACK: Duration = Duration::from_secs(2);

fn refused(server: &Server, token: &str) {
    let answer = server.retrieve(token, "prod/key").is_problem(503, "unavailable");
    assert!(answer.headers.contains_key("retry-after"), "{:?}", answer.headers);
}

async fn a_server_cut_off_in_silence_answers_503_and_names_its_lease(shared: Shared) {
    let there = Machine::new(&[("IBYOK_STORE", &shared.url())]);
    there.ibyok(&["init"]).run().done();
    let [kept, revoked] = there.fill(["kept", "revoked"]);
    let proxy = Proxy::start(shared.port());
    let (whole, cut_off) = (
        there.serve(&[]),
        there.serve(&[("IBYOK_STORE", &shared.url_at(proxy.port()))]),
    );
    for server in [&whole, &cut_off] {
        assert_eq!(
            server.retrieve(&revoked, "prod/key").is(200).json()["value"],
            "the value"
        );
    }

    proxy.set(proxy::Fault::Hang(0));
    there.ibyok(&["tokens", "revoke", "revoked", "--yes"]).run().done();
    let begun = Instant::now();
    let mut last = Duration::ZERO;
    while begun.elapsed() < PROMISED {
        if cut_off.retrieve(&revoked, "prod/key").status == 200 {
            last = begun.elapsed();
        }
    }
    assert!(last < PROMISED, "{last:?}");
    refused(&cut_off, &revoked);
    refused(&cut_off, &kept);
    let ready = cut_off.send(&Request::get("/readyz")).is(503).json();
    assert_eq!(
        (&ready["lease"], &ready["audit"]),
        (&"unavailable".into(), &"ok".into()),
        "{ready}"
    );
    cut_off.send(&Request::get("/healthz")).is(200);
    assert_eq!(whole.retrieve(&revoked, "prod/key").status, 401);
    whole.retrieve(&kept, "prod/key").is(200);

    proxy.set(proxy::Fault::Pass);
    wait_until("the server is ready again", BACK, || cut_off.is_ready());
    cut_off.retrieve(&kept, "prod/key").is(200);
    assert_eq!(cut_off.retrieve(&revoked, "prod/key").status, 401);
}

async fn a_second_machine_attaches_with_a_copy_of_the_kek(shared: Shared) {
    let url = shared.url();
    let first = Machine::new(&[("IBYOK_STORE", &url)]);
    first.ibyok(&["init"]).run().done();
    let [token] = first.fill(["reader"]);
    let second = Machine::new(&[("IBYOK_STORE", &url)]);
    let passphrase = first.home.input("passphrase", "correct horse battery staple");
    let passphrase = passphrase.display().to_string();
    let copy = first.home.path("inputs/copy").display().to_string();
    first
        .ibyok(&["kek", "export", &copy, "--passphrase-file", &passphrase])
        .run()
        .done();

    // Without the KEK nothing is written.
    second.ibyok(&["--json", "attach"]).run().fails(5, "unavailable");
    assert!(!second.home.vault().exists());
    let import = ["kek", "import", &copy, "--passphrase-file", &passphrase];
    second.ibyok(&import).run().done();
    let attached = second.ibyok(&["attach", "--json"]).run().done().text();
    assert!(
        attached.contains("\"prod\"") && second.home.vault().join("vault.toml").exists(),
        "{attached}"
    );
    second.ibyok(&["--json", "attach"]).run().fails(1, "exists");
    assert_eq!(
        second.ibyok(&["get", "-n", "prod/key"]).run().done().stdout,
        b"the value"
    );
    let server = second.serve(&[]);
    server.retrieve(&token, "prod/key").is(200);
}

#[test]
fn a_vault_moves_to_a_kms_and_back_with_one_call_each_way_for_each_environment() {
    let kms = KmsStub::start();
    let there = Machine::new(&[
        ("AWS_ENDPOINT_URL_KMS", &kms.endpoint()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "SENTINEL-secret-access-key"),
    ]);
    there.ibyok(&["init"]).run().done();
    let [token] = there.fill(["reader"]);
    let old = there.home.kek_file();

    // Nothing changes under a KMS that refuses.
    let toml = || std::fs::read_to_string(there.home.vault().join("vault.toml")).expect("a file");
    let before = toml();
    let rotate = ["--json", "kek", "rotate", "--to", "aws-kms:alias/ibyok"];
    kms.fails("Encrypt", Fault::ACCESS_DENIED);
    there.ibyok(&rotate).run().fails(5, "unavailable");
    assert_eq!(toml(), before);
    kms.heals();

    let asked = |name: &str| kms.count(name);
    let (encrypted, decrypted) = (asked("Encrypt"), asked("Decrypt"));
    let changed = there.ibyok(&rotate).run().done().text();
    assert!(changed.contains("\"rewrapped\": 4"), "{changed}");
    std::fs::remove_file(old).expect("the old KEK");
    // Four environment keys, and one key to try the KEK out. Closing the vault may open realms once more.
    assert_eq!(asked("Encrypt") - encrypted, 5);
    assert!(
        (5..=9).contains(&(asked("Decrypt") - decrypted)),
        "{}",
        asked("Decrypt") - decrypted
    );
    assert!(
        toml().contains("arn:aws:kms") && !toml().contains("also_kek"),
        "{}",
        toml()
    );
    assert_eq!(
        there.ibyok(&["get", "-n", "prod/key"]).run().done().stdout,
        b"the value"
    );
    let server = there.serve(&[]);
    server.retrieve(&token, "prod/key").is(200);

    there.ibyok(&["kek", "rotate", "--to", "local"]).run().done();
    drop(kms);
    assert_eq!(
        there.ibyok(&["get", "-n", "prod/key"]).run().done().stdout,
        b"the value"
    );
    server.retrieve(&token, "prod/key").is(200);
}

async fn a_store_that_is_away_or_refuses_is_said_at_the_start(mut shared: Shared) {
    let url = shared.url();
    let there = Machine::new(&[("IBYOK_STORE", &url)]);
    there.ibyok(&["init"]).run().done();
    let says_no_password = |finished: Finished| {
        let said = finished.text() + &finished.said();
        assert!(!said.contains("SENTINEL"), "{said}");
    };
    let other = url.replace("SENTINEL", "WRONG");
    let wrong = there.ibyok(&["--json", "status"]).env("IBYOK_STORE", &other).run();
    says_no_password(wrong.fails(2, "invalid"));

    shared.kill();
    says_no_password(there.ibyok(&["--json", "status"]).run().fails(5, "unavailable"));
    let serving = there.ibyok(&["serve", "--listen", "127.0.0.1:0"]).run();
    says_no_password(serving.exits(5));

    shared.restart();
    there.ibyok(&["--json", "status"]).run().done();
}

#[test]
fn a_server_under_aws_kms_serves_for_its_period_without_it_and_returns_with_it() {
    let (mut kms, shared) = (KmsStub::start(), Shared::postgres());
    let there = Machine::new(&[
        ("IBYOK_STORE", &shared.url()),
        ("IBYOK_KEK", "aws-kms:alias/ibyok"),
        ("AWS_ENDPOINT_URL_KMS", &kms.endpoint()),
        ("AWS_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "SENTINEL-secret-access-key"),
    ]);
    there.ibyok(&["init"]).run().done();
    let [token] = there.fill(["reader"]);
    let server = there.serve(&[("IBYOK_KEY_CACHE_TTL", "2s")]);
    server.retrieve(&token, "prod/key").is(200);

    kms.stop();
    server.retrieve(&token, "prod/key").is(200);
    std::thread::sleep(Duration::from_secs(2));
    refused(&server, &token);
    let ready = server.send(&Request::get("/readyz")).is(503).json();
    assert_eq!(
        (&ready["kek"], &ready["store"]),
        (&"unavailable".into(), &"ok".into()),
        "{ready}"
    );

    kms.resume();
    wait_until("the server is ready again", BACK, || server.is_ready());
    server.retrieve(&token, "prod/key").is(200);

    // What the KMS refuses is refused: with what is wrong in the server's log, and nothing of it in the answer.
    kms.fails("Decrypt", Fault::ACCESS_DENIED);
    std::thread::sleep(Duration::from_secs(2));
    let answer = server.retrieve(&token, "prod/key").is_problem(503, "unavailable");
    let said = String::from_utf8_lossy(&answer.body).into_owned();
    let printed = server.printed();
    assert!(
        !said.contains("user/dev") && !printed.contains("SENTINEL"),
        "{said} {printed}"
    );
    kms.heals();
    wait_until("the server is ready again", BACK, || server.is_ready());
}
