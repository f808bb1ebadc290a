use ibyok_policy::{Environments, Grant, RealmScope, Reason, Scope, Scopes, Validity, decide, within};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::world::{self, Asked, instant, networks, patterns};

/// A child that often lies within its parent: the parent's own grant, some of it replaced.
fn family() -> impl Strategy<Value = (Grant, Grant)> {
    (world::grant(), world::grant(), any::<[bool; 7]>()).prop_map(|(parent, other, replace)| {
        let mut child = parent.clone();
        if replace[0] {
            child.scopes = other.scopes;
        }
        if replace[1] {
            child.environments = other.environments;
        }
        if replace[2] {
            child.keys = other.keys;
        }
        if replace[3] {
            child.not_before = other.not_before;
        }
        if replace[4] {
            child.expires = other.expires;
        }
        if replace[5] {
            child.networks = other.networks;
        }
        if replace[6] {
            child.pending_only = other.pending_only;
        }
        (parent, child)
    })
}

fn realm_of(name: Option<&'static str>) -> RealmScope<'static> {
    RealmScope {
        namespace: "default",
        environment: name,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_issue_widens(
        (parent, child) in family(), restrictions in world::restrictions(),
        child_realm in world::realm(), asked in world::asked(),
    ) {
        if within(&child, &asked.realm(), &parent, &restrictions).is_ok() {
            // Wherever the child is kept, what it may do its parent may do.
            let as_child = Asked { realm: child_realm, ..asked.clone() };
            if decide(&as_child.realm(), &child, &[], &asked.request()).is_allow() {
                prop_assert!(decide(&asked.realm(), &parent, &restrictions, &asked.request()).is_allow());
            }
        }
    }

    #[test]
    fn a_grant_lies_within_itself(grant in world::grant()) {
        prop_assert_eq!(within(&grant, &realm_of(None), &grant, &[]), Ok(()));
    }

    #[test]
    fn what_lies_within_something_that_lies_within_lies_within(
        a in world::grant(), (c, b) in family(), realm in world::realm(),
    ) {
        let realm = realm_of(realm);
        if within(&a, &realm, &b, &[]).is_ok() && within(&b, &realm, &c, &[]).is_ok() {
            prop_assert_eq!(within(&a, &realm, &c, &[]), Ok(()));
        }
    }

    #[test]
    fn the_parents_times_are_times_that_a_child_can_have(
        grant in world::grant(), restrictions in world::restrictions(),
    ) {
        let left = Validity::of(&grant, &restrictions);
        let mut child = grant.clone();
        child.not_before = left.not_before;
        child.expires = left.expires;
        let reason = within(&child, &realm_of(None), &grant, &restrictions);
        prop_assert!(!matches!(reason, Err(Reason::NotYetValid | Reason::Expired)));
    }
}

#[test]
fn the_random_families_often_lie_within_and_often_do_not() {
    let mut runner = TestRunner::deterministic();
    let world = (family(), world::restrictions(), world::realm());
    let lie_within = (0..2000)
        .filter(|_| {
            let ((parent, child), restrictions, realm) = world.new_tree(&mut runner).unwrap().current();
            within(&child, &realm_of(realm), &parent, &restrictions).is_ok()
        })
        .count();
    assert!((100..1900).contains(&lie_within), "{lie_within} of 2000");
}

fn parent() -> Grant {
    let mut parent = Grant::new(
        Scopes::from([Scope::KeysRead, Scope::TokensIssue]),
        Environments::named(["dev", "staging"]),
    );
    parent.keys = Some(patterns(&["open*", "stripe"]));
    parent.not_before = Some(instant(0));
    parent.expires = Some(instant(1000));
    parent.networks = Some(networks(&["10.0.0.0/8"]));
    parent.rate = Some("60/min".parse().unwrap());
    parent
}

/// What a change of the parent's own grant makes of the answer.
fn after(change: impl FnOnce(&mut Grant)) -> Result<(), Reason> {
    let mut child = parent();
    change(&mut child);
    within(&child, &realm_of(None), &parent(), &[])
}

#[test]
fn a_child_may_be_narrower_in_each_dimension() {
    assert_eq!(after(|child| child.scopes = Scopes::from([Scope::KeysRead])), Ok(()));
    assert_eq!(after(|child| child.environments = Environments::named(["dev"])), Ok(()));
    assert_eq!(
        after(|child| child.keys = Some(patterns(&["openai", "open*2"]))),
        Ok(())
    );
    assert_eq!(after(|child| child.not_before = Some(instant(1))), Ok(()));
    assert_eq!(after(|child| child.expires = Some(instant(999))), Ok(()));
    assert_eq!(
        after(|child| child.networks = Some(networks(&["::ffff:10.1.0.0/112"]))),
        Ok(())
    );
    assert_eq!(after(|child| child.rate = Some("1/sec".parse().unwrap())), Ok(()));
}

#[test]
fn a_child_may_be_wider_in_none() {
    let scope = Err(Reason::Scope(Scope::KeysWrite));
    assert_eq!(after(|child| child.scopes.insert(Scope::KeysWrite)), scope);
    let admin = Err(Reason::Scope(Scope::Admin));
    assert_eq!(after(|child| child.scopes = Scopes::from([Scope::Admin])), admin);
    let environment = Err(Reason::Environment);
    assert_eq!(
        after(|child| child.environments = Environments::named(["prod"])),
        environment
    );
    assert_eq!(after(|child| child.environments = Environments::All), environment);
    let key = Err(Reason::Key);
    assert_eq!(after(|child| child.keys = Some(patterns(&["o*"]))), key);
    assert_eq!(after(|child| child.keys = None), key);
    let early = Err(Reason::NotYetValid);
    assert_eq!(after(|child| child.not_before = Some(instant(-1))), early);
    assert_eq!(after(|child| child.not_before = None), early);
    let late = Err(Reason::Expired);
    assert_eq!(after(|child| child.expires = Some(instant(1001))), late);
    assert_eq!(after(|child| child.expires = None), late);
    let network = Err(Reason::Network);
    assert_eq!(after(|child| child.networks = Some(networks(&["10.0.0.0/7"]))), network);
    assert_eq!(after(|child| child.networks = None), network);
    let rate = Err(Reason::Rate);
    assert_eq!(after(|child| child.rate = Some("2/sec".parse().unwrap())), rate);
    assert_eq!(after(|child| child.rate = None), rate);
}

#[test]
fn a_token_of_one_environment_issues_none_for_all() {
    let all = Grant::new(Scopes::from([Scope::KeysRead]), Environments::All);
    let dev = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
    assert_eq!(
        within(&all, &realm_of(Some("dev")), &all, &[]),
        Err(Reason::Environment)
    );
    assert_eq!(within(&dev, &realm_of(Some("dev")), &all, &[]), Ok(()));
    assert_eq!(
        within(&dev, &realm_of(Some("prod")), &all, &[]),
        Err(Reason::Environment)
    );
}

#[test]
fn a_restricted_token_issues_only_within_its_restrictions() {
    let all = Grant::new(Scopes::from([Scope::Admin]), Environments::All);
    let mut restriction = ibyok_policy::Restriction::default();
    restriction.keys = Some(patterns(&["open*"]));
    let restrictions = [restriction];
    assert_eq!(within(&all, &realm_of(None), &all, &restrictions), Err(Reason::Key));
    let mut child = all.clone();
    child.keys = Some(patterns(&["openai"]));
    assert_eq!(within(&child, &realm_of(None), &all, &restrictions), Ok(()));
    let unknown = [world::not_understood()];
    assert_eq!(
        within(&child, &realm_of(None), &all, &unknown),
        Err(Reason::UnknownRestriction)
    );
}
