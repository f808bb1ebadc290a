//! A change of the KEK under running servers.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ibyok_tests::ServerOptions;

use crate::home_with_vault;

#[test]
fn servers_serve_every_request_while_the_kek_changes_and_need_the_old_one_no_more() {
    let home = home_with_vault();
    home.set("prod/key", "value");
    let token = home.token(&["reader", "--env", "prod"]);
    // Without a cache, every request asks the KEK.
    let options = ServerOptions {
        variables: vec![("IBYOK_KEY_CACHE_TTL".to_owned(), "0".to_owned())],
        ..ServerOptions::default()
    };
    let server = home.serve_with(options);
    let (over, served) = (AtomicBool::new(false), AtomicU32::new(0));
    let old = home.kek_file();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let answer = server.retrieve(&token, "prod/key");
                assert_eq!(answer.status, 200, "{}", answer.raw.escape_ascii());
                served.fetch_add(1, Ordering::AcqRel);
            }
        });
        wait_for(&served, 5);
        for _ in 0..3 {
            home.ibyok(["kek", "rotate", "--to", "local"]).run().done();
        }
        fs::remove_file(&old).unwrap();
        wait_for(&served, served.load(Ordering::Acquire) + 20);
        over.store(true, Ordering::Release);
        reader.join().unwrap();
    });
    assert_eq!(home.get("prod/key"), b"value");
}

/// Waits until so many requests were served.
fn wait_for(served: &AtomicU32, count: u32) {
    let begun = Instant::now();
    while served.load(Ordering::Acquire) < count {
        assert!(begun.elapsed() < Duration::from_secs(60), "the server does not answer");
        std::thread::sleep(Duration::from_millis(5));
    }
}
