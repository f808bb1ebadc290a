//! Every public verb of a session is tried with another tenant's reference, id, token, incident, finding, line and page, by an
//! operator and by a token that may do everything in its own namespace: nothing is told, and nothing changes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a setup that fails is a failed test"
)]

mod scene;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use ibyok_core::{
    Code, EnvironmentName, Environments, Error, Grant, KeyRef, Scope, Scopes, Session, TokenRequest,
    audit::{Action, Filter},
    environments::Class,
    incidents::IncidentRequest,
    keys::{Condition, KeyEdit, KeyId},
    modes::Mode,
    pages::PageRequest,
    rotation::DrainRequest,
    secrecy::ExposeSecret,
    usage::{UsageBy, UsageRequest},
};
use scene::{Scene, secret};

/// The things of another tenant.
struct Theirs {
    /// Their keys: by name and by id in their namespace, and by id as if it were one of the caller's.
    keys: Vec<KeyRef>,
    id: KeyId,
    /// Their token, by id and by name.
    tokens: [String; 2],
    /// Their incident: by id and by reference.
    incidents: Vec<String>,
    finding: String,
    line: (String, u64),
    /// Pages of their lists.
    pages: Vec<PageRequest>,
    /// An environment that only they have.
    environment: EnvironmentName,
    /// The texts that must not be shown.
    marks: Vec<String>,
}

/// The result of a verb.
enum Tried {
    /// It was to be refused.
    Refusal(Result<String, Error>),
    /// It works on the caller's own things, and shows this of them.
    Own(String),
}

fn refusal<T: Debug>(outcome: Result<T, Error>) -> Tried {
    Tried::Refusal(outcome.map(|done| format!("{done:?}")))
}

/// The result of a verb that has no reference to anything of theirs. A token may be refused.
fn own<T: Debug>(outcome: Result<T, Error>) -> Tried {
    Tried::Own(match outcome {
        Ok(done) => format!("{done:?}"),
        Err(error) => format!("{error}"),
    })
}

