//! The page of a review in a real browser: it asks for nothing, runs nothing, and shows its parts.

use std::fs;
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ibyok_tests::Home;

/// Returns the page as the browser renders it, and the browser's messages.
fn shown(home: &Home, page: &str) -> (String, String) {
    let profile = home.path("chromium");
    let out = Command::new("timeout")
        .args([
            "120",
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ])
        .args([
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=3000",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{page}"))
        .output()
        .expect("chromium is needed: `apt-get install chromium`");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&out.stdout), text(&out.stderr))
}

/// Listens on a port, counts connections and drops each.
fn listening() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(stream);
        }
    });
    (port, asked)
}

#[test]
fn the_page_of_a_review_loads_alone_and_shows_its_parts() {
    let (home, _) = crate::review::used();
    // Somebody listens where a page that was broken into would send to.
    let (port, asked) = listening();
    let name = format!("\"><img src=http://127.0.0.1:{port}/><script src=http://127.0.0.1:{port}/></script>");
    let review = home.ibyok(["--json", "audit", "review"]).run().exits(10).json();
    let id = review["findings"][0]["id"].as_str().unwrap();
    home.ibyok(["audit", "review", "--ack", id, "--reason", &name])
        .run()
        .done();
    let page = home.path("review.html");
    let page = page.to_str().unwrap();
    let exit = home.ibyok(["audit", "review", "--html", page]).run().code();
    assert!(exit == 0 || exit == 10);

    let (dom, said) = shown(&home, page);
    for part in ["figures", "findings", "timeline", "heat", "tokens", "networks"] {
        assert!(dom.contains(&format!("id=\"{part}\"")), "{part} is not in\n{dom}");
    }
    assert!(
        dom.contains("environment mismatch") && dom.contains(&format!("127.0.0.1:{port}")),
        "{dom}"
    );
    assert!(!dom.contains("<img") && !dom.contains("<script"), "{dom}");
    // Errors of scripts, and what the page's policy forbade, are on the console.
    assert!(!said.contains("CONSOLE"), "{said}");
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the page asked for something");

    // The check itself: a page that does ask, and does run, is noticed.
    let bad = format!("<html><img src=http://127.0.0.1:{port}/x><script>throw new Error('seen')</script>");
    let bad = home.input("bad.html", bad);
    let (_, said) = shown(&home, bad.to_str().unwrap());
    assert!(said.contains("CONSOLE") && asked.load(Ordering::SeqCst) > 0, "{said}");
    fs::remove_dir_all(home.path("chromium")).unwrap();
}
