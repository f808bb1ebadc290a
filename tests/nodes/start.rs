//! Starting together, and stores that are another vault's.

use std::time::Duration;

use ibyok_core::Code;
use ibyok_tests::{Home, Server, ServerOptions, free_port};

use crate::PROGRAMS;
use crate::shared::Shared;
use crate::site::{Site, code, said};

crate::on!(file, four_that_make_a_vault_at_once_make_one);
crate::on!(postgres redis, four_that_make_a_vault_at_once_make_one four_real_servers_started_at_once_serve_one_vault);

async fn four_that_make_a_vault_at_once_make_one(shared: Shared) {
    let site = Site::new();
    let making = (0..4).map(|_| async {
        let (builder, _) = site.builder(&shared.url()).await?;
        builder.create().await
    });
    let made = futures_util::future::join_all(making).await;
    let (made, refused): (Vec<_>, Vec<_>) = made.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1, "{refused:?}");
    for refused in refused {
        let error = refused.expect_err("a refusal");
        assert!(
            matches!(error.code(), Code::Exists | Code::Conflict),
            "{}",
            said(&error)
        );
    }
    if let Shared::Postgres(server) = &shared {
        assert_eq!(server.psql("SELECT format FROM ibyok.ibyok_format"), "1");
    }
    // And what was made is whole.
    let node = site.open(&shared.url()).await.expect("a node");
    for environment in ["dev", "staging", "prod"] {
        let reference = format!("{environment}/key");
        assert_eq!(node.set(&reference, "a value").await.expect("a key"), 1);
        let token = node.token(environment, environment).await;
        assert_eq!(node.get(&token, &reference).await.expect("a value"), "a value");
    }
}

async fn four_real_servers_started_at_once_serve_one_vault(shared: Shared) {
    let home = Home::empty(PROGRAMS);
    let at = |run: ibyok_tests::Run| run.env("IBYOK_STORE", shared.url());
    at(home.ibyok(["init"])).run().done();
    at(home.ibyok(["keys", "set", "prod/key"]))
        .input("the value")
        .run()
        .done();
    let token = at(home.ibyok(["tokens", "issue", "reader", "--env", "prod"]))
        .run()
        .done()
        .text();

    let servers: Vec<Server> = (0..4)
        .map(|number| {
            let options = ServerOptions {
                port: free_port(),
                ..ServerOptions::default()
            };
            let options = options.env("IBYOK_STORE", &shared.url());
            let log = home.path("logs").join(format!("of-{number}"));
            Server::launch(home.serve_command(&options), options.port, &log)
        })
        .collect();
    for server in &servers {
        ibyok_tests::wait_until("the servers are ready", Duration::from_secs(15), || server.is_ready());
        let answer = server.retrieve(&token, "prod/key");
        assert_eq!(answer.status, 200, "{}", server.printed());
    }
    // A revocation by the command line, which is one more node.
    at(home.ibyok(["tokens", "revoke", "reader", "--yes"])).run().done();
    std::thread::sleep(Duration::from_secs(1));
    for server in &servers {
        assert_eq!(server.retrieve(&token, "prod/key").status, 401);
        let printed = server.printed();
        for password in [crate::servers::postgres::PASSWORD, crate::servers::redis::PASSWORD] {
            assert!(!printed.contains(password), "a password: {printed}");
        }
    }
    at(home.ibyok(["audit", "verify"])).run().done();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn four_that_open_an_empty_postgresql_at_once_migrate_it_once() {
    let shared = Shared::postgres();
    let url = shared.url();
    let opening = (0..4).map(|_| ibyok_storage::open(&url));
    for opened in futures_util::future::join_all(opening).await {
        opened.expect("a store");
    }
    let Shared::Postgres(server) = &shared else {
        unreachable!()
    };
    assert_eq!(server.psql("SELECT format FROM ibyok.ibyok_format"), "1");
    assert_eq!(server.psql("SELECT count(*) FROM ibyok.counters"), "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_vaults_on_one_database_do_not_mix() {
    let shared = Shared::postgres();
    let Shared::Postgres(server) = &shared else {
        unreachable!()
    };
    let urls = ["one", "two"].map(|schema| format!("{}&schema={schema}", shared.url()));
    // The same KEK, so that nothing but the vaults' ids keeps them apart.
    let site = Site::new();
    let (one, two) = (site.create(&urls[0]).await, site.create(&urls[1]).await);
    one.set("prod/key", "of one").await.expect("a key");
    two.set("prod/other", "of two").await.expect("a key");
    let token = one.token("reader", "prod").await;
    assert_eq!(code(&two.get(&token, "prod/key").await), Some(Code::Unauthenticated));

    // Every record of the one put into the other, and told of: the realms of the same name as well.
    server.psql(
        "INSERT INTO two.records SELECT * FROM one.records ON CONFLICT (kind, realm, id) DO NOTHING;
         INSERT INTO two.changes SELECT 1000 + number, kind, realm, id FROM one.changes;
         UPDATE two.counters SET change = 1000 + (SELECT change FROM one.counters)",
    );
    let again = site.open(&urls[1]).await.expect("a node");
    for node in [&two, &again] {
        let refused = node.get(&token, "prod/key").await;
        let expected = [Some(Code::Unauthenticated), Some(Code::Integrity)];
        assert!(expected.contains(&code(&refused)), "{refused:?}");
        let token = node.token("of two", "prod").await;
        assert_eq!(node.get(&token, "prod/other").await.expect("a value"), "of two");
        assert!(node.get(&token, "prod/key").await.is_err());
    }

    // A vault is never made over another, and a log is never continued on another vault's store.
    let (builder, _) = site.builder(&urls[1]).await.expect("a store");
    assert_eq!(code(&builder.create().await), Some(Code::Exists));
}
