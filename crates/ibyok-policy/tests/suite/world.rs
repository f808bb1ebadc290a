//! A small world of grants, restrictions and requests, in which they often meet.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ibyok_policy::{
    Environments, Grant, Pattern, Rate, RealmScope, Request, Restriction, Scope, Scopes, Token, TokenId, mint,
};
use ipnet::IpNet;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::{collection, option, sample};
use secrecy::{ExposeSecret, SecretBox};

use crate::raw::{self, Raw};

pub(crate) const KEY: [u8; 32] = *b"a token key of thirty-two bytes.";

pub(crate) fn token_key() -> SecretBox<[u8; 32]> {
    SecretBox::new(Box::new(KEY))
}

pub(crate) const TAG: &str = "Ab3dEf9h";

/// The id of most tokens of the tests.
pub(crate) fn id() -> TokenId {
    TokenId::new(*b"Ab3dEf9h", [7; 16]).unwrap()
}

/// A token narrowed by each restriction in turn, as far as it has room.
pub(crate) fn narrowed(restrictions: &[Restriction]) -> Token {
    restrictions
        .iter()
        .fold(mint(&token_key(), id(), 3), |token, restriction| {
            token.attenuate(restriction).unwrap_or(token)
        })
}

/// Returns the same token without restrictions, and then with these entries, which may hold any bytes.
pub(crate) fn raw_with(entries: &[Vec<u8>]) -> Raw {
    Raw::new(&KEY, TAG, [7; 16], 3, entries)
}

pub(crate) fn text(token: &Token) -> String {
    token.expose().expose_secret().clone()
}

pub(crate) fn keys_restriction(texts: &[&str]) -> Restriction {
    let mut restriction = Restriction::default();
    restriction.keys = Some(patterns(texts));
    restriction
}

/// The instant `n` nanoseconds after the one around which everything happens.
pub(crate) fn instant(n: i128) -> Timestamp {
    Timestamp::from_nanosecond(1_795_521_600_000_000_000 + n).unwrap()
}

/// A restriction that this version does not understand, as it comes out of a token.
pub(crate) fn not_understood() -> Restriction {
    let text = raw_with(&[raw::entry(2, b"")]).text();
    Token::parse(&text).unwrap().restrictions().next().unwrap().clone()
}

pub(crate) fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(crate) fn networks(texts: &[&str]) -> Vec<IpNet> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Owned forms of what borrows.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) realm: Option<&'static str>,
    pub(crate) namespace: &'static str,
    pub(crate) scope: Scope,
    pub(crate) environment: Option<&'static str>,
    pub(crate) key: Option<String>,
    pub(crate) pending: bool,
    pub(crate) source: Option<IpAddr>,
    pub(crate) at: Timestamp,
}

impl Asked {
    pub(crate) fn realm(&self) -> RealmScope<'_> {
        RealmScope {
            namespace: "default",
            environment: self.realm,
        }
    }

    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            scope: self.scope,
            namespace: self.namespace,
            environment: self.environment,
            key: self.key.as_deref(),
            pending: self.pending,
            source: self.source,
            at: self.at,
        }
    }
}

pub(crate) fn asked() -> impl Strategy<Value = Asked> {
    (
        realm(),
        sample::select(vec!["default", "default", "default", "default", "default", "acme"]),
        scope(),
        sample::select(vec![Some("dev"), Some("dev"), Some("dev"), Some("prod"), None]),
        option::weighted(0.9, "[ab]{1,3}"),
        any::<bool>(),
        option::weighted(0.9, source()),
        time(),
    )
        .prop_map(
            |(realm, namespace, scope, environment, key, pending, source, at)| Asked {
                realm,
                namespace,
                scope,
                environment,
                key,
                pending,
                source,
                at,
            },
        )
}

pub(crate) fn realm() -> impl Strategy<Value = Option<&'static str>> {
    sample::select(vec![Some("dev"), Some("dev"), Some("prod"), None, None])
}

fn scope() -> impl Strategy<Value = Scope> {
    sample::select(vec![
        Scope::KeysRead,
        Scope::KeysRead,
        Scope::KeysList,
        Scope::TokensIssue,
        Scope::Admin,
    ])
}