/// The table of verbs: `"handle.verb" => |session, theirs| attempt`. A verb that is not in it fails
/// `the_table_has_every_verb`.
macro_rules! verbs {
    ($($verb:literal => |$session:ident, $theirs:ident| $tried:expr;)*) => {
        const TABLE: &[&str] = &[$($verb),*];

        async fn try_all(session: &Session, theirs: &Theirs) -> Vec<(&'static str, Tried)> {
            let mut all: Vec<(&'static str, Tried)> = Vec::new();
            $({
                let ($session, $theirs) = (session, theirs);
                let tried: Vec<Tried> = Box::pin(async { $tried }).await;
                all.extend(tried.into_iter().map(|tried| ($verb, tried)));
            })*
            all
        }
    };
}

/// Tries something with each of several things.
macro_rules! each {
    ($things:expr, |$thing:ident| $tried:expr) => {{
        let mut all = Vec::new();
        for $thing in &$things {
            all.push(refusal($tried.await));
        }
        all
    }};
}

verbs! {
    "retrieve" => |s, t| each!(t.keys, |key| s.retrieve(key));
    "keys.export" => |s, t| each!(t.keys, |key| s.keys().export(key));
    "keys.show" => |s, t| each!(t.keys, |key| s.keys().show(key));
    "keys.edit" => |s, t| each!(t.keys, |key| s.keys().edit(key, &relabelled()));
    "keys.disable" => |s, t| each!(t.keys, |key| s.keys().disable(key));
    "keys.disable_current" => |s, t| each!(t.keys, |key| s.keys().disable_current(key));
    "keys.withheld" => |s, t| each!(t.keys, |key| s.keys().withheld(key));
    // Takes a value that the session got itself.
    "keys.labels_of" => |s, _t| {
        let released = s.retrieve(&"prod/mine".parse().unwrap()).await;
        vec![own(released.map(|released| s.keys().labels_of(&released).cloned()))]
    };
    "keys.enable" => |s, t| each!(t.keys, |key| s.keys().enable(key));
    "keys.enable_by_force" => |s, t| each!(t.keys, |key| s.keys().enable_by_force(key, "a test"));
    "keys.remove" => |s, t| each!(t.keys, |key| s.keys().remove(key));
    "keys.remove_damaged" => |s, t| vec![refusal(s.keys().remove_damaged(t.id).await)];
    "keys.remove_damaged_by_force" => |s, t| vec![refusal(s.keys().remove_damaged_by_force(t.id).await)];
    "tokens.revoke_damaged" => |s, t| vec![refusal(s.tokens().revoke_damaged(t.tokens[0].parse().unwrap()).await)];
    "environments.remove_damaged" => |s, t| vec![refusal(s.environments().remove_damaged(t.environment.as_str()).await)];
    // Looks at no record: only a reference that names their namespace is theirs for certain.
    "admit" => |s, t| {
        let named: Vec<&KeyRef> = t.keys.iter().filter(|key| key.namespace().is_some()).collect();
        each!(named, |key| s.admit(Action::KeyShow, Some(Scope::KeysList), Some(key)))
    };
    "environments.reached" => |s, _t| vec![own(s.environments().reached().await)];
    "floors.verify" => |s, _t| vec![own(s.floors().verify().await)];
    "floors.rebuild" => |s, _t| vec![refusal(s.floors().rebuild().await)];
    "floors.export" => |s, _t| vec![refusal(s.floors().export(&mut Vec::new()).await)];
    "floors.import" => |s, _t| vec![refusal(s.floors().import(&mut &b"ibyok-floors v1"[..]).await)];
    "floors.rolled_back" => |s, _t| vec![refusal(s.floors().rolled_back().await)];
    "floors.accept_rollback" => |s, _t| vec![refusal(s.floors().accept_rollback(&[]).await)];
    "floors.accept_older_store" => |s, _t| vec![refusal(s.floors().accept_older_store().await)];
    "keys.find" => |s, t| vec![refusal(s.keys().find(t.id).await)];
    "keys.set" => |s, t| each!(t.keys, |key| s.keys().set(key, secret("theirs no more")));
    "keys.add" => |s, t| each!(t.keys, |key| s.keys().add(key, secret("theirs no more")));
    "keys.import" => |s, t| each!(t.keys, |key| s.keys().import(key, secret("theirs no more"), ibyok_core::keys::IfExists::Replace));
    "keys.copy" => |s, t| {
        let mine: KeyRef = "prod/mine".parse().unwrap();
        let mut tried = each!(t.keys, |key| s.keys().copy(key, &mine, ibyok_core::keys::IfExists::Replace));
        tried.extend(each!(t.keys, |key| s.keys().copy(&mine, key, ibyok_core::keys::IfExists::Replace)));
        tried
    };
    "rotation.stage" => |s, t| each!(t.keys, |key| s.rotation().stage(key, secret("theirs no more")));
    "rotation.promote" => |s, t| each!(t.keys, |key| s.rotation().promote(key));
    "rotation.roll_back" => |s, t| each!(t.keys, |key| s.rotation().roll_back(key));
    "rotation.promote_by_force" => |s, t| each!(t.keys, |key| s.rotation().promote_by_force(key, "a test"));
    "rotation.roll_back_by_force" => |s, t| each!(t.keys, |key| s.rotation().roll_back_by_force(key, "a test"));
    "rotation.retire" => |s, t| each!(t.keys, |key| s.rotation().retire(key, &DrainRequest::default().force("a test")));
    "rotation.destroy" => |s, t| each!(t.keys, |key| s.rotation().destroy(&key.clone().at_version(1), &DrainRequest::default().force("a test")));
    "rotation.status" => |s, t| each!(t.keys, |key| s.rotation().status(key));
    "modes.set_of_key" => |s, t| each!(t.keys, |key| s.modes().set_of_key(key, Some(Mode::Mock)));
    "incidents.open" => |s, t| each!(t.keys, |key| s.incidents().open(key, IncidentRequest::new("a test").freeze(true)));
    "usage.report" => |s, t| {
        let mut tried = each!(t.keys, |key| s.usage().report(&UsageRequest::new(UsageBy::Key).key(key.clone())));
        tried.push(refusal(s.usage().report(&UsageRequest::new(UsageBy::Key).environment(t.environment.clone())).await));
        for by in [UsageBy::Key, UsageBy::Token, UsageBy::Env, UsageBy::Day, UsageBy::Version] {
            tried.push(own(s.usage().report(&UsageRequest::new(by)).await));
        }
        tried
    };
    "keys.list" => |s, t| {
        let mut tried = vec![refusal(s.keys().list(Some(&t.environment), &PageRequest::default()).await)];
        for page in t.pages.iter().take(2) {
            tried.push(own(s.keys().list(None, page).await));
        }
        tried
    };
    "tokens.list" => |s, t| {
        let mut tried = Vec::new();
        for page in &t.pages {
            tried.push(own(s.tokens().list(page).await));
        }
        tried
    };
    "tokens.show" => |s, t| each!(t.tokens, |token| s.tokens().show(token));
    "tokens.revoke" => |s, t| each!(t.tokens, |token| s.tokens().revoke(token, ibyok_core::tokens::Descendants::Revoke));
    "tokens.rotate" => |s, t| each!(t.tokens, |token| s.tokens().rotate(token, None));
    "tokens.rotate_with" => |s, t| each!(t.tokens, |token| s.tokens().rotate_with(token, &Default::default()));
    "tokens.issue" => |s, t| vec![refusal(s.tokens().issue(TokenRequest::new("mine", scene::reading(t.environment.as_str()))).await)];
    "tokens.judge" => |s, _t| vec![own(s.tokens().judge(|facts| vec![format!("{facts:?}")]).await)];
    "incidents.close" => |s, t| each!(t.incidents, |which| s.incidents().close(which, "a cause", "a test", ibyok_core::incidents::IfStillServed::Close));
    "incidents.note" => |s, t| each!(t.incidents, |which| s.incidents().note(which, "a note"));
    "incidents.facts" => |s, t| each!(t.incidents, |which| s.incidents().facts(which, None, |_| scene::reviewer()));
    "incidents.served_leaked" => |s, _t| vec![own(s.incidents().served_leaked().await)];
    "incidents.list" => |s, _t| vec![own(s.incidents().list(ibyok_core::incidents::IncidentsShown::All).await)];
    "limits.list" => |s, t| vec![refusal(s.limits().list(Some(&t.environment)).await), own(s.limits().list(None).await)];
    "limits.set" => |s, t| vec![refusal(s.limits().set(&t.environment, Some("1/day".parse().unwrap())).await)];
    "modes.set" => |s, t| vec![refusal(s.modes().set(&t.environment, Mode::Mock).await)];
    "modes.list" => |s, _t| vec![own(s.modes().list().await)];
    "rotation.session" => |s, _t| vec![own(s.rotation().session().whoami().await)];
    "may_use" => |s, _t| vec![own(s.may_use(Action::TokenList, Scope::TokensIssue).await)];
    "now" => |s, _t| vec![own(Ok(s.now()))];
    "environments.list" => |s, _t| vec![own(s.environments().list().await)];
    "environments.add" => |s, _t| vec![own(s.environments().add("made-here".parse().unwrap(), Class::Dev).await)];
    "audit.lines" => |s, _t| {
        let told = match s.audit().lines(&Filter::default()).await {
            Ok(lines) => Ok(lines.map(|line| own_words(line.unwrap().text())).collect::<String>()),
            Err(error) => Err(error),
        };
        vec![own(told), refusal(s.audit().lines(&of_theirs()).await)]
    };
    "audit.follow" => |s, _t| {
        let told = match s.audit().follow(&Filter::default()).await {
            Ok(mut follow) => {
                s.whoami().await.unwrap();
                Ok(follow.poll().await.unwrap().iter().map(|line| own_words(line.text())).collect::<String>())
            }
            Err(error) => Err(error),
        };
        vec![own(told), refusal(s.audit().follow(&of_theirs()).await)]
    };
    "audit.prove" => |s, t| vec![
        refusal(s.audit().prove(Some(&t.line.0), t.line.1).await),
        refusal(s.audit().prove(None, t.line.1).await),
    ];
    "audit.verify" => |s, _t| vec![own(s.audit().verify(&[]).await)];
    "audit.verify_watched" => |s, _t| vec![own(s.audit().verify_watched(&[], Default::default()).await)];
    "audit.archive" => |s, _t| vec![
        refusal(s.audit().archive(s.now(), Path::new("no-archive"), ibyok_core::audit::ArchiveRun::Move).await),
        refusal(s.audit().archive(s.now(), Path::new("no-archive"), ibyok_core::audit::ArchiveRun::Show).await),
    ];
    "audit.with_archives" => |s, _t| vec![own(s.audit().with_archives(&[]).keys().await)];
    "audit.keys" => |s, _t| vec![own(s.audit().keys().await)];
    "audit.examine" => |s, _t| vec![own(s.audit().examine(scene::reviewer()).await)];
    "audit.last_review" => |s, _t| vec![own(s.audit().last_review().await)];
    "audit.record_review" => |s, _t| vec![own(s.audit().record_review(scene::reviewer(), None).await)];
    "audit.acknowledge" => |s, t| vec![refusal(s.audit().acknowledge(scene::reviewer(), &t.finding, "a test").await)];
    "known_values.collect" => |s, _t| {
        let found = s.known_values().collect().await.map(|known| known.find(b"sk-of-globex").is_some());
        assert!(!found.as_ref().is_ok_and(|found| *found));
        vec![own(found)]
    };
    "known_values.export" => |s, _t| {
        let bundle = s.known_values().export().await;
        vec![own(bundle.map(|bundle| bundle.text.expose_secret().to_owned()))]
    };
    "known_values.shared" => |s, _t| vec![own(s.known_values().shared().await)];
    "backups.write" => |s, _t| vec![refusal(s.backups().write(Path::new("no.backup"), Default::default()).await)];
    "backups.settle" => |s, _t| vec![refusal(s.backups().settle(None, true).await)];
    "attestations.add" => |s, _t| vec![own(s.attestations().add("backup", None).await)];
    "attestations.list" => |s, _t| vec![own(s.attestations().list().await)];
    "whoami" => |s, _t| vec![own(s.whoami().await)];
    // The host's choice of a tenant, which a token does not have.
    "in_namespace" => |s, _t| match s.whoami().await.unwrap().kind {
        ibyok_core::sessions::CallerKind::Token => vec![own(s.clone().in_namespace("globex".parse().unwrap()).map(|_| "globex"))],
        _ => Vec::new(),
    };
    "only_if" => |s, _t| vec![own(s.clone().only_if(Condition::Exists).whoami().await)];
    "with_context" => |s, _t| vec![own(s.clone().with_context(Default::default()).whoami().await)];
}

fn relabelled() -> KeyEdit {
    let mut edit = KeyEdit::default();
    edit.labels.insert("owner".to_owned(), Some("acme".to_owned()));
    edit
}

fn of_theirs() -> Filter {
    let mut filter = Filter::default();
    filter.namespace = Some("globex".to_owned());
    filter
}

/// Returns a line without the words of the caller's own request.
fn own_words(line: &str) -> String {
    let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(line["namespace"], "acme", "{line}");
    for asked in ["target", "key", "key_id"] {
        line[asked].take();
    }
    line.to_string()
}

/// The names of the public functions in the `impl` blocks of `Session` and its handles, as in `keys.set`.
fn verbs_of_the_source(directory: &Path, verbs: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            verbs_of_the_source(&path, verbs);
            continue;
        }
        let mut inside = None;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            match line {
                "impl Session {" => inside = Some(String::new()),
                "}" => inside = None,
                line => {
                    let of = line.strip_prefix("impl<'s> ").or_else(|| line.strip_prefix("impl "));
                    let handle = ["Verbs<'_> {", "Verbs<'s> {"]
                        .iter()
                        .find_map(|end| of?.strip_suffix(end));
                    inside = handle.map(|handle| format!("{}.", accessor(handle))).or(inside);
                }
            }
            let public = ["    pub fn ", "    pub async fn "];
            let verb = public.iter().find_map(|public| line.strip_prefix(public));
            if let (Some(verb), Some(handle)) = (verb, &inside) {
                verbs.insert(format!("{handle}{}", verb.split(['(', '<']).next().unwrap()));
            }
        }
    }
}

