use std::net::IpAddr;

use ibyok_policy::{
    Decision, Environments, Grant, RealmScope, Reason, Request, Restriction, Scope, Scopes, decide, may_list,
    source_allowed, valid_at,
};
use ipnet::IpNet;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::world::{self, Asked, instant, networks, patterns};

/// The rules of the documentation, written a second time: every reason against the request.
fn reasons(asked: &Asked, grant: &Grant, restrictions: &[Restriction], listing: bool) -> Vec<&'static str> {
    let mut found = Vec::new();
    let mut all = restrictions.to_vec();
    let mut of_grant = Restriction::default();
    of_grant.scopes = Some(grant.scopes);
    if let Environments::Named(names) = &grant.environments {
        of_grant.environments = Some(names.clone());
    }
    of_grant.keys.clone_from(&grant.keys);
    of_grant.not_before = grant.not_before;
    of_grant.expires = grant.expires;
    of_grant.networks.clone_from(&grant.networks);
    of_grant.pending_only = grant.pending_only;
    all.push(of_grant);

    if asked.namespace != "default" {
        found.push("namespace");
    }
    if asked.realm.is_some() && asked.realm != asked.environment {
        found.push("environment");
    }
    for one in all {
        if !one.is_understood() {
            found.push("restriction");
        }
        if one.not_before.is_some_and(|first| asked.at < first) {
            found.push("not_before");
        }
        if one.expires.is_some_and(|end| asked.at >= end) {
            found.push("expired");
        }
        if let Some(scopes) = one.scopes {
            let words: Vec<String> = scopes.iter().map(|scope| scope.to_string()).collect();
            if !words.contains(&"admin".to_owned()) && !words.contains(&asked.scope.to_string()) {
                found.push("scope");
            }
        }
        let pending = listing || asked.pending;
        if one.pending_only && !matches!((asked.scope, pending), (Scope::KeysRead, true) | (Scope::KeysList, _)) {
            found.push("version");
        }
        if let Some(names) = one.environments
            && !asked.environment.is_some_and(|name| names.contains(name))
        {
            found.push("environment");
        }
        if let Some(keys) = one.keys {
            let passes = if listing {
                !keys.is_empty()
            } else {
                let key = asked.key.clone().unwrap_or_default();
                asked.key.is_some() && keys.iter().any(|key_pattern| glob(key_pattern.as_str(), &key))
            };
            if !passes {
                found.push("key");
            }
        }
        if let Some(networks) = one.networks
            && !asked
                .source
                .is_some_and(|source| networks.iter().any(|net| inside(net, source)))
        {
            found.push("network");
        }
    }
    found
}

fn glob(pattern: &str, name: &str) -> bool {
    match pattern.chars().next() {
        None => name.is_empty(),
        Some('*') => (0..=name.len()).any(|skipped| glob(&pattern[1..], &name[skipped..])),
        Some(c) => name.chars().next().is_some_and(|n| c == '?' || c == n) && glob(&pattern[1..], &name[1..]),
    }
}

