//! The interface as a program that embeds the vault uses it: errors to act on, tokens from files, setters, and no internals in logs.
#![expect(clippy::unwrap_used, reason = "what cannot be set up here is a failed test")]

use std::time::{Duration, SystemTime};

use ibyok_core::audit::review::{Reviewer, Thresholds};
use ibyok_core::audit::{Action, Filter, MemoryHome, Outcome};
use ibyok_core::errors::{Affected, Damage, Part, Remedy};
use ibyok_core::jiff::Timestamp;
use ibyok_core::keys::{IfExists, Interval, KeyEdit, VersionState};
use ibyok_core::pages::PageRequest;
use ibyok_core::policy::{Restriction, TokenId};
use ibyok_core::sessions::CallerKind;
use ibyok_core::tokens::{Descendants, TokenRef, TokenState, attenuate, token_id};
use ibyok_core::{
    AccessToken, Code, Environments, Error, Grant, KeyRef, LocalKek, MemoryStore, RequestContext, Scope, Scopes,
    Secret, TokenRequest, Vault, VaultBuilder,
};

/// An examiner of the lines since then.
fn reviewer(since: Timestamp) -> Reviewer {
    Reviewer::new(since, Timestamp::now(), &Thresholds::default()).unwrap()
}

type Builder = VaultBuilder<std::sync::Arc<dyn ibyok_core::Store>, ibyok_core::kek::Keyring, MemoryHome>;

fn builder(store: &MemoryStore, kek: u8, home: &MemoryHome) -> Builder {
    let builder = Vault::builder().store(store.clone());
    builder.kek(LocalKek::copy_of(&[kek; 32])).audit(home.clone())
}

async fn vault() -> Vault {
    let vault = builder(&MemoryStore::new(), 7, &MemoryHome::new())
        .create()
        .await
        .unwrap();
    let key = "prod/openai".parse().unwrap();
    vault
        .operator("ann")
        .keys()
        .set(&key, Secret::from("sk-1".to_owned()))
        .await
        .unwrap();
    vault
}

fn openai() -> KeyRef {
    "prod/openai".parse().unwrap()
}

fn reading() -> Grant {
    Grant::new(
        Scopes::from([Scope::KeysRead, Scope::KeysList]),
        Environments::named(["prod"]),
    )
}

async fn token(vault: &Vault, name: &str) -> AccessToken {
    let issued = vault
        .operator("ann")
        .tokens()
        .issue(TokenRequest::new(name, reading()))
        .await;
    issued.unwrap().token
}

#[tokio::test]
async fn a_program_opens_its_vault_or_makes_it_with_one_call() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let made = builder(&store, 7, &home).open_or_create().await.unwrap();
    made.operator("ann")
        .keys()
        .set(&openai(), Secret::from("sk-1".to_owned()))
        .await
        .unwrap();
    made.close().await.unwrap();
    let opened = builder(&store, 7, &home).open_or_create().await.unwrap();
    assert_eq!(opened.id(), made.id());
    assert_eq!(
        opened
            .operator("ann")
            .retrieve(&openai())
            .await
            .unwrap()
            .bytes()
            .unwrap(),
        b"sk-1"
    );
}

#[tokio::test]
async fn a_wrong_kek_a_closed_vault_and_an_outage_have_codes_of_their_own() {
    let (store, home) = (MemoryStore::new(), MemoryHome::new());
    let vault = builder(&store, 7, &home).create().await.unwrap();
    vault
        .operator("ann")
        .keys()
        .set(&openai(), Secret::from("sk-1".to_owned()))
        .await
        .unwrap();
    vault.close().await.unwrap();
    let closed = vault.operator("ann").retrieve(&openai()).await.unwrap_err();
    assert_eq!((closed.code(), closed.http_status()), (Code::Closed, 503), "{closed:?}");
    let closed = vault.operator("ann").keys().disable(&openai()).await.unwrap_err();
    assert_eq!(closed.code(), Code::Closed, "{closed:?}");

    let wrong = builder(&store, 8, &home).open().await.unwrap_err();
    assert_eq!((wrong.code(), wrong.http_status()), (Code::Kek, 503), "{wrong:?}");
    let outage = Error::Unavailable {
        part: Part::Store,
        source: "the network is down".into(),
    };
    assert_eq!((outage.code(), outage.http_status()), (Code::Unavailable, 503));
    // One word for all three: a caller of a server can do the same about each.
    assert!(
        [closed, wrong, outage]
            .iter()
            .all(|error| error.code().as_str() == "unavailable")
    );
}