/// The method of `Session` that gives a handle: `known_values` for `KnownValueVerbs`.
fn accessor(handle: &str) -> &'static str {
    match handle {
        "Key" => "keys",
        "Token" => "tokens",
        "Mode" => "modes",
        "Limit" => "limits",
        "Environment" => "environments",
        "Audit" => "audit",
        "Floor" => "floors",
        "Usage" => "usage",
        "Rotation" => "rotation",
        "Incident" => "incidents",
        "KnownValue" => "known_values",
        "Attestation" => "attestations",
        "Backup" => "backups",
        other => panic!("`{other}Verbs` is a handle that this test does not know"),
    }
}

#[test]
fn the_table_has_every_verb() {
    let mut verbs = BTreeSet::new();
    verbs_of_the_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut verbs);
    assert!(verbs.len() > 40, "{verbs:?}");
    let table: BTreeSet<String> = TABLE.iter().map(|verb| (*verb).to_owned()).collect();
    // The handles themselves reach nothing.
    verbs.retain(|verb| verb.contains('.') || !verbs_of_handles(&table).contains(verb));
    assert_eq!(verbs, table);
}

fn verbs_of_handles(table: &BTreeSet<String>) -> BTreeSet<String> {
    let handles = table.iter().filter_map(|verb| verb.split_once('.'));
    handles.map(|(handle, _)| handle.to_owned()).collect()
}

