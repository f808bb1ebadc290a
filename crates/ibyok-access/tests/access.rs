//! A vault in this process by the verbs of [`Access`], as a program outside uses them.
#![expect(clippy::unwrap_used, reason = "a vault that cannot be made is a failed test")]

use std::collections::BTreeMap;

use ibyok_access::{Access, Error, KeyArgument, Local, Note, VariableRequest, export_all, of_environment, variables};
use ibyok_core::{
    Environments, FileSink, Grant, LocalKek, MemoryStore, Namespace, Scope, Scopes, Secret, TokenRequest, Vault,
    keys::KeyWrite, secrecy::ExposeSecret,
};

async fn vault(place: &std::path::Path) -> Vault {
    let builder = Vault::builder()
        .store(MemoryStore::new())
        .kek(LocalKek::generate().unwrap());
    let sink = FileSink::open(place.join("audit")).await.unwrap();
    builder.audit(sink).create().await.unwrap()
}

async fn local(place: &std::path::Path) -> Local {
    let local = Local::operator(vault(place).await, "os:me@here", Namespace::default()).unwrap();
    for (key, value) in [("dev/openai", "sk-1"), ("dev/stripe", "sk-2"), ("dev/old", "sk-3")] {
        let write = KeyWrite::from(Secret::copy_of(value.as_bytes()));
        local.write(&key.parse().unwrap(), write, true).await.unwrap();
    }
    local.switch(&"dev/old".parse().unwrap(), false).await.unwrap();
    // The variable of this key follows from a name that a token chose.
    let grant = Grant::new(Scopes::from([Scope::KeysWrite]), Environments::named(["dev"]));
    let (_, token) = local.issue(TokenRequest::new("writer", grant)).await.unwrap();
    let writer = Local::holder(local.vault().clone(), &token, "IBYOK_TOKEN", Namespace::default());
    let write = KeyWrite::from(Secret::copy_of(b"sk-4"));
    let key = "dev/MAKEFILES".parse().unwrap();
    writer.await.unwrap().write(&key, write, true).await.unwrap();
    local
}

fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_vec()).unwrap()
}

#[tokio::test]
async fn an_environment_skips_disabled_keys_and_variables_that_run_code_and_says_so() {
    let place = tempfile::tempdir().unwrap();
    let local = local(place.path()).await;
    let mut notes = Vec::new();
    let mut tell = |note| notes.push(note);
    let dev = "dev".parse().unwrap();
    let wanted = of_environment(&local, &dev, |_| true, &mut tell).await.unwrap();
    let variables: Vec<&str> = wanted.iter().map(|one| one.variable.as_str()).collect();
    assert_eq!(variables, ["OPENAI_API_KEY", "STRIPE_SECRET_KEY"]);
    let [Note::Warning(steers), Note::Info(off)] = &notes[..] else {
        panic!("{notes:?}");
    };
    assert!(
        steers.starts_with("warning: skipped `dev/MAKEFILES`: its variable"),
        "{steers}"
    );
    assert_eq!(off, "skipped a disabled key: dev/old");
    let exported = export_all(&local, wanted).await.unwrap();
    assert_eq!(exported.mocks, 0);
    assert_eq!(exported.variables[1].1.as_str(), "sk-2");
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_later_source_of_a_variable_overrides_an_earlier_one_and_a_value_never_stands_in_a_note() {
    let place = tempfile::tempdir().unwrap();
    let local = local(place.path()).await;
    let file = place.path().join(".env");
    std::fs::write(
        &file,
        "OPENAI_API_KEY=from-file\nPLAIN=text\nREFERRED=ibyok://dev/stripe\n",
    )
    .unwrap();
    let own = BTreeMap::from([("STRIPE_SECRET_KEY".to_owned(), "own".to_owned())]);
    let pairs = ["OPENAI_API_KEY=dev/stripe".to_owned()];
    let request = VariableRequest {
        environments: vec!["dev".parse().unwrap()],
        files: std::slice::from_ref(&file),
        own: Some(&own),
        pairs: &pairs,
        ..VariableRequest::default()
    };
    let mut notes = Vec::new();
    let found = variables(&local, request, &mut |note| notes.push(note)).await.unwrap();
    let held = |name: &str| found.get(name).map(|held| (text(&held.bytes), held.is_key));
    assert_eq!(held("OPENAI_API_KEY"), Some(("sk-2".to_owned(), true)));
    assert_eq!(held("PLAIN"), Some(("text".to_owned(), false)));
    assert_eq!(held("REFERRED"), Some(("sk-2".to_owned(), true)));
    // The program inherits its own variable.
    assert_eq!(held("STRIPE_SECRET_KEY"), None);
    assert!(
        notes
            .iter()
            .any(|note| matches!(note, Note::Info(text) if text.starts_with("kept STRIPE_SECRET_KEY")))
    );
    assert!(!format!("{notes:?}").contains("sk-"), "{notes:?}");
    local.close().await.unwrap();
}

#[tokio::test]
async fn a_request_that_names_nothing_and_a_value_that_no_variable_can_hold_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let local = local(place.path()).await;
    let nothing = variables(&local, VariableRequest::default(), &mut drop).await;
    assert!(matches!(nothing, Err(Error::Invalid { .. })));
    let key = "dev/binary".parse().unwrap();
    local
        .write(&key, KeyWrite::from(Secret::copy_of(b"a\0SENT")), true)
        .await
        .unwrap();
    let pairs = ["X=dev/binary".to_owned()];
    let request = VariableRequest {
        pairs: &pairs,
        ..VariableRequest::default()
    };
    let Err(error) = variables(&local, request, &mut drop).await else {
        panic!("a NUL character passed");
    };
    assert_eq!(error.code(), "invalid");
    assert!(!error.to_string().contains("SENT"), "{error}");
    local.close().await.unwrap();
}

#[tokio::test]
async fn the_holder_of_a_token_stays_in_its_namespace_and_reaches_what_its_grant_allows() {
    let place = tempfile::tempdir().unwrap();
    let operator = local(place.path()).await;
    let grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
    let (info, token) = operator.issue(TokenRequest::new("worker", grant)).await.unwrap();
    assert!(!info.json().to_string().contains(token.expose()));
    let vault = operator.vault().clone();
    let elsewhere = Local::holder(vault.clone(), &token, "IBYOK_TOKEN", "acme".parse().unwrap()).await;
    assert_eq!(elsewhere.err().unwrap().code(), "denied");
    let holder = Local::holder(vault, &token, "IBYOK_TOKEN", Namespace::default())
        .await
        .unwrap();
    let key: KeyArgument = "dev/openai".parse().unwrap();
    let fetched = key.retrieve(&holder, None, None).await.unwrap();
    assert_eq!(fetched.value.expose_secret(), b"sk-1");
    assert_eq!(holder.namespaces().await.err().unwrap().code(), "denied");
    assert_eq!(holder.tokens().await.err().unwrap().code(), "denied");
    operator.close().await.unwrap();
}
