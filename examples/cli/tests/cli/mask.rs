//! A program's output without the values that it was handed.

use std::time::{Duration, Instant};

use crate::harness::{Call, Place};

const SECRET: &str = "s3cret/value+of=many \"characters\"";

fn masked(place: &Place, script: &str) -> Call {
    place.ibyok(&["run", "--env", "dev", "--mask", "--", "sh", "-c", script])
}

#[test]
fn a_value_shows_in_no_form_on_either_stream() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    for script in [
        "echo \"$A_KEY\"",
        "echo \"$A_KEY\" >&2",
        "printf '%s' \"x$A_KEY\" | base64",
        "printf 'user:%s' \"$A_KEY\" | base64 -w0",
        "printf '%s' \"$A_KEY\" | od -An -tx1 | tr -d ' \\n'",
        "set -x; : \"$A_KEY\"",
        "env",
        "printf '%s' \"$A_KEY\" | cut -c1-9; printf '%s' \"$A_KEY\" | cut -c1-9 | tr -d '\\n'; printf '%s' \"$A_KEY\" | cut -c10-",
        "half=${A_KEY%of=*}; printf '%s' \"$half\"; sleep 0.3; printf '%s\\n' \"${A_KEY#\"$half\"}\"",
    ] {
        let done = masked(&place, script).ok();
        assert!(
            done.out.contains("***") || done.err.contains("***"),
            "{script}: {done:?}"
        );
        for text in [&done.out, &done.err] {
            assert!(!text.contains(SECRET) && !text.contains("many"), "{script}: {done:?}");
            assert!(
                !text.contains("bWFueS") && !text.contains("6d616e79"),
                "{script}: {done:?}"
            );
        }
    }
}

#[test]
fn what_is_no_value_is_as_the_program_wrote_it() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    let bytes: Vec<u8> = (0..2_000_000u32)
        .map(|n| u8::try_from(n.wrapping_mul(2_654_435_761) >> 24).unwrap())
        .collect();
    let file = place.write("bytes", &bytes);
    assert_eq!(masked(&place, &format!("cat '{file}'")).ok().bytes, bytes);
    let done = place
        .ibyok(&["run", "--env", "dev", "--mask", "--", "cat"])
        .stdin(bytes.clone())
        .ok();
    assert_eq!(done.bytes, bytes);
}

#[test]
fn the_exit_code_is_the_programs_own_and_signals_reach_it() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    for code in [0, 1, 77, 125] {
        assert_eq!(masked(&place, &format!("exit {code}")).call().code, code);
    }
    assert_eq!(masked(&place, "kill -9 $$").call().code, 128 + 9);
    for (program, code) in [("no-such-program", 127), ("/", 126)] {
        place
            .ibyok(&["run", "--env", "dev", "--mask", "--", program])
            .fails(code);
    }
    for (signal, number) in [("TERM", 15), ("INT", 2), ("USR1", 10), ("HUP", 1)] {
        let script = format!("trap 'echo caught; exit {number}' {signal}; echo ready; while :; do sleep 0.05; done");
        let mut child = masked(&place, &script).spawn();
        let mut reader = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut reader, &mut line).unwrap();
        assert_eq!(line, "ready\n");
        let id = child.id().to_string();
        std::process::Command::new("kill")
            .args([&format!("-{signal}"), &id])
            .status()
            .unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(number), "{signal}");
    }
}

#[test]
fn it_is_on_in_a_ci_job_unless_it_is_turned_off() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    let run = |flags: &[&str], ci: Option<&str>| {
        let arguments = [&["run", "--env", "dev"], flags, &["--", "sh", "-c", "echo \"$A_KEY\""]].concat();
        let call = place.ibyok(&arguments);
        let call = match ci {
            Some(ci) => call.env("CI", ci),
            None => call,
        };
        call.ok().out
    };
    let (shown, hidden) = (format!("{SECRET}\n"), "***\n");
    assert_eq!(run(&[], None), shown);
    assert_eq!(run(&[], Some("true")), hidden);
    assert_eq!(run(&[], Some("1")), hidden);
    assert_eq!(run(&[], Some("false")), shown);
    assert_eq!(run(&[], Some("")), shown);
    assert_eq!(run(&["--no-mask"], Some("true")), shown);
    assert_eq!(run(&["--mask"], None), hidden);
    place
        .ibyok(&["run", "--env", "dev", "--mask", "--no-mask", "--", "true"])
        .fails(2);
}

#[test]
fn output_is_seen_as_it_comes_and_nothing_that_is_left_running_is_waited_for() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    let mut child = masked(&place, "printf 'Password: s'; sleep 20").spawn();
    let begun = Instant::now();
    let mut prompt = [0; 11];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut prompt).unwrap();
    assert_eq!(&prompt, b"Password: s");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    std::process::Command::new("kill")
        .arg(child.id().to_string())
        .status()
        .unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    assert_eq!(masked(&place, "sleep 30 & echo done").ok().out, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn a_value_that_is_too_short_to_be_masked_is_named() {
    let place = Place::with_key("dev/A_KEY", "abc");
    let done = masked(&place, "echo abc").ok();
    assert!(done.out == "abc\n" && done.err.contains("A_KEY"), "{done:?}");
}

#[test]
fn an_environment_that_is_too_large_is_125_and_its_largest_variables_are_named() {
    let place = Place::with_key("dev/A_KEY", SECRET);
    let file = place.write(
        "x.env",
        format!("HUGE={}\nSMALL=1\nLARGE={}\n", "x".repeat(200_000), "y".repeat(90_000)),
    );
    for flags in [&["--no-mask"][..], &["--mask"]] {
        let arguments = [&["run", "--env", "dev", "--env-file", &file], flags, &["--", "true"]].concat();
        let done = place.ibyok(&arguments).fails(125);
        let (huge, large) = (
            done.err.find("HUGE (200000 bytes)"),
            done.err.find("LARGE (90000 bytes)"),
        );
        assert!(huge.is_some() && huge < large, "{done:?}");
        assert!(!done.err.contains("xxxx") && !done.err.contains("SMALL"), "{done:?}");
    }
}
