use ibyok_policy::{
    Environments, Grant, RealmScope, Reason, Scope, Scopes, Validity, decide, in_sight, may_rotate_itself, within,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::world::{self, Asked, instant, networks, patterns};

/// A child that often lies within its parent: the parent's own grant, some of it replaced.
fn family() -> impl Strategy<Value = (Grant, Grant)> {
    (world::grant(), world::grant(), any::<[bool; 8]>()).prop_map(|(parent, other, replace)| {
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
        if replace[7] {
            child.self_rotate = other.self_rotate;
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
    fn a_token_that_is_seen_can_do_nothing_that_its_observer_cannot(
        (own, other) in family(), restrictions in world::restrictions(), asked in world::asked(),
    ) {
        // Times are not compared: each is looked at while it is valid.
        let timeless = |grant: &Grant| {
            let mut grant = grant.clone();
            (grant.not_before, grant.expires) = (None, None);
            grant
        };
        let mut narrowed = restrictions.clone();
        narrowed.iter_mut().for_each(|one| (one.not_before, one.expires) = (None, None));
        if in_sight(&other, &asked.realm(), &own, &restrictions).is_ok()
            && decide(&asked.realm(), &timeless(&other), &[], &asked.request()).is_allow()
        {
            let observer = decide(&asked.realm(), &timeless(&own), &narrowed, &asked.request());
            prop_assert!(observer.is_allow());
        }
    }

    #[test]
    fn what_may_be_issued_is_seen(
        (own, other) in family(), restrictions in world::restrictions(), realm in world::realm(),
    ) {
        let realm = realm_of(realm);
        if within(&other, &realm, &own, &restrictions).is_ok() {
            prop_assert_eq!(in_sight(&other, &realm, &own, &restrictions), Ok(()));
        }
    }

    #[test]
    fn nobody_hands_on_a_right_to_rotate_that_they_lack(
        (parent, child) in family(), restrictions in world::restrictions(),
    ) {
        let child_may = may_rotate_itself(&child, &[]).is_ok();
        if within(&child, &realm_of(None), &parent, &restrictions).is_ok() && child_may {
            prop_assert_eq!(may_rotate_itself(&parent, &restrictions), Ok(()));
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

/// Returns the answer after a change of the parent's own grant.
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
    assert_eq!(after(|child| child.self_rotate = true), Err(Reason::SelfRotate));
}

/// Checks that a token with [`parent`]'s grant sees a token that has the same grant after a change.
fn seen(change: impl FnOnce(&mut Grant)) -> Result<(), Reason> {
    let mut other = parent();
    change(&mut other);
    in_sight(&other, &realm_of(None), &parent(), &[])
}

#[test]
fn a_token_sees_what_is_as_narrow_as_itself_however_long_and_often_it_is_used() {
    assert_eq!(seen(|_| ()), Ok(()));
    assert_eq!(seen(|other| other.expires = None), Ok(()));
    assert_eq!(seen(|other| other.not_before = None), Ok(()));
    assert_eq!(seen(|other| other.rate = None), Ok(()));
    assert_eq!(seen(|other| other.self_rotate = true), Ok(()));
    assert_eq!(seen(|other| other.keys = Some(patterns(&["openai"]))), Ok(()));
    assert_eq!(seen(|other| other.keys = Some(patterns(&["o*"]))), Err(Reason::Key));
    assert_eq!(seen(|other| other.keys = None), Err(Reason::Key));
    assert_eq!(seen(|other| other.networks = None), Err(Reason::Network));
    assert_eq!(
        seen(|other| other.environments = Environments::named(["prod"])),
        Err(Reason::Environment)
    );
    assert_eq!(
        seen(|other| other.scopes.insert(Scope::KeysWrite)),
        Err(Reason::Scope(Scope::KeysWrite))
    );
}

#[test]
fn the_right_to_rotate_is_asked_for_and_can_be_taken_away() {
    let mut grant = Grant::new(Scopes::from([Scope::KeysRead]), Environments::named(["dev"]));
    assert_eq!(may_rotate_itself(&grant, &[]), Err(Reason::SelfRotate));
    grant.self_rotate = true;
    assert_eq!(may_rotate_itself(&grant, &[]), Ok(()));
    let mut without = ibyok_policy::Restriction::default();
    without.no_self_rotate = true;
    assert_eq!(may_rotate_itself(&grant, &[without.clone()]), Err(Reason::SelfRotate));
    assert_eq!(
        within(&grant, &realm_of(None), &grant, &[without]),
        Err(Reason::SelfRotate)
    );
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
