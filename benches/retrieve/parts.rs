//! Cryptography and policy, each by itself.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput};
use ibyok_core::{Environments, Grant, Scope, Scopes, Secret};
use ibyok_crypto::{DataKey, LocalKek, RealmIdentity, RealmKeys, RealmTag, VaultId};
use ibyok_policy::{RealmScope, Request, Restriction, Token, TokenId, decide, mint};
use secrecy::{ExposeSecret, SecretBox};

/// The sizes of a value, a certificate and the largest value, in bytes.
const SIZES: [usize; 3] = [64, 4 << 10, 64 << 10];

pub(crate) fn crypto(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let vault = VaultId::generate().expect("randomness");
    let tag = RealmTag::generate().expect("randomness");
    let identity = RealmIdentity::new(vault, tag, "default", Some("prod")).expect("a realm");
    let kek = LocalKek::generate().expect("randomness");
    let (keys, _) = runtime
        .block_on(RealmKeys::create(identity.clone(), b"{}", 1, &kek))
        .expect("keys");
    let place = identity.place(3, keys.record_id("openai")).version(1).field("value");
    let data_key = DataKey::generate().expect("randomness");

    let mut group = criterion.benchmark_group("crypto");
    for size in SIZES {
        let value = Secret::init_with_mut(size, |bytes| bytes.fill(b'k'));
        let sealed = data_key.seal(&place, &value).expect("sealed");
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(BenchmarkId::new("seal", size), |b| {
            b.iter(|| data_key.seal(&place, black_box(&value)))
        });
        group.bench_function(BenchmarkId::new("open", size), |b| {
            b.iter(|| data_key.open(&place, black_box(&sealed)))
        });
    }
    let record = keys.seal_record(&place, &[b'r'; 700]).expect("sealed");
    group.throughput(Throughput::Bytes(700));
    group.bench_function(BenchmarkId::new("open_record", 700), |b| {
        b.iter(|| keys.open_record(&place, black_box(&record)))
    });
    group.finish();

    let mut group = criterion.benchmark_group("crypto");
    let wrapped = keys.wrap_data_key(&place, &data_key).expect("wrapped");
    group.bench_function("unwrap_data_key", |b| {
        b.iter(|| keys.unwrap_data_key(&place, black_box(&wrapped)))
    });
    group.bench_function("record_id", |b| b.iter(|| keys.record_id(black_box("openai"))));
    group.finish();
}

pub(crate) fn policy(criterion: &mut Criterion) {
    let key = SecretBox::new(Box::new([7; 32]));
    let id = TokenId::new(*b"Ab3dE5g7", [9; 16]).expect("an id");
    let plain = mint(&key, id, 0);
    let mut narrower = Restriction::default();
    narrower.keys = Some(vec!["openai*".parse().expect("a pattern")]);
    let narrowed = plain.attenuate(&narrower).expect("room");

    let mut group = criterion.benchmark_group("policy");
    for (name, token) in [("token", &plain), ("attenuated_token", &narrowed)] {
        let text = token.expose();
        let text = text.expose_secret().as_str();
        group.bench_function(BenchmarkId::new("parse", name), |b| {
            b.iter(|| Token::parse(black_box(text)))
        });
        group.bench_function(BenchmarkId::new("parse_and_verify", name), |b| {
            b.iter(|| Token::parse(black_box(text)).ok().map(|token| token.verify(&key)));
        });
    }
    group.bench_function("print_token_id", |b| b.iter(|| black_box(id).to_string()));

    let mut grant = Grant::new(
        Scopes::from([Scope::KeysRead]),
        Environments::named(["prod", "staging"]),
    );
    grant.keys = Some(vec![
        "anthropic".parse().expect("a pattern"),
        "openai*".parse().expect("a pattern"),
    ]);
    grant.networks = Some(vec!["10.0.0.0/8".parse().expect("a network")]);
    let realm = RealmScope {
        namespace: "default",
        environment: Some("prod"),
    };
    let request = Request {
        scope: Scope::KeysRead,
        namespace: "default",
        environment: Some("prod"),
        pending: false,
        key: Some("openai-batch"),
        source: Some([10, 1, 2, 3].into()),
        at: jiff::Timestamp::UNIX_EPOCH,
    };
    let restrictions = [narrower];
    group.bench_function("decide", |b| {
        b.iter(|| decide(&realm, &grant, &restrictions, black_box(&request)))
    });
    group.finish();
}
