//! AWS KMS as the KEK: nodes serve without it for as long as `key_cache_ttl` says and no longer, and ask it once, however many wait.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ibyok_core::{
    AccessToken, Code, Kek,
    kek::{AwsKms, AwsKmsOptions},
    secrecy::SecretString,
};
use ibyok_tests::strangers_token;

use crate::gate;
use crate::kms_stub::{ARN, Fault, KmsStub, REGION, StubKey};
use crate::shared::Shared;
use crate::site::{Node, Site, code, said, unavailable};

const OTHER: &str = "arn:aws:kms:eu-central-1:111122223333:key/ffffffff-12ab-34cd-56ef-1234567890ab";

/// A short period, so that its end can be waited for.
const PERIOD: Duration = Duration::from_millis(1200);

/// A vault under the KMS in a file, with a key in dev and one in prod.
struct Scene {
    stub: KmsStub,
    shared: Shared,
    site: Site,
    first: Node,
}

impl Scene {
    async fn new() -> Self {
        let (stub, shared) = (KmsStub::start(), Shared::file());
        let site = Site::with(kms(ARN, &stub.endpoint()).await);
        let first = site.create(&shared.url()).await;
        for environment in ["dev", "prod"] {
            let reference = format!("{environment}/key");
            first
                .set(&reference, &format!("of {environment}"))
                .await
                .expect("a key");
        }
        Scene {
            stub,
            shared,
            site,
            first,
        }
    }

    /// One more node, with this period.
    async fn node(&self, period: Duration) -> Node {
        let (builder, log) = self.site.builder(&self.shared.url()).await.expect("a store");
        let vault = builder.key_cache_ttl(period).open().await.expect("a vault");
        Node { vault, log }
    }

    fn unwraps(&self) -> usize {
        self.stub.count("Decrypt")
    }
}

async fn kms(key: &str, endpoint: &str) -> Arc<dyn Kek> {
    let secret = SecretString::from("SENTINEL-secret-access-key");
    let options = AwsKmsOptions::new().region(REGION).endpoint(endpoint);
    let kms = AwsKms::connect(key, options.credentials("AKIDEXAMPLE", &secret, None)).await;
    Arc::new(kms.expect("a KMS"))
}

