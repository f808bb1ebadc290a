//! An attacker with write access to store and audit directory, and no key, sets floors back or takes them away: in
//! the file of a server that runs, and in a large file of which a short command reads little. A right that was taken
//! away stays away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ibyok_storage::RecordId;
use ibyok_tests::{Home, Request, Server, audit_lines};
use sqlx::{Connection as _, SqliteConnection};

use crate::home_with_vault;

/// Runs SQL on an SQLite file, with an older one attached as `older`. Returns how many rows were changed.
fn edit(path: &Path, older: Option<&Path>, sql: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut connection = SqliteConnection::connect(path.to_str().unwrap()).await.unwrap();
        if let Some(older) = older {
            let attach = sqlx::query("ATTACH ?1 AS older").bind(older.to_str().unwrap());
            attach.execute(&mut connection).await.unwrap();
        }
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let done = sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        done.rows_affected()
    })
}

/// A copy of the file of floors as it is now, also while others have it open.
fn copy_of(floors: &Path, to: PathBuf) -> PathBuf {
    edit(floors, None, &format!("VACUUM INTO '{}'", to.display()));
    to
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

/// A harm that is done to the file of floors.
#[derive(Clone, Copy, Debug)]
enum Harm {
    /// SQL on the file in its place, with the file from before the change as `older`.
    Edited(&'static str),
    /// The older file in the place of the newer, by another name or in the very file.
    Renamed,
    Overwritten,
    Deleted,
}

const NODES: &str = "INSERT OR REPLACE INTO nodes SELECT * FROM older.nodes";
const WHOLE: &str =
    "INSERT OR REPLACE INTO nodes SELECT * FROM older.nodes; INSERT OR REPLACE INTO whole SELECT * FROM older.whole";

const HARMS: &[Harm] = &[
    Harm::Edited(NODES),
    Harm::Edited(WHOLE),
    Harm::Edited("INSERT OR REPLACE INTO whole SELECT * FROM older.whole"),
    Harm::Edited("DELETE FROM nodes WHERE id = 1"),
    Harm::Edited("UPDATE nodes SET (body, mac) = (SELECT body, mac FROM nodes WHERE id = 2) WHERE id = 1"),
    Harm::Edited("DELETE FROM nodes; DELETE FROM whole"),
    Harm::Edited("DROP TABLE nodes"),
    Harm::Renamed,
    Harm::Deleted,
    Harm::Overwritten,
];

impl Harm {
    fn do_to(self, floors: &Path, older: &Path) {
        match self {
            Harm::Edited(sql) => drop(edit(floors, Some(older), sql)),
            Harm::Renamed => {
                let new = beside(floors, ".put-back");
                fs::copy(older, &new).unwrap();
                fs::remove_file(beside(floors, "-wal")).unwrap();
                fs::remove_file(beside(floors, "-shm")).unwrap();
                fs::rename(new, floors).unwrap();
            }
            Harm::Overwritten => {
                fs::write(floors, fs::read(older).unwrap()).unwrap();
                fs::write(beside(floors, "-wal"), b"").unwrap();
            }
            Harm::Deleted => {
                for ending in ["", "-wal", "-shm"] {
                    fs::remove_file(beside(floors, ending)).unwrap();
                }
            }
        }
    }
}

/// A server on a vault with a key and two tokens, one of which it revoked a moment ago.
struct Revoked {
    home: Home,
    server: Server,
    floors: PathBuf,
    /// The file of floors from before the revocation.
    older: PathBuf,
    revoked: String,
    record: RecordId,
    bytes: Vec<u8>,
    other: String,
}

impl Revoked {
    fn new() -> Self {
        let home = home_with_vault();
        home.set("prod/openai", "the value");
        let other = home.token(&["other", "--env", "prod"]);
        let revoked = home.token(&["leaked", "--env", "prod"]);
        let record = home.behind().newest();
        let bytes = home.behind().bytes(record);
        let floors = home.vault().join("audit/floors");
        let server = home.serve();
        server.retrieve(&revoked, "prod/openai").is(200);
        // A log that began after the server did: the server must know it when it rebuilds.
        home.set("prod/second", "x");
        let older = copy_of(&floors, home.path("inputs/older"));
        server
            .send(&Request::new("DELETE", "/api/v1/tokens/self").bearer(&revoked))
            .is(200);
        server.retrieve(&revoked, "prod/openai").is(401);
        Revoked {
            home,
            server,
            floors,
            older,
            revoked,
            record,
            bytes,
            other,
        }
    }

    /// Puts the token's record back as it was before. The server learns of it by the change feed and reads it.
    fn put_record_back(&self) {
        self.home.behind().put(self.record, &self.bytes);
    }

    /// Tries the token for a while. No answer is a value.
    #[track_caller]
    fn stays_refused(&self, harm: Harm) {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1500) {
            let status = self.server.retrieve(&self.revoked, "prod/openai").status;
            assert!(matches!(status, 401 | 500 | 503), "{harm:?}: {status}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The floors were rebuilt: others are served, and it is said once everywhere.
    #[track_caller]
    fn is_rebuilt(&self, harm: Harm) {
        let answer = self.server.retrieve(&self.other, "prod/openai");
        assert_eq!(answer.status, 200, "{harm:?}: {}", self.server.printed());
        let (status, ready) = self.ready();
        assert_eq!((status, &ready["floors"]), (200, &"ok".into()), "{harm:?}: {ready}");
        assert_eq!(ready["floors_findings"], 1, "{harm:?}: {ready}");
        let printed = self.server.printed();
        let said = printed.lines().filter(|line| line.contains("the file of floors was"));
        assert_eq!(said.count(), 1, "{harm:?}: {printed}");
        let lines = audit_lines(&self.home.vault().join("audit"));
        let rebuilt = lines.iter().filter(|line| line.text("action") == "log.floors_rebuilt");
        assert_eq!(rebuilt.count(), 1, "{harm:?}");
        let verified = self.home.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
        assert_eq!(
            verified["floors"]["findings"].as_array().unwrap().len(),
            1,
            "{harm:?}: {verified}"
        );
        let status = self.home.ibyok(["--json", "status"]).run().json();
        assert!(status["warnings"].to_string().contains("floors"), "{harm:?}: {status}");
    }

    fn ready(&self) -> (u16, serde_json::Value) {
        let answer = self.server.send(&Request::get("/readyz"));
        (answer.status, answer.json())
    }
}

#[test]
fn floors_that_are_set_back_or_deleted_under_a_running_server_bring_back_no_revoked_token() {
    for harm in HARMS.iter().copied() {
        let scene = Revoked::new();
        harm.do_to(&scene.floors, &scene.older);
        scene.put_record_back();
        scene.stays_refused(harm);
        // SQLite does not read bytes again that were overwritten past it: the server goes on with the newer ones in its memory.
        if !matches!(harm, Harm::Overwritten) {
            scene.is_rebuilt(harm);
        }
        drop(scene.server);
        // And at the next start.
        let run = scene
            .home
            .ibyok(["get", "prod/openai"])
            .env("IBYOK_TOKEN", &scene.revoked)
            .run();
        assert!(matches!(run.code(), 3 | 5), "{harm:?}: {}", run.said());
    }
}

/// Floors cannot be made again from a log that is not as it was written: nothing is served that would have to be looked up.
#[test]
fn floors_that_are_lost_together_with_a_log_that_was_damaged_keep_a_running_server_from_serving() {
    for harm in [Harm::Deleted, Harm::Edited("DELETE FROM nodes WHERE id = 1")] {
        let scene = Revoked::new();
        let segment = ibyok_tests::segments(&scene.home.slot(0)).remove(0);
        let log = fs::read(&segment).unwrap();
        let at = log.windows(9).position(|bytes| bytes == b"\"key.set\"").unwrap();
        let mut damaged = log.clone();
        damaged[at + 5] ^= 1;
        fs::write(&segment, damaged).unwrap();
        harm.do_to(&scene.floors, &scene.older);
        scene.put_record_back();
        scene.stays_refused(harm);
        let (status, ready) = scene.ready();
        assert_eq!(
            (status, &ready["floors"]),
            (503, &"unavailable".into()),
            "{harm:?}: {ready}"
        );
        let get = |token: &str| {
            let get = scene.home.ibyok(["get", "prod/openai"]).env("IBYOK_TOKEN", token).run();
            (get.code(), get.stdout)
        };
        assert_eq!(get(&scene.other), (5, Vec::new()), "{harm:?}");
        // An operator who says yes goes on with what the rest of the log tells.
        drop(scene.server);
        scene.home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
        assert!(
            matches!(get(&scene.revoked), (3 | 5, value) if value.is_empty()),
            "{harm:?}"
        );
        assert_eq!(get(&scene.other), (0, b"the value\n".to_vec()), "{harm:?}");
    }
}

#[test]
fn an_older_file_that_another_process_went_on_with_lowers_no_floor_of_a_running_server() {
    let scene = Revoked::new();
    // To a generation beyond the one that the server has seen, by commands that have a log of their own; the log of the server, that
    // speaks of a newer file, is hidden from them.
    let copy = scene.home.copy();
    let slot = copy.slot(0);
    let copied = copy.vault().join("audit/floors");
    for ending in ["-wal", "-shm"] {
        fs::remove_file(beside(&copied, ending)).ok();
    }
    fs::copy(&scene.older, &copied).unwrap();
    fs::remove_dir_all(slot).unwrap();
    for n in 0..12 {
        copy.ibyok(["keys", "set", &format!("prod/other-{n}")])
            .input("value")
            .run();
    }
    let forked = copy_of(&copied, scene.home.path("inputs/forked"));
    Harm::Edited(WHOLE).do_to(&scene.floors, &forked);
    scene.put_record_back();
    scene.stays_refused(Harm::Edited(WHOLE));
}

#[test]
fn an_accepted_rollback_holds_in_a_server_that_runs() {
    let scene = Revoked::new();
    scene.put_record_back();
    let rebuild = ["--yes", "audit", "floors", "rebuild", "--accept-rollback"];
    scene.home.ibyok(rebuild).run().done();
    ibyok_tests::wait_until("the older record is served", Duration::from_secs(5), || {
        scene.server.retrieve(&scene.revoked, "prod/openai").status == 200
    });
}

/// A vault with 6,000 keys, so that the floors have nodes on three levels.
fn home_with_many() -> Home {
    let home = home_with_vault();
    let many: String = (0..6000).map(|n| format!("SERVICE_{n}_API_KEY=value-{n}\n")).collect();
    let file = home.input("many.env", many);
    home.ibyok(["import", "--env", "dev", file.to_str().unwrap()])
        .run()
        .done();
    home
}

#[test]
fn one_part_of_six_thousand_floors_that_is_set_back_is_believed_by_no_short_command() {
    let home = home_with_many();
    home.set("prod/openai", "the value");
    let token = home.token(&["leaked", "--env", "prod"]);
    let record = home.behind().newest();
    let bytes = home.behind().bytes(record);
    let floors = home.vault().join("audit/floors");
    let older = copy_of(&floors, home.path("inputs/older"));
    home.ibyok(["--yes", "tokens", "revoke", "leaked"]).run().done();
    home.behind().put(record, &bytes);
    let get = |home: &Home| home.ibyok(["get", "prod/openai"]).env("IBYOK_TOKEN", &token).run();
    assert_eq!(get(&home).code(), 5, "older than its floor");
    let differing = "SELECT o.* FROM older.nodes o JOIN nodes n USING (id) WHERE o.body <> n.body";
    let levels = ["00", "01", "02"]
        .map(|level| format!("INSERT OR REPLACE INTO nodes {differing} AND substr(o.body, 1, 2) = x'01{level}'"));
    let mut harms: Vec<String> = levels.into();
    harms.push(format!("INSERT OR REPLACE INTO nodes {differing}"));
    harms.push(WHOLE.to_owned());
    harms.push(
        "DELETE FROM nodes WHERE id > 2 AND EXISTS (SELECT 1 FROM older.nodes o WHERE o.id = nodes.id AND o.body <> nodes.body)"
            .to_owned(),
    );
    // The leaves of two records change places.
    harms.push(
        "CREATE TEMP TABLE two AS SELECT n.id, n.body, n.mac FROM nodes n JOIN older.nodes o USING (id)
         WHERE n.body <> o.body AND substr(n.body, 1, 2) = x'0100' LIMIT 1;
         INSERT INTO two SELECT id, body, mac FROM nodes
         WHERE id NOT IN (SELECT id FROM two) AND substr(body, 1, 2) = x'0100' LIMIT 1;
         UPDATE nodes SET (body, mac) = (SELECT body, mac FROM two WHERE two.id <> nodes.id) WHERE id IN (SELECT id FROM two)"
            .to_owned(),
    );
    let before = fs::read(&floors).unwrap();
    for sql in harms {
        let copy = home.copy();
        let copied = copy.vault().join("audit/floors");
        assert_eq!(fs::read(&copied).unwrap(), before);
        assert!(edit(&copied, Some(&older), &sql) > 0, "{sql}");
        let run = get(&copy);
        assert_eq!(run.code(), 5, "{sql}: {}{}", run.text(), run.said());
        let verified = copy.ibyok(["--json", "audit", "verify"]).run().exits(10).json();
        assert_eq!(
            verified["floors"]["findings"].as_array().unwrap().len(),
            1,
            "{sql}: {verified}"
        );
    }
}

#[test]
fn a_node_whose_store_takes_no_writes_is_not_ready_since_it_can_revoke_nothing() {
    let home = home_with_vault();
    home.set("dev/a", "x");
    home.token(&["reader", "--env", "dev"]);
    let server = home.serve();
    let store = home.vault().join("vault.db");
    for (spoil, mend) in [
        (
            "CREATE TRIGGER no_writes BEFORE UPDATE ON counters BEGIN SELECT RAISE(ABORT, 'no'); END",
            "DROP TRIGGER no_writes",
        ),
        (
            "UPDATE counters SET revision = 9223372036854775807",
            "UPDATE counters SET revision = 1000000",
        ),
    ] {
        edit(&store, None, spoil);
        let ready = || server.send(&Request::get("/readyz"));
        ibyok_tests::wait_until("the server is not ready", Duration::from_secs(10), || {
            ready().status == 503
        });
        assert_eq!(ready().json()["store"], "unavailable", "{spoil}");
        let status = home.ibyok(["--json", "status"]).run();
        assert_ne!(status.code(), 0, "{}", status.said());
        assert_eq!(
            home.ibyok(["tokens", "revoke", "reader", "--yes"]).run().code(),
            5,
            "{spoil}"
        );
        edit(&store, None, mend);
        ibyok_tests::wait_until("the server is ready", Duration::from_secs(10), || ready().status == 200);
    }
    edit(&store, None, "UPDATE counters SET change = 9223372036854775807");
    let ready = || server.send(&Request::get("/readyz"));
    ibyok_tests::wait_until("the server is not ready", Duration::from_secs(10), || {
        ready().status == 503
    });
}

#[test]
fn a_store_file_without_its_logs_and_floors_is_a_finding_until_an_operator_acknowledges_it() {
    let home = home_with_vault();
    home.set("dev/a", "x");
    home.ibyok(["audit", "verify"]).run().done();
    fs::remove_dir_all(home.vault().join("audit")).unwrap();
    for kind in [6, 129] {
        for id in crate::cut_logs::of_kind(&home, kind) {
            home.behind().delete(id);
        }
    }
    for _ in 0..2 {
        let verified = home.ibyok(["audit", "verify"]).run();
        assert_eq!(verified.code(), 10, "{}", verified.said());
        assert!(verified.said().contains("no floors"), "{}", verified.said());
    }
    assert_eq!(home.get("dev/a"), b"x");
    home.ibyok(["--yes", "audit", "floors", "rebuild"]).run().done();
    home.ibyok(["audit", "verify"]).run().done();
}