/// A tenant with two environments, keys with several versions, a token that read, and an incident.
async fn tenant(scene: &Scene, name: &str, environments: [&str; 2]) -> (Session, Session) {
    let operator = scene.vault.operator(format!("host-of-{name}"));
    let operator = operator.in_namespace(name.parse().unwrap()).unwrap();
    for environment in environments {
        let environment = environment.parse().unwrap();
        operator.environments().add(environment, Class::Prod).await.unwrap();
    }
    let key = scene.key("prod/openai");
    for value in ["first", "second", &format!("sk-of-{name}")] {
        operator.keys().set(&key, secret(value)).await.unwrap();
    }
    operator
        .rotation()
        .stage(&key, secret(&format!("staged-{name}")))
        .await
        .unwrap();
    let only = scene.key(&format!("{}/{name}-only", environments[1]));
    operator
        .keys()
        .set(&only, secret(&format!("only-{name}")))
        .await
        .unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let request = TokenRequest::new(format!("{name}-admin"), grant);
    let token = scene
        .vault
        .as_token(&operator.tokens().issue(request).await.unwrap().token);
    token.retrieve(&key).await.unwrap();
    (operator, token)
}

/// Everything that can be seen of a tenant by its own operator.
async fn state(operator: &Session) -> String {
    let mut state = String::new();
    for key in ["prod/openai", "live/globex-only"] {
        state += &format!("{:#?}\n", operator.keys().show(&key.parse().unwrap()).await.unwrap());
        state += operator.retrieve(&key.parse().unwrap()).await.unwrap().text().unwrap();
    }
    state += &format!(
        "{:#?}\n",
        operator.tokens().list(&PageRequest::default()).await.unwrap()
    );
    state += &format!(
        "{:#?}\n",
        operator
            .incidents()
            .list(ibyok_core::incidents::IncidentsShown::All)
            .await
            .unwrap()
    );
    state += &format!("{:#?}\n", operator.modes().list().await.unwrap());
    state += &format!("{:#?}\n", operator.limits().list(None).await.unwrap());
    state += &format!("{:#?}\n", operator.environments().list().await.unwrap());
    state += &format!("{:#?}\n", operator.attestations().list().await.unwrap());
    state + &format!("{:#?}\n", operator.audit().last_review().await.unwrap())
}

