use ibyok_policy::{Restriction, Token, Unauthenticated, decide, mint};
use proptest::collection;
use proptest::prelude::*;
use secrecy::SecretBox;

use crate::raw::{self, Raw};
use crate::world::{self, KEY, TAG, id, keys_restriction, narrowed, raw_with, text, token_key};

proptest! {
    #[test]
    fn what_the_key_minted_and_holders_narrowed_verifies(restrictions in collection::vec(world::restriction(), 0..5)) {
        let token = narrowed(&restrictions);
        let verified = Token::parse(&text(&token)).unwrap().verify(&token_key()).unwrap();
        prop_assert_eq!(verified.id(), id());
        prop_assert_eq!(verified.epoch(), 3);
        prop_assert!(verified.restrictions().iter().eq(token.restrictions()));
        prop_assert_eq!(verified.ancestors().len(), verified.restrictions().len());
    }

    #[test]
    fn no_attenuation_widens(
        grant in world::grant(), restrictions in collection::vec(world::restriction(), 1..4), asked in world::asked(),
    ) {
        let allowed = |token: &Token| {
            let verified = token.verify(&token_key()).unwrap();
            decide(&asked.realm(), &grant, verified.restrictions(), &asked.request()).is_allow()
        };
        let parent = narrowed(&restrictions[1..]);
        if let Ok(child) = parent.attenuate(&restrictions[0]) {
            prop_assert!(!allowed(&child) || allowed(&parent));
        }
    }

    #[test]
    fn a_restriction_means_the_same_after_its_journey(
        grant in world::grant(), restriction in world::restriction(), asked in world::asked(),
    ) {
        let token = Token::parse(&text(&narrowed(std::slice::from_ref(&restriction)))).unwrap();
        let arrived: Vec<Restriction> = token.restrictions().cloned().collect();
        prop_assert_eq!(
            decide(&asked.realm(), &grant, &[restriction], &asked.request()),
            decide(&asked.realm(), &grant, &arrived, &asked.request())
        );
    }

    #[test]
    fn no_other_selection_or_order_of_restrictions_verifies(
        order in Just(vec![0_usize, 1, 2]).prop_shuffle(), kept in 0_usize..=3, doubled in any::<bool>(),
    ) {
        let entries: Vec<Vec<u8>> = ["a", "b", "c"]
            .iter()
            .map(|key| raw::restriction(&[(3, &[&[1], key.as_bytes()].concat())]))
            .collect();
        let right = raw_with(&entries);
        let mut changed = right.clone();
        changed.entries = order[..kept].iter().map(|index| entries[*index].clone()).collect();
        if doubled && let Some(last) = changed.entries.last().cloned() {
            changed.entries.push(last);
        }
        changed.count = u8::try_from(changed.entries.len()).unwrap();
        let verified = Token::parse(&changed.text()).unwrap().verify(&token_key());
        prop_assert_eq!(verified.is_ok(), changed.entries == right.entries);
    }
}

#[test]
fn another_key_id_or_epoch_is_unauthenticated() {
    let token = mint(&token_key(), id(), 3);
    assert!(token.verify(&token_key()).is_ok());
    let mut other = KEY;
    other[31] ^= 1;
    assert_eq!(
        token.verify(&SecretBox::new(Box::new(other))).err(),
        Some(Unauthenticated)
    );

    let moved = [
        Raw {
            epoch: 4,
            ..raw_with(&[])
        },
        Raw {
            id: raw_with(&[]).id.replace("Ab3d", "Ab3e"),
            ..raw_with(&[])
        },
        Raw {
            id: format!("{TAG}{}", raw::number(1, 22)),
            ..raw_with(&[])
        },
    ];
    for raw in moved {
        let token = Token::parse(&raw.text()).unwrap();
        assert_eq!(token.verify(&token_key()).err(), Some(Unauthenticated));
    }
}

#[test]
fn every_bit_of_the_mac_counts() {
    for bit in 0..256 {
        let mut raw = raw_with(&[]);
        raw.mac[bit / 8] ^= 1 << (bit % 8);
        assert!(
            Token::parse(&raw.text()).unwrap().verify(&token_key()).is_err(),
            "bit {bit}"
        );
    }
}

#[test]
fn the_mac_of_a_restricted_token_is_no_mac_of_a_freer_one() {
    let narrower = raw_with(&[raw::restriction(&[(3, b"\x01a")])]);
    let stripped = Raw {
        entries: vec![],
        count: 0,
        ..narrower
    };
    assert!(Token::parse(&stripped.text()).unwrap().verify(&token_key()).is_err());
}

#[test]
fn a_token_of_another_key_is_no_attenuation_of_ours() {
    // With the MAC of one's own token as the key, one can only go on narrowing it.
    let own = mint(&token_key(), id(), 3);
    let mac = raw_with(&[]).mac;
    let forged = mint(&SecretBox::new(Box::new(mac)), id(), 3);
    assert!(forged.verify(&token_key()).is_err());
    assert!(own.verify(&token_key()).is_ok());
}

#[test]
fn chains_name_each_narrower_token_and_those_it_came_from() {
    let parent = narrowed(&[]);
    let child = parent.attenuate(&keys_restriction(&["a"])).unwrap();
    let grandchild = child.attenuate(&keys_restriction(&["b"])).unwrap();
    let sibling = parent.attenuate(&keys_restriction(&["b"])).unwrap();
    let [parent, child, grandchild, sibling] =
        [parent, child, grandchild, sibling].map(|token| token.verify(&token_key()).unwrap());
    assert_eq!(parent.ancestors(), []);
    assert_eq!(child.ancestors(), [parent.chain()]);
    assert_eq!(grandchild.ancestors(), [parent.chain(), child.chain()]);
    assert_ne!(child.chain(), sibling.chain());
    assert_ne!(child.chain(), grandchild.chain());

    let of_mac = raw::hmac(&KEY, &[b"ibyok/chain/1", &raw_with(&[]).mac[..]].concat());
    assert_eq!(parent.chain().bytes(), of_mac[..8]);
    let printed = parent.chain().to_string();
    assert_eq!(printed.len(), 16);
    assert_eq!(u64::from_str_radix(&printed, 16).unwrap().to_be_bytes(), of_mac[..8]);
}