pub(crate) fn scopes() -> impl Strategy<Value = Scopes> {
    let some = collection::vec(scope(), 0..5).prop_map(|scopes| scopes.into_iter().collect());
    prop_oneof![
        some,
        collection::vec(sample::select(Scope::ALL.to_vec()), 0..12).prop_map(|scopes| scopes.into_iter().collect())
    ]
}

fn names() -> impl Strategy<Value = BTreeSet<String>> {
    sample::subsequence(vec!["dev", "dev", "prod", "staging"], 0..=4)
        .prop_map(|names| names.into_iter().map(str::to_owned).collect())
}

fn keys() -> impl Strategy<Value = Vec<Pattern>> {
    let text = prop_oneof![Just("*".to_owned()), "[ab*?]{1,3}", "[ab]\\*"];
    collection::vec(text.prop_map(|text| text.parse().unwrap()), 0..4)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (-2_i128..=2).prop_map(instant)
}

fn source() -> impl Strategy<Value = IpAddr> {
    sample::select(vec![
        "10.1.2.3",
        "::ffff:10.1.2.3",
        "10.9.9.9",
        "192.0.2.1",
        "2001:db8::1",
        "2001:db9::1",
    ])
    .prop_map(|address| address.parse().unwrap())
}

fn sources() -> impl Strategy<Value = Vec<IpNet>> {
    let all = vec![
        "10.0.0.0/8",
        "10.1.0.0/16",
        "10.1.2.3/8",
        "::ffff:10.1.0.0/112",
        "::ffff:0.0.0.0/96",
        "0.0.0.0/0",
        "::/0",
        "2001:db8::/32",
        "2001:db8::1/128",
        "192.0.2.1/32",
    ];
    sample::subsequence(all.clone(), 0..=all.len()).prop_map(|texts| networks(&texts))
}

pub(crate) fn grant() -> impl Strategy<Value = Grant> {
    let environments = prop_oneof![Just(Environments::All), names().prop_map(Environments::Named)];
    let rate =
        sample::select(vec!["1/sec", "60/min", "61/min", "3600/hour"]).prop_map(|text| text.parse::<Rate>().unwrap());
    let limits = (
        option::weighted(0.4, keys()),
        option::weighted(0.2, (-2_i128..=0).prop_map(instant)),
        option::weighted(0.2, (0_i128..=2).prop_map(instant)),
        option::weighted(0.3, sources()),
        option::weighted(0.1, rate),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.2),
    );
    (scopes(), environments, limits).prop_map(|(scopes, environments, limits)| {
        let (keys, not_before, expires, networks, rate, pending_only, self_rotate) = limits;
        let mut grant = Grant::new(scopes, environments);
        grant.keys = keys;
        grant.not_before = not_before;
        grant.expires = expires;
        grant.networks = networks;
        grant.rate = rate;
        grant.pending_only = pending_only;
        grant.self_rotate = self_rotate;
        grant
    })
}

/// A restriction that an attenuation accepts.
pub(crate) fn restriction() -> impl Strategy<Value = Restriction> {
    (
        option::weighted(0.3, scopes()),
        option::weighted(0.3, names()),
        option::weighted(0.3, keys()),
        option::weighted(0.2, time()),
        option::weighted(0.2, time()),
        option::weighted(0.2, sources()),
        proptest::bool::weighted(0.1),
        proptest::bool::weighted(0.1),
    )
        .prop_map(
            |(scopes, environments, keys, not_before, expires, networks, pending_only, no_self_rotate)| {
                let mut restriction = Restriction::default();
                restriction.scopes = scopes;
                restriction.environments = environments;
                restriction.keys = keys;
                restriction.not_before = not_before;
                restriction.expires = expires;
                restriction.networks = networks;
                restriction.pending_only = pending_only;
                restriction.no_self_rotate = no_self_rotate;
                if restriction == Restriction::default() {
                    restriction.scopes = Some(Scopes::from([Scope::Admin]));
                }
                restriction
            },
        )
}

/// Up to two restrictions, now and then one that is not understood.
pub(crate) fn restrictions() -> impl Strategy<Value = Vec<Restriction>> {
    let one = prop_oneof![15 => restriction(), 1 => Just(not_understood())];
    collection::vec(one, 0..3)
}