#[tokio::test]
async fn an_error_knows_the_http_status_of_its_answer() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    let stranger = vault.as_token(&AccessToken::from("ibyok_no"));
    assert_eq!(stranger.retrieve(&openai()).await.unwrap_err().http_status(), 401);
    let reader = vault.as_token(&token(&vault, "reader").await);
    assert_eq!(reader.keys().disable(&openai()).await.unwrap_err().http_status(), 403);
    let missing = "prod/missing".parse().unwrap();
    assert_eq!(operator.retrieve(&missing).await.unwrap_err().http_status(), 404);
    let again = operator.keys().add(&openai(), Secret::from("sk-2".to_owned())).await;
    assert_eq!(again.unwrap_err().http_status(), 409);
    assert_eq!("no/such/key".parse::<KeyRef>().unwrap_err().http_status(), 400);
    let copied = operator.keys().copy(&openai(), &openai(), IfExists::Keep).await;
    assert_eq!(copied.unwrap_err().http_status(), 409);
}

#[tokio::test]
async fn a_token_is_read_from_a_file_and_shared_by_many_tasks() {
    let vault = vault().await;
    let token = token(&vault, "reader").await;
    let file = format!("  {}\r\n", token.expose());
    let read: AccessToken = file.parse().unwrap();
    let tasks = (0..4).map(|_| {
        let (vault, token) = (vault.clone(), read.clone());
        tokio::spawn(async move {
            vault
                .retrieve(&token, &openai(), &RequestContext::default())
                .await
                .map(|_| ())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
    // One token serves many sessions.
    for _ in 0..2 {
        assert_eq!(vault.as_token(&read).whoami().await.unwrap().kind, CallerKind::Token);
    }
    let cut = token.expose().split_at(token.expose().len() - 3).0;
    for wrong in [cut, "", "sk-1", &format!("{} {}", token.expose(), token.expose())] {
        let error = wrong.parse::<AccessToken>().unwrap_err();
        assert_eq!(error.code(), Code::Invalid);
        assert!(
            wrong.is_empty() || !format!("{error} {error:?}").contains(wrong),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_token_is_named_by_id_name_or_as_ones_own() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    let token = token(&vault, "reader").await;
    let id: TokenId = token_id(&token).unwrap();
    assert_eq!(operator.tokens().show(id).await.unwrap().id, id);
    assert_eq!(operator.tokens().show("reader").await.unwrap().id, id);
    assert_eq!(operator.tokens().show(&id.to_string()).await.unwrap().id, id);
    let own = vault.as_token(&token).tokens().show(TokenRef::Own).await.unwrap();
    assert_eq!(own.id, id);
    let revoked = operator.tokens().revoke(id, Descendants::Revoke).await.unwrap();
    assert_eq!(revoked.info.state, TokenState::Revoked);
}

#[tokio::test]
async fn setters_chain_for_grants_restrictions_edits_and_filters() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    let end = jiff_in(3600);
    let grant = reading()
        .keys(["open*".parse().unwrap()])
        .networks(["10.0.0.0/8".parse().unwrap()])
        .expires(end)
        .rate("60/min".parse().unwrap())
        .self_rotate();
    let issued = operator
        .tokens()
        .issue(TokenRequest::new("narrow", grant))
        .await
        .unwrap();
    assert_eq!(issued.info.expires_at, Some(end));
    let narrower = Restriction::default()
        .scopes(Scopes::from([Scope::KeysList]))
        .environments(["production"]);
    let narrower = attenuate(&issued.token, &narrower).unwrap();
    let context = RequestContext::default().from_address("10.1.2.3".parse().unwrap());
    let session = vault.as_token(&narrower).with_context(context);
    assert_eq!(session.retrieve(&openai()).await.unwrap_err().code(), Code::Denied);
    assert_eq!(session.keys().show(&openai()).await.unwrap().name.as_str(), "openai");

    let edit = KeyEdit::default()
        .label("team", "ml")
        .limit("5/min".parse::<ibyok_core::policy::Rate>().unwrap());
    let edit = edit.rotate_every("90d".parse::<Interval>().unwrap());
    let edited = operator.keys().edit(&openai(), &edit).await.unwrap();
    assert_eq!(edited.labels.get("team").map(String::as_str), Some("ml"));
    let edited = operator
        .keys()
        .edit(&openai(), &KeyEdit::default().remove_label("team").limit(None))
        .await
        .unwrap();
    assert!(edited.labels.is_empty() && edited.limit.is_none());

    let filter = Filter::default()
        .action(Action::KeyRetrieve)
        .outcome(Outcome::Denied)
        .key("openai")
        .limit(1);
    let lines: Vec<_> = operator.audit().lines(&filter).await.unwrap().collect();
    assert_eq!(lines.len(), 1);
}

fn jiff_in(seconds: u64) -> ibyok_core::jiff::Timestamp {
    let at = SystemTime::now() + Duration::from_secs(seconds);
    let at = ibyok_core::jiff::Timestamp::try_from(at).unwrap();
    ibyok_core::jiff::Timestamp::from_second(at.as_second()).unwrap()
}

#[tokio::test]
async fn debug_of_a_vault_its_sessions_and_handles_shows_no_internals_and_no_token() {
    let vault = vault().await;
    let token = token(&vault, "reader").await;
    let (session, operator) = (vault.as_token(&token), vault.operator("ann"));
    let shown = [
        format!("{vault:?}"),
        format!("{session:?}"),
        format!("{operator:?}"),
        format!("{:?}", session.keys()),
        format!("{token:?}"),
    ];
    for shown in &shown {
        assert!(shown.len() < 300, "{shown}");
        for internal in ["Mutex", "Cache", "MemoryStore", "Arc", token.expose()] {
            assert!(!shown.contains(internal), "{shown}");
        }
    }
    assert!(shown[0].contains(&vault.id()) && shown[2].contains("ann"), "{shown:?}");
}

#[tokio::test]
async fn a_value_with_the_end_of_a_line_is_stored_as_it_is_with_a_warning() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    for value in ["sk-1\n", "sk-1\r\n", "sk-1\r"] {
        let written = operator
            .keys()
            .set(&openai(), Secret::from(value.to_owned()))
            .await
            .unwrap();
        assert!(
            written.warnings.iter().any(|text| text.contains("line")),
            "{:?}",
            written.warnings
        );
        assert_eq!(
            operator.retrieve(&openai()).await.unwrap().bytes().unwrap(),
            value.as_bytes()
        );
    }
    let staged = operator
        .rotation()
        .stage(&openai(), Secret::from("sk-2\n".to_owned()))
        .await
        .unwrap();
    assert!(
        staged.warnings.iter().any(|text| text.contains("line")),
        "{:?}",
        staged.warnings
    );
    let written = operator
        .keys()
        .set(&openai(), Secret::from("sk\n1".to_owned()))
        .await
        .unwrap();
    assert!(
        !written.warnings.iter().any(|text| text.contains("line")),
        "{:?}",
        written.warnings
    );
}

#[tokio::test]
async fn states_are_enums_that_a_program_matches() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    operator.keys().disable(&openai().at_version(1)).await.unwrap();
    let refused = operator.retrieve(&openai()).await.unwrap_err();
    assert!(
        matches!(
            refused,
            Error::VersionDisabled {
                state: VersionState::Disabled,
                ..
            }
        ),
        "{refused:?}"
    );
    let tokens = operator.tokens().list(&PageRequest::default()).await.unwrap();
    assert!(tokens.iter().all(|token| token.state == TokenState::Valid));
}

#[tokio::test]
async fn a_remedy_is_data_and_its_own_words_name_no_command() {
    let vault = vault().await;
    let operator = vault.operator("ann");
    let reference = |text: &str| text.parse::<KeyRef>().unwrap();
    let (missing, nowhere) = (reference("prod/missing"), reference("nowhere/openai"));
    let mut errors = vec![
        operator.retrieve(&missing).await.unwrap_err(),
        operator.retrieve(&nowhere).await.unwrap_err(),
        operator.retrieve(&openai().at_version(9)).await.unwrap_err(),
        operator
            .rotation()
            .stage(&missing, Secret::from("x".to_owned()))
            .await
            .unwrap_err(),
        operator.rotation().promote(&openai()).await.unwrap_err(),
        operator.tokens().show("nobody").await.unwrap_err(),
        operator.incidents().facts("inc_1", None, reviewer).await.unwrap_err(),
        operator
            .keys()
            .remove_damaged(operator.keys().show(&openai()).await.unwrap().id)
            .await
            .unwrap_err(),
    ];
    assert_eq!(errors[0].remedy(), Some(Remedy::ListKeys));
    assert_eq!(errors[2].remedy(), Some(Remedy::ListVersions));
    operator.keys().disable(&openai()).await.unwrap();
    let disabled = operator.retrieve(&openai()).await.unwrap_err();
    assert_eq!(disabled.remedy(), Some(Remedy::EnableKey));
    errors.push(disabled);
    for damage in [
        Damage::DoesNotOpen,
        Damage::Missing,
        Damage::Older,
        Damage::UnknownFormat,
        Damage::Kek,
    ] {
        for affected in [Affected::Key, Affected::Token, Affected::Environment, Affected::Other] {
            errors.push(Error::Integrity {
                what: "the record".to_owned(),
                damage,
                affected,
            });
        }
    }
    for error in errors {
        let hint = error.hint().unwrap_or_default();
        for command in ["`ibyok ", "--", "IBYOK_"] {
            assert!(
                !hint.contains(command) && !error.to_string().contains(command),
                "{error}: {hint}"
            );
        }
    }
}
