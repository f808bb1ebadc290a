//! Every public verb of a session is tried with another tenant's reference, id, token, incident, finding, line and page, by an
//! operator and by a token that may do everything in its own namespace: nothing is told, and nothing changes.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what cannot be set up here is a failed test"
)]

mod scene;

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use ibyok_core::{
    Action, Class, Code, Condition, DrainRequest, EnvironmentName, Environments, Error, ExposeSecret, Filter, Grant,
    IncidentRequest, KeyEdit, KeyId, KeyRef, Mode, PageRequest, ReviewRequest, Scope, Scopes, Session, TokenRequest,
    UsageBy, UsageRequest,
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

/// The table of verbs: `name => |session, theirs| attempt`. A verb that is not in it fails
/// `the_table_has_every_verb`.
macro_rules! verbs {
    ($($verb:ident => |$session:ident, $theirs:ident| $tried:expr;)*) => {
        const TABLE: &[&str] = &[$(stringify!($verb)),*];

        async fn try_all(session: &Session, theirs: &Theirs) -> Vec<(&'static str, Tried)> {
            let mut all: Vec<(&'static str, Tried)> = Vec::new();
            $({
                let ($session, $theirs) = (session, theirs);
                let tried: Vec<Tried> = Box::pin(async { $tried }).await;
                all.extend(tried.into_iter().map(|tried| (stringify!($verb), tried)));
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
    retrieve => |s, t| each!(t.keys, |key| s.retrieve(key));
    export_key => |s, t| each!(t.keys, |key| s.export_key(key));
    show_key => |s, t| each!(t.keys, |key| s.show_key(key));
    edit_key => |s, t| each!(t.keys, |key| s.edit_key(key, &relabelled()));
    disable_key => |s, t| each!(t.keys, |key| s.disable_key(key));
    enable_key => |s, t| each!(t.keys, |key| s.enable_key(key));
    enable_key_by_force => |s, t| each!(t.keys, |key| s.enable_key_by_force(key, "a test"));
    remove_key => |s, t| each!(t.keys, |key| s.remove_key(key));
    remove_damaged_key => |s, t| vec![refusal(s.remove_damaged_key(t.id).await)];
    remove_damaged_key_by_force => |s, t| vec![refusal(s.remove_damaged_key_by_force(t.id).await)];
    revoke_damaged_token => |s, t| vec![refusal(s.revoke_damaged_token(t.tokens[0].parse().unwrap()).await)];
    remove_damaged_environment => |s, t| vec![refusal(s.remove_damaged_environment(t.environment.as_str()).await)];
    // Looks at no record: only a reference that names their namespace is theirs for certain.
    admit => |s, t| {
        let named: Vec<&KeyRef> = t.keys.iter().filter(|key| key.namespace().is_some()).collect();
        each!(named, |key| s.admit(Action::KeyShow, Some(Scope::KeysList), Some(key)))
    };
    environments_reached => |s, _t| vec![own(s.environments_reached().await)];
    verify_floors => |s, _t| vec![own(s.verify_floors().await)];
    rebuild_floors => |s, _t| vec![refusal(s.rebuild_floors().await)];
    export_floors => |s, _t| vec![refusal(s.export_floors(&mut Vec::new()).await)];
    import_floors => |s, _t| vec![refusal(s.import_floors(&mut &b"ibyok-floors v1"[..]).await)];
    rolled_back => |s, _t| vec![refusal(s.rolled_back().await)];
    accept_rollback => |s, _t| vec![refusal(s.accept_rollback(&[]).await)];
    accept_older_store => |s, _t| vec![refusal(s.accept_older_store().await)];
    find_key => |s, t| vec![refusal(s.find_key(t.id).await)];
    set_key => |s, t| each!(t.keys, |key| s.set_key(key, secret("theirs no more")));
    add_key => |s, t| each!(t.keys, |key| s.add_key(key, secret("theirs no more")));
    import_key => |s, t| each!(t.keys, |key| s.import_key(key, secret("theirs no more"), true));
    copy_key => |s, t| {
        let mine: KeyRef = "prod/mine".parse().unwrap();
        let mut tried = each!(t.keys, |key| s.copy_key(key, &mine, true));
        tried.extend(each!(t.keys, |key| s.copy_key(&mine, key, true)));
        tried
    };
    stage_key => |s, t| each!(t.keys, |key| s.stage_key(key, secret("theirs no more")));
    promote_key => |s, t| each!(t.keys, |key| s.promote_key(key));
    rollback_key => |s, t| each!(t.keys, |key| s.rollback_key(key));
    promote_key_by_force => |s, t| each!(t.keys, |key| s.promote_key_by_force(key, "a test"));
    rollback_key_by_force => |s, t| each!(t.keys, |key| s.rollback_key_by_force(key, "a test"));
    retire_key => |s, t| each!(t.keys, |key| s.retire_key(key, &DrainRequest::default().force("a test")));
    destroy_version => |s, t| each!(t.keys, |key| s.destroy_version(&key.clone().at_version(1), &DrainRequest::default().force("a test")));
    rotation_status => |s, t| each!(t.keys, |key| s.rotation_status(key));
    set_key_mode => |s, t| each!(t.keys, |key| s.set_key_mode(key, Some(Mode::Mock)));
    open_incident => |s, t| each!(t.keys, |key| s.open_incident(key, IncidentRequest::new("a test").freeze(true)));
    usage => |s, t| {
        let mut tried = each!(t.keys, |key| s.usage(&UsageRequest::new(UsageBy::Key).key(key.clone())));
        tried.push(refusal(s.usage(&UsageRequest::new(UsageBy::Key).environment(t.environment.clone())).await));
        for by in [UsageBy::Key, UsageBy::Token, UsageBy::Env, UsageBy::Day, UsageBy::Version] {
            tried.push(own(s.usage(&UsageRequest::new(by)).await));
        }
        tried
    };
    list_keys => |s, t| {
        let mut tried = vec![refusal(s.list_keys(Some(&t.environment), &PageRequest::default()).await)];
        for page in t.pages.iter().take(2) {
            tried.push(own(s.list_keys(None, page).await));
        }
        tried
    };
    list_tokens => |s, t| {
        let mut tried = Vec::new();
        for page in &t.pages {
            tried.push(own(s.list_tokens(page).await));
        }
        tried
    };
    show_token => |s, t| each!(t.tokens, |token| s.show_token(token));
    revoke_token => |s, t| each!(t.tokens, |token| s.revoke_token(token, false));
    rotate_token => |s, t| each!(t.tokens, |token| s.rotate_token(token, None));
    rotate_token_with => |s, t| each!(t.tokens, |token| s.rotate_token_with(token, &Default::default()));
    issue_token => |s, t| vec![refusal(s.issue_token(TokenRequest::new("mine", scene::reading(t.environment.as_str()))).await)];
    review_tokens => |s, _t| vec![own(s.review_tokens().await)];
    close_incident => |s, t| each!(t.incidents, |which| s.close_incident(which, "a cause", "a test", true));
    note_incident => |s, t| each!(t.incidents, |which| s.note_incident(which, "a note"));
    incident_report => |s, t| each!(t.incidents, |which| s.incident_report(which, None));
    served_leaked => |s, _t| vec![own(s.served_leaked().await)];
    list_incidents => |s, _t| vec![own(s.list_incidents(true).await)];
    limits => |s, t| vec![refusal(s.limits(Some(&t.environment)).await), own(s.limits(None).await)];
    set_limit => |s, t| vec![refusal(s.set_limit(&t.environment, Some("1/day".parse().unwrap())).await)];
    set_environment_mode => |s, t| vec![refusal(s.set_environment_mode(&t.environment, Mode::Mock).await)];
    environment_modes => |s, _t| vec![own(s.environment_modes().await)];
    rotations_due => |s, t| vec![refusal(s.rotations_due(Some(&t.environment)).await), own(s.rotations_due(None).await)];
    environments => |s, _t| vec![own(s.environments().await)];
    add_environment => |s, _t| vec![own(s.add_environment("made-here".parse().unwrap(), Class::Dev).await)];
    audit_lines => |s, _t| {
        let told = match s.audit_lines(&Filter::default()).await {
            Ok(lines) => Ok(lines.map(|line| own_words(line.unwrap().text())).collect::<String>()),
            Err(error) => Err(error),
        };
        vec![own(told), refusal(s.audit_lines(&of_theirs()).await)]
    };
    follow_audit => |s, _t| {
        let told = match s.follow_audit(&Filter::default()).await {
            Ok(mut follow) => {
                s.whoami().await.unwrap();
                Ok(follow.poll().await.unwrap().iter().map(|line| own_words(line.text())).collect::<String>())
            }
            Err(error) => Err(error),
        };
        vec![own(told), refusal(s.follow_audit(&of_theirs()).await)]
    };
    prove_line => |s, t| vec![
        refusal(s.prove_line(Some(&t.line.0), t.line.1).await),
        refusal(s.prove_line(None, t.line.1).await),
    ];
    verify_audit => |s, _t| vec![own(s.verify_audit(&[]).await)];
    verify_audit_watched => |s, _t| vec![own(s.verify_audit_watched(&[], Default::default()).await)];
    audit_keys => |s, _t| vec![own(s.audit_keys().await)];
    review => |s, _t| vec![own(s.review(&ReviewRequest::default()).await)];
    last_review => |s, _t| vec![own(s.last_review().await)];
    review_done => |s, _t| vec![own(s.review_done(&ReviewRequest::default(), None).await)];
    acknowledge_finding => |s, t| vec![refusal(s.acknowledge_finding(&ReviewRequest::default(), &t.finding, "a test").await)];
    known_values => |s, _t| {
        let found = s.known_values().await.map(|known| known.find(b"sk-of-globex").is_some());
        assert!(!found.as_ref().is_ok_and(|found| *found));
        vec![own(found)]
    };
    export_fingerprints => |s, _t| {
        let bundle = s.export_fingerprints().await;
        vec![own(bundle.map(|bundle| bundle.text.expose_secret().to_owned()))]
    };
    shared_values => |s, _t| vec![own(s.shared_values().await)];
    attest => |s, _t| vec![own(s.attest("backup", None).await)];
    attestations => |s, _t| vec![own(s.attestations().await)];
    whoami => |s, _t| vec![own(s.whoami().await)];
    // The host's choice of a tenant, which a token does not have.
    in_namespace => |s, _t| match s.whoami().await.unwrap().kind {
        "token" => vec![own(s.clone().in_namespace("globex".parse().unwrap()).map(|_| "globex"))],
        _ => Vec::new(),
    };
    only_if => |s, _t| vec![own(s.clone().only_if(Condition::Exists).whoami().await)];
    with_context => |s, _t| vec![own(s.clone().with_context(Default::default()).whoami().await)];
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

/// The names of the public functions in the `impl Session` blocks of the source.
fn verbs_of_the_source(directory: &Path, verbs: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            verbs_of_the_source(&path, verbs);
            continue;
        }
        let mut inside = false;
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            match line {
                "impl Session {" => inside = true,
                "}" => inside = false,
                _ => {}
            }
            let public = ["    pub fn ", "    pub async fn "];
            let verb = public.iter().find_map(|public| line.strip_prefix(public));
            if let Some(verb) = verb.filter(|_| inside) {
                verbs.insert(verb.split(['(', '<']).next().unwrap().to_owned());
            }
        }
    }
}

#[test]
fn the_table_has_every_verb() {
    let mut verbs = BTreeSet::new();
    verbs_of_the_source(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut verbs);
    assert!(verbs.len() > 40, "{verbs:?}");
    let table: BTreeSet<String> = TABLE.iter().map(|verb| (*verb).to_owned()).collect();
    assert_eq!(verbs, table);
}

/// A tenant with two environments, keys with several versions, a token that read, and an incident.
async fn tenant(scene: &Scene, name: &str, environments: [&str; 2]) -> (Session, Session) {
    let operator = scene.vault.operator(format!("host-of-{name}"));
    let operator = operator.in_namespace(name.parse().unwrap()).unwrap();
    for environment in environments {
        let environment = environment.parse().unwrap();
        operator.add_environment(environment, Class::Prod).await.unwrap();
    }
    let key = scene.key("prod/openai");
    for value in ["first", "second", &format!("sk-of-{name}")] {
        operator.set_key(&key, secret(value)).await.unwrap();
    }
    operator
        .stage_key(&key, secret(&format!("staged-{name}")))
        .await
        .unwrap();
    let only = scene.key(&format!("{}/{name}-only", environments[1]));
    operator.set_key(&only, secret(&format!("only-{name}"))).await.unwrap();
    let grant = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let request = TokenRequest::new(format!("{name}-admin"), grant);
    let token = scene.vault.as_token(operator.issue_token(request).await.unwrap().token);
    token.retrieve(&key).await.unwrap();
    (operator, token)
}

/// Everything that can be seen of a tenant by its own operator.
async fn state(operator: &Session) -> String {
    let mut state = String::new();
    for key in ["prod/openai", "live/globex-only"] {
        state += &format!("{:#?}\n", operator.show_key(&key.parse().unwrap()).await.unwrap());
        state += operator.retrieve(&key.parse().unwrap()).await.unwrap().text().unwrap();
    }
    state += &format!("{:#?}\n", operator.list_tokens(&PageRequest::default()).await.unwrap());
    state += &format!("{:#?}\n", operator.list_incidents(true).await.unwrap());
    state += &format!("{:#?}\n", operator.environment_modes().await.unwrap());
    state += &format!("{:#?}\n", operator.limits(None).await.unwrap());
    state += &format!("{:#?}\n", operator.environments().await.unwrap());
    state += &format!("{:#?}\n", operator.attestations().await.unwrap());
    state + &format!("{:#?}\n", operator.last_review().await.unwrap())
}

async fn theirs(scene: &Scene, operator: &Session, token: &Session) -> Theirs {
    let key = scene.key("prod/openai");
    let id = operator.show_key(&key).await.unwrap().id;
    let incident = operator
        .open_incident(&key, IncidentRequest::new("it leaked"))
        .await
        .unwrap();
    let token = token.whoami().await.unwrap().id;
    let findings = operator.review(&ReviewRequest::default()).await.unwrap().found.findings;
    let line = operator
        .audit_lines(&Filter::default())
        .await
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let next = operator
        .list_keys(None, &PageRequest::default().limit(1))
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
