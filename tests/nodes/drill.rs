//! The story of docs/operations.md, played with the real programs: a vault in a file with a local KEK is used for two months, moves to PostgreSQL and
//! to a KMS under load, changes its KMS key, loses a machine and a database, and is restored. At the end every key is readable, nothing that
//! was revoked works, and the log verifies.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use ibyok_tests::{Run, Server, wait_until};

use crate::kms_stub::{ARN, KmsStub, REGION, StubKey};
use crate::machine::Machine;
use crate::shared::Shared;

const NEXT_KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab";

const PATIENCE: Duration = Duration::from_secs(30);

/// The days of use before the move, and the days of one step.
const DAYS: i64 = 60;
const STEP: i64 = 5;

/// The wall clock of a machine, which the story moves.
struct Clock {
    library: PathBuf,
    file: PathBuf,
}

impl Clock {
    fn of(machine: &Machine) -> Self {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("clock_shift.c");
        let library = machine.home.path("inputs/clock_shift.so");
        let compile = Run::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]);
        compile.arg(&library).arg(source).run().done();
        let file = machine.home.path("inputs/shift");
        Clock { library, file }
    }

    /// A command on this day, counted from today.
    fn on(&self, day: i64, command: Run) -> Run {
        std::fs::write(&self.file, (day * 24 * 60 * 60).to_string()).expect("a shift");
        let command = command.env("LD_PRELOAD", self.library.to_str().expect("a path"));
        command.env("CLOCK_SHIFT_FILE", self.file.to_str().expect("a path"))
    }
}

/// The keys of the story with their values, and the tokens.
struct Story {
    keys: Vec<(String, String)>,
    reader: String,
    revoked: Vec<String>,
}

impl Story {
    /// Two months in which keys are made, rotated and read, and tokens come and go.
    fn lived(machine: &Machine) -> Self {
        let clock = Clock::of(machine);
        clock.on(-DAYS, machine.ibyok(&["init"])).run().done();
        let issue = ["tokens", "issue", "reader", "--env", "prod", "--expires", "365d"];
        let reader = clock.on(-DAYS, machine.ibyok(&issue)).run().done().text();
        let mut story = Story {
            keys: Vec::new(),
            reader,
            revoked: Vec::new(),
        };
        for day in (-DAYS..0).step_by(usize::try_from(STEP).expect("a step")) {
            let at = |args: &[&str]| clock.on(day, machine.ibyok(args));
            let (name, value) = (format!("prod/key{}", day + DAYS), format!("value of day {day}"));
            at(&["keys", "set", &name]).input(value.as_str()).run().done();
            if let Some((last, value)) = story.keys.last_mut() {
                *value = format!("rotated on day {day}");
                at(&["rotate", "stage", last]).input(value.as_str()).run().done();
                at(&["rotate", "promote", last]).run().done();
                let read = at(&["get", "-n", last]).env("IBYOK_TOKEN", &story.reader).run().done();
                assert_eq!(read.stdout, value.as_bytes());
            }
            let token = format!("of-day{}", day + DAYS);
            let issued = at(&["tokens", "issue", &token, "--env", "prod", "--expires", "365d"]);
            story.revoked.push(issued.run().done().text());
            at(&["tokens", "revoke", &token, "--yes"]).run().done();
            story.keys.push((name, value));
        }
        story
    }

    /// Every key has its value, and no revoked token works.
    fn holds(&self, server: &Server) {
        for (reference, value) in &self.keys {
            let answer = server.retrieve(&self.reader, reference).is(200);
            assert_eq!(answer.json()["value"], value.as_str(), "{reference}");
        }
        let (first, _) = &self.keys[0];
        for token in &self.revoked {
            assert_eq!(server.retrieve(token, first).status, 401);
        }
    }

    fn add(&mut self, machine: &Machine, reference: &str, value: &str) {
        machine.ibyok(&["keys", "set", reference]).input(value).run().done();
        self.keys.push((reference.to_owned(), value.to_owned()));
    }
}

/// Reads one key again and again while something is done, and counts the answers: the value, or a refusal.
fn under_load<T>(server: &Server, story: &Story, done: impl FnOnce() -> T) -> (T, u32, u32) {
    let (over, served, refused) = (AtomicBool::new(false), AtomicU32::new(0), AtomicU32::new(0));
    let (reference, value) = &story.keys[0];
    let done = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let answer = server.retrieve(&story.reader, reference);
                match answer.status {
                    200 => {
                        assert_eq!(answer.json()["value"], value.as_str());
                        served.fetch_add(1, Ordering::AcqRel);
                    }
                    503 => drop(refused.fetch_add(1, Ordering::AcqRel)),
                    other => panic!("{other}: {}", answer.raw.escape_ascii()),
                }
            }
        });
        wait_until("the load has begun", PATIENCE, || served.load(Ordering::Acquire) > 5);
        let done = done();
        over.store(true, Ordering::Release);
        done
    });
    (done, served.into_inner(), refused.into_inner())
}

