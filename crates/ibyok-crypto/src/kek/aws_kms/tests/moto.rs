//! The suite over `moto_server`, another's idea of KMS: right about contexts and damage, wrong about a key's state.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use super::conformance::{TwoKeys, run_on_workers};
use super::*;
use crate::conformance::{Broken, promises};

/// A running `moto_server`; it ends when this is dropped.
struct Moto {
    process: Child,
    endpoint: String,
}

impl Moto {
    fn start() -> Self {
        let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("IBYOK_TEST_VENV").map_or_else(|| here.join("../../.venv"), PathBuf::from);
        let program = venv.join("bin/moto_server");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(&program);
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let started = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let process = started.unwrap_or_else(|error| panic!("{}: {error}: install `moto[server]`", program.display()));
        let moto = Self {
            process,
            endpoint: format!("http://127.0.0.1:{port}"),
        };
        let patience = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < patience, "moto_server does not listen");
            thread::sleep(Duration::from_millis(50));
        }
        moto
    }

    fn options(&self) -> AwsKmsOptions {
        options(&self.endpoint).deadline(Duration::from_secs(20))
    }

    /// Makes a key and gives its ARN.
    async fn make_key(&self, alias: &str) -> String {
        let client = self.options().connect(None).await.unwrap().client;
        let made = client.create_key().send().await.unwrap().key_metadata.unwrap();
        let alias = client.create_alias().alias_name(alias).target_key_id(made.key_id());
        alias.send().await.unwrap();
        made.arn.unwrap()
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn moto_keeps_every_promise_and_refuses_another_context() {
    let moto = Moto::start();
    run_on_workers(async {
        let keys = [moto.make_key("alias/one").await, moto.make_key("alias/two").await];
        let harness = TwoKeys {
            options: moto.options(),
            keys: keys.clone(),
        };
        let broken = promises(&harness).await;
        assert!(
            broken.is_empty(),
            "{:?}",
            broken.iter().map(Broken::to_string).collect::<Vec<_>>()
        );

        let kek = AwsKms::connect("alias/one", moto.options()).await.unwrap();
        assert_eq!(kek.describe().to_string(), format!("aws-kms:{}", keys[0]));
        let (_, wrapped) = wrapped(&kek).await;
        opens(&kek, &wrapped).await;
        let in_dev = kek.unwrap(&wrapped, &context("dev")).await.unwrap_err();
        assert!(matches!(in_dev, Error::Open), "{in_dev:?}");
        let missing = AwsKms::connect("alias/three", moto.options()).await.unwrap_err();
        assert!(matches!(missing, Error::KekRefused { .. }), "{missing:?}");
    });
}