async fn theirs(scene: &Scene, operator: &Session, token: &Session) -> Theirs {
    let key = scene.key("prod/openai");
    let id = operator.keys().show(&key).await.unwrap().id;
    let incident = operator
        .incidents()
        .open(&key, IncidentRequest::new("it leaked"))
        .await
        .unwrap();
    let token = token.whoami().await.unwrap().id;
    let findings = operator
        .audit()
        .examine(scene::reviewer())
        .await
        .unwrap()
        .found
        .findings;
    let line = operator
        .audit()
        .lines(&Filter::default())
        .await
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let next = operator
        .keys()
        .list(None, &PageRequest::default().limit(1))
        .await
        .unwrap()
        .next;
    let full = "ibyok://globex/prod";
    let incident = incident.incident.id.to_string();
    Theirs {
        keys: [
            format!("{full}/openai"),
            format!("{full}/{id}"),
            format!("prod/{id}"),
            "ibyok://globex/live/globex-only".to_owned(),
            "live/globex-only".to_owned(),
        ]
        .iter()
        .map(|key| key.parse().unwrap())
        .collect(),
        id,
        tokens: [token.clone(), "globex-admin".to_owned()],
        incidents: vec![incident.clone(), format!("{full}/openai"), format!("{full}/{id}")],
        finding: findings.first().unwrap().id.to_string(),
        line: (line.entry().log.clone(), line.entry().seq),
        pages: vec![
            PageRequest::default(),
            PageRequest::after(Some(next.unwrap())),
            PageRequest::after(Some(token.clone())),
        ],
        environment: "live".parse().unwrap(),
        marks: vec!["globex".to_owned(), id.to_string(), token, incident],
    }
}