/// Every address as 128 bits, IPv4 as its mapped form; an IPv6 network that is not mapped holds no IPv4.
fn inside(network: &IpNet, source: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    let mapped = |bits: u128| bits >> 32 == 0xffff;
    let prefix = match network {
        IpNet::V4(v4) => 96 + u32::from(v4.prefix_len()),
        IpNet::V6(v6) => u32::from(v6.prefix_len()),
    };
    let (net, address) = (bits(network.addr()), bits(source));
    let mask = u128::MAX.checked_shl(128 - prefix).unwrap_or(0);
    net & mask == address & mask && (!mapped(address) || prefix >= 96)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn decide_agrees_with_a_second_implementation(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
    ) {
        let expected = reasons(&asked, &grant, &restrictions, false);
        match decide(&asked.realm(), &grant, &restrictions, &asked.request()) {
            Decision::Allow => prop_assert!(expected.is_empty(), "{:?}", expected),
            Decision::Deny(reason) => prop_assert!(expected.contains(&reason.as_str()), "{} not in {:?}", reason, expected),
        }
    }

    #[test]
    fn may_list_agrees_with_a_second_implementation_and_never_looks_at_the_key(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
    ) {
        let listed = may_list(&asked.realm(), &grant, &restrictions, &asked.request());
        prop_assert_eq!(listed.is_allow(), reasons(&asked, &grant, &restrictions, true).is_empty());
        let keyless = Request { key: None, ..asked.request() };
        prop_assert_eq!(listed, may_list(&asked.realm(), &grant, &restrictions, &keyless));
    }

    #[test]
    fn a_list_may_be_asked_for_whenever_some_key_is_allowed(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
    ) {
        if decide(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow() {
            prop_assert!(may_list(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow());
        }
    }

    #[test]
    fn no_restriction_widens_wherever_it_stands(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
        added in world::restriction(), place in any::<prop::sample::Index>(),
    ) {
        let mut more = restrictions.clone();
        more.insert(place.index(restrictions.len() + 1), added);
        if decide(&asked.realm(), &grant, &more, &asked.request()).is_allow() {
            prop_assert_eq!(decide(&asked.realm(), &grant, &restrictions, &asked.request()), Decision::Allow);
        }
    }

    #[test]
    fn the_order_of_restrictions_does_not_matter(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
    ) {
        let mut turned = restrictions.clone();
        turned.reverse();
        prop_assert_eq!(
            decide(&asked.realm(), &grant, &restrictions, &asked.request()),
            decide(&asked.realm(), &grant, &turned, &asked.request())
        );
    }

    #[test]
    fn what_is_not_understood_denies_everything(asked in world::asked(), grant in world::grant()) {
        let restrictions = [world::not_understood()];
        prop_assert!(!decide(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow());
        prop_assert!(!may_list(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow());
        prop_assert!(source_allowed(&grant, &restrictions, asked.source).is_err());
    }

    #[test]
    fn what_is_allowed_is_valid_in_time_and_place(
        asked in world::asked(), grant in world::grant(), restrictions in world::restrictions(),
    ) {
        if decide(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow() {
            prop_assert_eq!(valid_at(&grant, &restrictions, asked.at), Ok(()));
            prop_assert_eq!(source_allowed(&grant, &restrictions, asked.source), Ok(()));
        }
    }
}

#[test]
fn the_random_world_is_often_allowed_and_often_denied() {
    let mut runner = TestRunner::deterministic();
    let world = (world::asked(), world::grant(), world::restrictions());
    let allowed = (0..2000)
        .filter(|_| {
            let (asked, grant, restrictions) = world.new_tree(&mut runner).unwrap().current();
            decide(&asked.realm(), &grant, &restrictions, &asked.request()).is_allow()
        })
        .count();
    assert!((100..1900).contains(&allowed), "{allowed} of 2000");
}

fn grant() -> Grant {
    Grant::new(Scopes::from([Scope::KeysRead]), Environments::All)
}

fn request() -> Request<'static> {
    Request {
        scope: Scope::KeysRead,
        namespace: "default",
        environment: Some("dev"),
        key: Some("openai"),
        pending: false,
        source: Some("10.1.2.3".parse().unwrap()),
        at: instant(0),
    }
}

const WHOLE: RealmScope<'static> = RealmScope {
    namespace: "default",
    environment: None,
};

const DEV: RealmScope<'static> = RealmScope {
    namespace: "default",
    environment: Some("dev"),
};

#[test]
fn a_token_ends_at_the_very_instant() {
    let mut ends = grant();
    ends.expires = Some(instant(0));
    let mut restriction = Restriction::default();
    restriction.expires = Some(instant(0));
    for (grant, restrictions) in [(ends, vec![]), (grant(), vec![restriction])] {
        for (at, expected) in [(-1, Ok(())), (0, Err(Reason::Expired)), (1, Err(Reason::Expired))] {
            let at = instant(at);
            assert_eq!(valid_at(&grant, &restrictions, at), expected);
            let decision = decide(&WHOLE, &grant, &restrictions, &Request { at, ..request() });
            assert_eq!(decision.into_result(), expected);
        }
    }
}

#[test]
fn a_token_begins_at_the_very_instant() {
    let mut begins = grant();
    begins.not_before = Some(instant(0));
    let mut restriction = Restriction::default();
    restriction.not_before = Some(instant(0));
    for (grant, restrictions) in [(begins, vec![]), (grant(), vec![restriction])] {
        for (at, expected) in [(-1, Err(Reason::NotYetValid)), (0, Ok(())), (1, Ok(()))] {
            let at = instant(at);
            assert_eq!(valid_at(&grant, &restrictions, at), expected);
            let decision = decide(&WHOLE, &grant, &restrictions, &Request { at, ..request() });
            assert_eq!(decision.into_result(), expected);
        }
    }
}

#[test]
fn a_realm_of_one_environment_bounds_a_grant_of_all() {
    assert!(decide(&DEV, &grant(), &[], &request()).is_allow());
    for environment in [Some("prod"), Some("Dev"), Some(""), None] {
        let decision = decide(
            &DEV,
            &grant(),
            &[],
            &Request {
                environment,
                ..request()
            },
        );
        assert_eq!(decision, Decision::Deny(Reason::Environment), "{environment:?}");
    }
}

#[test]
fn a_grant_naming_another_environment_than_its_realm_reaches_nothing() {
    let forged = Grant::new(Scopes::from([Scope::Admin]), Environments::named(["prod"]));
    for environment in [Some("dev"), Some("prod"), None] {
        assert!(
            !decide(
                &DEV,
                &forged,
                &[],
                &Request {
                    environment,
                    ..request()
                }
            )
            .is_allow()
        );
    }
}

#[test]
fn another_namespace_is_never_reached() {
    let everything = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    for namespace in ["acme", "Default", "default ", ""] {
        let decision = decide(&WHOLE, &everything, &[], &Request { namespace, ..request() });
        assert_eq!(decision, Decision::Deny(Reason::Namespace));
    }
}

#[test]
fn a_canary_reads_the_pending_version_lists_and_does_nothing_else() {
    let mut canary = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    canary.pending_only = true;
    let mut narrowed = Restriction::default();
    narrowed.pending_only = true;
    let admin = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    for (grant, restrictions) in [(&canary, vec![]), (&admin, vec![narrowed])] {
        for scope in Scope::ALL {
            for pending in [false, true] {
                let asked = Request {
                    scope,
                    pending,
                    ..request()
                };
                let passes = scope == Scope::KeysList || (scope == Scope::KeysRead && pending);
                let expected = if passes { Ok(()) } else { Err(Reason::Version) };
                assert_eq!(
                    decide(&WHOLE, grant, &restrictions, &asked).into_result(),
                    expected,
                    "{scope}"
                );
            }
        }
    }
}

#[test]
fn an_attribute_that_the_request_lacks_passes_no_limit() {
    let mut keys = grant();
    keys.keys = Some(patterns(&["*"]));
    let mut places = grant();
    places.networks = Some(networks(&["0.0.0.0/0", "::/0"]));
    let named = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
    let lacking = [
        (keys, Request { key: None, ..request() }, Reason::Key),
        (
            places,
            Request {
                source: None,
                ..request()
            },
            Reason::Network,
        ),
        (
            named,
            Request {
                environment: None,
                ..request()
            },
            Reason::Environment,
        ),
    ];
    for (grant, lacks, reason) in lacking {
        assert_eq!(decide(&WHOLE, &grant, &[], &request()), Decision::Allow);
        assert_eq!(decide(&WHOLE, &grant, &[], &lacks), Decision::Deny(reason));
    }
}

#[test]
fn an_empty_list_matches_nothing() {
    let mut no_keys = grant();
    no_keys.keys = Some(vec![]);
    let mut nowhere = grant();
    nowhere.networks = Some(vec![]);
    let no_scopes = Grant::new(Scopes::NONE, Environments::All);
    let no_environments = Grant::new(Scopes::from([Scope::Admin]), Environments::named([""; 0]));
    for grant in [no_keys, nowhere, no_scopes, no_environments] {
        assert!(!decide(&WHOLE, &grant, &[], &request()).is_allow(), "{grant:?}");
        assert!(!may_list(&WHOLE, &grant, &[], &request()).is_allow(), "{grant:?}");
    }
}

#[test]
fn a_restriction_narrows_even_admin() {
    let admin = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let mut read_only = Restriction::default();
    read_only.scopes = Some(Scopes::from([Scope::KeysRead]));
    for scope in Scope::ALL {
        let decision = decide(
            &WHOLE,
            &admin,
            std::slice::from_ref(&read_only),
            &Request { scope, ..request() },
        );
        assert_eq!(decision.is_allow(), scope == Scope::KeysRead, "{scope}");
    }
}

#[test]
fn reasons_have_words_that_stay() {
    let words = [
        (Reason::Namespace, "namespace"),
        (Reason::UnknownRestriction, "restriction"),
        (Reason::NotYetValid, "not_before"),
        (Reason::Expired, "expired"),
        (Reason::Scope(Scope::KeysRead), "scope"),
        (Reason::Environment, "environment"),
        (Reason::Key, "key"),
        (Reason::Network, "network"),
        (Reason::Rate, "rate"),
    ];
    for (reason, word) in words {
        assert_eq!(reason.as_str(), word);
    }
    assert_eq!(
        Decision::Deny(Reason::Scope(Scope::KeysWrite)).to_string(),
        "deny: the token lacks the scope `keys:write`"
    );
}