/// Asks until it is refused, and gives when it was last served and what the refusal said.
async fn until_refused(node: &Node, token: &AccessToken) -> (Instant, String) {
    let mut last = Instant::now();
    loop {
        match node.get(token, "prod/key").await {
            Ok(value) => {
                assert_eq!(value, "of prod");
                last = Instant::now();
            }
            refused => return (last, unavailable(refused)),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_kms_keys_are_served_for_the_cache_period_and_no_longer() {
    let mut scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    let node = scene.node(PERIOD).await;
    let asked = Instant::now();
    node.get(&token, "prod/key").await.expect("a value");
    let opened = Instant::now();
    scene.stub.stop();

    let (last, said) = until_refused(&node, &token).await;
    assert!(said.contains("KEK is unavailable"), "{said}");
    let slack = Duration::from_millis(100);
    assert!(last > asked + PERIOD - slack, "served for {:?} only", last - asked);
    assert!(last < opened + PERIOD + slack, "served for {:?}", last - asked);
    let ready = node.vault.ready().await;
    assert!(ready.kek.is_some() && ready.store.is_none(), "{ready:?}");

    scene.stub.resume();
    let back = node.serves_again(&token, "prod/key", Duration::from_secs(2)).await;
    println!(
        "KMS away: served for {:?} of {PERIOD:?}, back after {back:?}",
        last - asked
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_of_the_kms_seals_at_the_next_expiry_and_says_which_it_is() {
    let scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    let node = scene.node(Duration::from_millis(300)).await;
    let faults = [
        (Fault::ACCESS_DENIED, "access denied"),
        (Fault::DISABLED, "key is disabled"),
        (Fault::PENDING_DELETION, "waits for its deletion"),
        (Fault::NOT_FOUND, "no such key"),
        (Fault::KEY_UNAVAILABLE, "KeyUnavailableException"),
        (Fault::THROTTLED, "ThrottlingException"),
        (Fault::INTERNAL, "KMSInternalException"),
        (Fault::OtherKey, "wrong answer"),
        (Fault::Bytes(31), "wrong answer: it does not hold 32 bytes"),
        (Fault::Body(200, "{]"), "an answer without a code"),
    ];
    let mut messages = BTreeSet::new();
    for (fault, word) in faults {
        node.serves_again(&token, "prod/key", Duration::from_secs(2)).await;
        scene.stub.fails("Decrypt", fault.clone());
        let (_, said) = until_refused(&node, &token).await;
        assert!(said.contains(word), "{fault:?}: {said}");
        assert!(messages.insert(said.clone()), "{fault:?}: {said}");
        scene.stub.heals();
    }
    node.serves_again(&token, "prod/key", Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_wait_there_is_one_call() {
    let scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    let period = Duration::from_millis(1500);
    let node = scene.node(period).await;
    node.get(&token, "prod/key").await.expect("a value");
    for fault in [None, Some(Fault::ACCESS_DENIED)] {
        tokio::time::sleep(period).await;
        let before = scene.unwraps();
        let fails = fault.is_some();
        if let Some(fault) = fault {
            scene.stub.fails("Decrypt", fault);
        }
        let waiting: Vec<_> = (0..200)
            .map(|_| {
                let (node, token) = (node.clone(), AccessToken::from(token.expose()));
                tokio::spawn(async move { node.get(&token, "prod/key").await.is_err() })
            })
            .collect();
        for waiting in waiting {
            assert_eq!(waiting.await.expect("an answer"), fails);
        }
        assert_eq!(scene.unwraps() - before, 1, "fails: {fails}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_kms_is_asked_per_environment_and_period_and_not_per_retrieval() {
    const RETRIEVALS: u32 = 10_000;
    let scene = Scene::new().await;
    let tokens = [
        scene.first.token("d", "dev").await,
        scene.first.token("p", "prod").await,
    ];
    let node = scene.node(Duration::from_secs(300)).await;
    let before = scene.unwraps();
    let lanes: Vec<_> = (0..50)
        .map(|lane| {
            let at = lane % 2;
            let (node, token) = (node.clone(), AccessToken::from(tokens[at].expose()));
            let reference = ["dev/key", "prod/key"][at];
            tokio::spawn(async move {
                for _ in 0..RETRIEVALS / 50 {
                    node.get(&token, reference).await.expect("a value");
                }
            })
        })
        .collect();
    for lane in lanes {
        lane.await.expect("a lane");
    }
    let calls = scene.unwraps() - before;
    println!("KMS calls for {RETRIEVALS} retrievals in two environments: {calls}");
    assert_eq!(calls, 2);

    // Those who want each retrieval in CloudTrail have it there.
    let node = scene.node(Duration::ZERO).await;
    let before = scene.unwraps();
    for _ in 0..20 {
        node.get(&tokens[0], "dev/key").await.expect("a value");
    }
    assert!(scene.unwraps() - before >= 20, "{}", scene.unwraps() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_under_another_kms_key_is_refused_without_a_call() {
    let scene = Scene::new().await;
    scene.stub.add(StubKey::symmetric(OTHER));
    let other = kms(OTHER, &scene.stub.endpoint()).await;
    let before = scene.unwraps();
    let (builder, _) = scene
        .site
        .builder_with(&scene.shared.url(), other)
        .await
        .expect("a store");
    let refused = unavailable_at_open(builder.open().await);
    assert!(refused.contains(ARN), "{refused}");
    assert_eq!(scene.unwraps(), before);
}

fn unavailable_at_open(opened: ibyok_core::Result<ibyok_core::Vault>) -> String {
    let error = opened.expect_err("it opened");
    assert!(matches!(error.code(), Code::Unavailable | Code::Kek), "{error:?}");
    said(&error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_may_open_only_dev_serves_dev_and_cannot_open_prod() {
    let scene = Scene::new().await;
    let dev = scene.first.token("dev", "dev").await;
    let prod = scene.first.token("prod", "prod").await;
    let kek = kms(ARN, &gate::only("dev", &scene.stub.endpoint())).await;
    let (builder, log) = scene
        .site
        .builder_with(&scene.shared.url(), kek)
        .await
        .expect("a store");
    let vault = builder.open().await.expect("a vault");
    let node = Node { vault, log };
    let before = scene.stub.calls().len();

    assert_eq!(node.get(&dev, "dev/key").await.expect("a value"), "of dev");
    // It cannot tell a token of prod from a stranger's.
    let refused = node.get(&prod, "prod/key").await;
    assert_eq!(code(&refused), Some(Code::Unauthenticated), "{refused:?}");
    let refused = node.get(&dev, "prod/key").await;
    assert!(code(&refused).is_some(), "{refused:?}");
    // Nor as its operator.
    assert!(node.set("prod/key", "forged").await.is_err());
    assert!(node.operator().retrieve(&crate::site::key("prod/key")).await.is_err());
    let asked = scene.stub.calls();
    let contexts = asked.iter().skip(before).map(|call| &call.body["EncryptionContext"]);
    assert!(contexts.clone().all(|context| context["environment"] != "prod"));

    // What dev may do goes on.
    node.set("dev/key", "of dev again").await.expect("a version");
    assert_eq!(scene.first.get(&prod, "prod/key").await.expect("a value"), "of prod");
}

/// Asks with many tokens that are none, one after the other and side by side.
async fn strangers(node: &Node, token: &AccessToken, from: usize) {
    for number in from..from + 100 {
        let stranger = AccessToken::from(strangers_token(token.expose(), number).as_str());
        let refused = node.get(&stranger, "prod/key").await;
        assert_eq!(code(&refused), Some(Code::Unauthenticated), "{refused:?}");
    }
    let crowd: Vec<_> = (from + 100..from + 200)
        .map(|number| {
            let (node, stranger) = (node.clone(), strangers_token(token.expose(), number));
            tokio::spawn(async move { code(&node.get(&AccessToken::from(stranger.as_str()), "prod/key").await) })
        })
        .collect();
    for one in crowd {
        assert_eq!(one.await.expect("an answer"), Some(Code::Unauthenticated));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_refused_and_cost_the_kms_one_call_whatever_it_answers() {
    let scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    // What may pass is tried again by the client of the KMS itself.
    for (fault, calls) in [
        (None, 1),
        (Some(Fault::ACCESS_DENIED), 1),
        (Some(Fault::DISABLED), 1),
        (Some(Fault::NOT_FOUND), 1),
        (Some(Fault::OtherKey), 1),
        (Some(Fault::INTERNAL), 4),
        (Some(Fault::THROTTLED), 4),
    ] {
        for period in [Duration::ZERO, Duration::from_secs(300)] {
            let node = scene.node(period).await;
            let before = scene.unwraps();
            if let Some(fault) = fault.clone() {
                scene.stub.fails("Decrypt", fault);
            }
            strangers(&node, &token, 0).await;
            let asked = scene.unwraps() - before;
            assert!(asked <= calls, "{fault:?}, kept for {period:?}: {asked} calls");
            scene.stub.heals();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_cached_a_retrieval_is_a_call_and_a_stranger_is_none() {
    let scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    let revoked = scene.first.token("revoked", "prod").await;
    let node = scene.node(Duration::ZERO).await;
    node.get(&token, "prod/key").await.expect("a value");
    node.get(&revoked, "prod/key").await.expect("a value");
    node.revoke("revoked").await.expect("a revocation");
    assert_eq!(code(&node.get(&revoked, "prod/key").await), Some(Code::Unauthenticated));
    let before = scene.unwraps();
    strangers(&node, &token, 1000).await;
    for _ in 0..50 {
        assert_eq!(code(&node.get(&revoked, "prod/key").await), Some(Code::Unauthenticated));
        node.vault.ready().await;
    }
    assert!(scene.unwraps() - before <= 1, "{}", scene.unwraps() - before);
    for _ in 0..10 {
        node.get(&token, "prod/key").await.expect("a value");
    }
    assert!(scene.unwraps() - before >= 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_served_before_hears_that_the_kms_does_not_answer_and_a_stranger_does_not() {
    let scene = Scene::new().await;
    let token = scene.first.token("reader", "prod").await;
    let unseen = scene.first.token("unseen", "prod").await;
    for fault in [Fault::ACCESS_DENIED, Fault::INTERNAL] {
        let node = scene.node(PERIOD).await;
        node.get(&token, "prod/key").await.expect("a value");
        scene.stub.fails("Decrypt", fault.clone());
        let (_, said) = until_refused(&node, &token).await;
        assert!(said.contains("KEK"), "{fault:?}: {said}");
        strangers(&node, &token, 5000).await;
        let refused = node.get(&unseen, "prod/key").await;
        assert_eq!(
            code(&refused),
            Some(Code::Unauthenticated),
            "nobody can tell: {refused:?}"
        );
        scene.stub.heals();
        node.serves_again(&token, "prod/key", Duration::from_secs(2)).await;
        assert_eq!(node.get(&unseen, "prod/key").await.expect("a value"), "of prod");
    }
}