#[tokio::test]
async fn no_verb_reaches_what_belongs_to_another_tenant() {
    let scene = Scene::new().await;
    let (acme, acmes_token) = tenant(&scene, "acme", ["prod", "test"]).await;
    let (globex, globexs_token) = tenant(&scene, "globex", ["prod", "live"]).await;
    let theirs = theirs(&scene, &globex, &globexs_token).await;
    let before = state(&globex).await;
    for session in [&acme, &acmes_token] {
        for (verb, tried) in try_all(session, &theirs).await {
            match tried {
                Tried::Refusal(outcome) => {
                    let error = outcome.expect_err(verb);
                    assert!(
                        matches!(error.code(), Code::Denied | Code::NotFound),
                        "{verb}: {error:?}"
                    );
                }
                Tried::Own(told) => {
                    let told_of = theirs.marks.iter().find(|mark| told.contains(*mark));
                    assert_eq!(told_of, None, "{verb}: {told}");
                }
            }
        }
    }
    assert_eq!(state(&globex).await, before);
    assert_eq!(
        globexs_token.whoami().await.unwrap().name.as_deref(),
        Some("globex-admin")
    );
    let whole = scene.vault.whole_log("host").lines(&Filter::default()).await.unwrap();
    for entry in whole.map(|line| line.unwrap().entry().clone()) {
        let by_acme = entry.principal.id.as_deref() == Some("host-of-acme")
            || entry.principal.name.as_deref() == Some("acme-admin");
        assert!(!by_acme || entry.namespace.as_deref() == Some("acme"), "{entry:?}");
    }
}