fn verified(machine: &Machine) {
    let report = machine.ibyok(&["--json", "audit", "verify"]).run();
    assert_eq!(report.code(), 0, "{}{}", report.text(), report.said());
}

#[test]
fn a_vault_keeps_every_key_and_revives_no_token_through_years_of_changes() {
    let (kms, shared) = (KmsStub::start(), Shared::postgres());
    kms.add(StubKey::symmetric(NEXT_KEY));
    let aws = [
        ("AWS_ENDPOINT_URL_KMS", kms.endpoint()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "SENTINEL-secret-access-key".to_owned()),
    ];
    let aws: Vec<(&str, &str)> = aws.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (mut first, mut second) = (Machine::new(&aws), Machine::new(&aws));
    let mut story = Story::lived(&first);
    verified(&first);

    // To PostgreSQL, under load. The old store refuses from the seal on, and never serves again.
    let server = first.serve(&[]);
    story.holds(&server);
    let copy = || {
        first
            .ibyok(&["copy", "--yes"])
            .env("IBYOK_COPY_TO", shared.url())
            .run()
            .done()
    };
    let (_, served, refused) = under_load(&server, &story, copy);
    println!("the move: {served} served, {refused} refused");
    server
        .retrieve(&story.reader, "prod/key0")
        .is_problem(503, "unavailable");
    drop(server);
    first.set("IBYOK_STORE", &shared.url());
    let server = first.serve(&[]);
    story.holds(&server);

    // To a KMS, under load: nothing is refused, and the local KEK is not needed any more.
    let old_kek = first.home.kek_file();
    let rotate = |to: &str| first.ibyok(&["kek", "rotate", "--to", to]).run().done();
    let (_, served, refused) = under_load(&server, &story, || rotate("aws-kms:alias/ibyok"));
    println!("the change of the KEK: {served} served, {refused} refused");
    assert_eq!(refused, 0);
    std::fs::remove_file(old_kek).expect("the old KEK");
    story.add(&first, "prod/after-kms", "in the KMS");
    story.holds(&server);

    // A second machine, with the history of the first.
    second.set("IBYOK_STORE", &shared.url());
    second
        .ibyok(&["attach", "--kek", &format!("aws-kms:{ARN}")])
        .run()
        .done();
    let floors = second.home.path("inputs/floors").display().to_string();
    first.ibyok(&["audit", "floors", "export", &floors]).run().done();
    second.ibyok(&["audit", "floors", "import", &floors]).run().done();
    let other = second.serve(&[]);
    story.holds(&other);
    drop(other);

    // The quarter's change of the KEK. The settings of the second machine follow.
    rotate(&format!("aws-kms:{NEXT_KEY}"));
    second.set("IBYOK_KEK", &format!("aws-kms:{NEXT_KEY}"));
    let other = second.serve(&[]);
    story.holds(&other);
    story.holds(&server);

    // The first machine is lost with its logs.
    drop(server);
    drop(first);
    story.add(&second, "prod/after-the-loss", "on the second");
    let backup = second.home.path("inputs/night.backup").display().to_string();
    second.ibyok(&["backup", &backup]).run().done();
    second.ibyok(&["backup", "--verify", &backup]).run().done();

    // After the backup, a token leaks and is revoked. Then the database is lost.
    let issue = ["tokens", "issue", "leaked", "--env", "prod"];
    let leaked = second.ibyok(&issue).run().done().text();
    other.retrieve(&leaked, "prod/key0").is(200);
    story.revoked.push(leaked);
    second.ibyok(&["tokens", "revoke", "leaked", "--yes"]).run().done();
    drop(other);
    let Shared::Postgres(database) = &shared else {
        unreachable!("the story uses PostgreSQL")
    };
    database.psql("DROP SCHEMA ibyok CASCADE");
    second.ibyok(&["get", "prod/key0"]).run().exits(4);
    second
        .ibyok(&["restore", &backup, "--yes", "--accept-rollback"])
        .run()
        .done();
    let server = second.serve(&[]);
    story.holds(&server);
    second
        .ibyok(&["keys", "set", "prod/key0"])
        .input("a new day")
        .run()
        .done();
    verified(&second);
}
