//! Random orders of issuing, narrowing, rotating and revoking: no caller ever ends up with more than it had.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that cannot be taken is a failed test"
)]

mod scene;

use std::time::Duration;

use ibyok_core::{
    AccessToken, Scope, Scopes, Session, TokenRequest, jiff::Timestamp, policy::Restriction, tokens::attenuate,
};
use proptest::prelude::*;
use scene::Scene;
use scene::later::{HOUR, Later, copy, reads, timed};

/// One step: the secret that acts, its verb, and the token that it acts on.
#[derive(Clone, Debug)]
enum Step {
    Issue { by: usize, wide: bool, hours: u64 },
    Narrow { by: usize, key: bool, hours: u64 },
    Rotate { by: usize, which: usize, grace: u64 },
    RotateByOperator { which: usize, grace: u64 },
    Revoke { which: usize, keep: bool },
    Wait { minutes: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..8_usize, any::<bool>(), 1..4_u64).prop_map(|(by, wide, hours)| Step::Issue { by, wide, hours }),
        2 => (0..8_usize, any::<bool>(), 1..4_u64).prop_map(|(by, key, hours)| Step::Narrow { by, key, hours }),
        4 => (0..8_usize, 0..8_usize, 0..3_u64).prop_map(|(by, which, grace)| Step::Rotate { by, which, grace }),
        2 => (0..8_usize, 0..3_u64).prop_map(|(which, grace)| Step::RotateByOperator { which, grace }),
        1 => (0..8_usize, any::<bool>()).prop_map(|(which, keep)| Step::Revoke { which, keep }),
        1 => (20..90_u64).prop_map(|minutes| Step::Wait { minutes }),
    ]
}

/// The power of a secret now: the keys that it reads, and the time until which it does.
#[derive(Clone, Debug)]
struct Power {
    keys: Vec<&'static str>,
    until: Timestamp,
}

impl Power {
    fn is_within(&self, other: &Power) -> bool {
        let keys = self.keys.iter().all(|key| other.keys.contains(key));
        self.keys.is_empty() || (keys && self.until <= other.until)
    }
}

struct World {
    scene: Scene,
    clock: Later,
    /// Every secret that was ever given out, with the most that it may ever do.
    secrets: Vec<(AccessToken, Power)>,
}

impl World {
    async fn new() -> Self {
        let (scene, clock) = timed().await;
        let mut world = World {
            scene,
            clock,
            secrets: Vec::new(),
        };
        for (name, environments, hours) in [("all", &["dev", "prod"][..], 6), ("prod", &["prod"], 3)] {
            let scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue, Scope::TokensRevoke]);
            let mut grant = ibyok_core::Grant::new(scopes, ibyok_core::Environments::named(environments.to_vec()));
            grant.expires = Some(ibyok_core::clock::Clock::now(&world.clock) + HOUR * hours);
            grant.self_rotate = true;
            let token = world.scene.token_named(name, grant).await;
            let power = world.power(&token).await;
            world.secrets.push((token, power));
        }
        world
    }

    fn secret(&self, index: usize) -> (AccessToken, Power) {
        let (token, power) = &self.secrets[index % self.secrets.len()];
        (copy(token), power.clone())
    }

    fn session(&self, token: &AccessToken) -> Session {
        self.scene.vault.as_token(&copy(token))
    }

    async fn power(&self, token: &AccessToken) -> Power {
        let until = match self.session(token).whoami().await {
            Ok(whoami) => whoami.expires_at.unwrap_or(Timestamp::MAX),
            Err(_) => Timestamp::MIN,
        };
        let mut keys = Vec::new();
        for key in ["prod/openai", "prod/stripe", "dev/openai"] {
            if reads(&self.scene, token, key).await.is_ok() {
                keys.push(key);
            }
        }
        Power { keys, until }
    }

    /// Takes up a secret that a caller got: it may never do more than `most`.
    async fn got(&mut self, token: AccessToken, most: &Power) {
        let power = self.power(&token).await;
        assert!(power.is_within(most), "{power:?} is more than {most:?}");
        self.secrets.push((token, power));
    }

    async fn take(&mut self, step: Step, number: usize) {
        match step {
            Step::Issue { by, wide, hours } => {
                let (actor, most) = self.secret(by);
                let environments: &[&str] = if wide { &["dev", "prod"] } else { &["prod"] };
                let scopes = Scopes::from([Scope::KeysRead, Scope::TokensIssue]);
                let mut grant = ibyok_core::Grant::new(scopes, ibyok_core::Environments::named(environments.to_vec()));
                grant.expires = Some(ibyok_core::clock::Clock::now(&self.clock) + HOUR * hours as u32);
                grant.self_rotate = number.is_multiple_of(2);
                let request = TokenRequest::new(format!("issued-{number}"), grant);
                if let Ok(issued) = self.session(&actor).tokens().issue(request).await {
                    self.got(issued.token, &most).await;
                }
            }
            Step::Narrow { by, key, hours } => {
                let (actor, most) = self.secret(by);
                let mut restriction = Restriction::default();
                restriction.keys = key.then(|| vec!["openai".parse().unwrap()]);
                restriction.expires = Some(ibyok_core::clock::Clock::now(&self.clock) + HOUR * hours as u32);
                if let Ok(token) = attenuate(&actor, &restriction) {
                    self.got(token, &most).await;
                }
            }
            Step::Rotate { by, which, grace } => {
                let (actor, most) = self.secret(by);
                let id = ibyok_core::tokens::token_id(&self.secret(which).0).unwrap().to_string();
                let grace = Some(HOUR * grace as u32);
                if let Ok(rotated) = self.session(&actor).tokens().rotate(&id, grace).await {
                    self.got(rotated.token, &most).await;
                }
            }
            Step::RotateByOperator { which, grace } => {
                let (token, _) = self.secret(which);
                let id = ibyok_core::tokens::token_id(&token).unwrap().to_string();
                let before = self.widest_of(&token);
                let grace = Some(HOUR * grace as u32);
                if let Ok(rotated) = self.scene.operator().tokens().rotate(&id, grace).await {
                    self.got(rotated.token, &before).await;
                }
            }
            Step::Revoke { which, keep } => {
                let id = ibyok_core::tokens::token_id(&self.secret(which).0).unwrap().to_string();
                let descendants = match keep {
                    true => ibyok_core::tokens::Descendants::Keep,
                    false => ibyok_core::tokens::Descendants::Revoke,
                };
                self.scene.operator().tokens().revoke(&id, descendants).await.unwrap();
            }
            Step::Wait { minutes } => self.clock.move_on(Duration::from_secs(minutes * 60)),
        }
    }

    /// The most that any secret of this token was given.
    fn widest_of(&self, token: &AccessToken) -> Power {
        let id = ibyok_core::tokens::token_id(token).unwrap();
        let same = self
            .secrets
            .iter()
            .filter(|(other, _)| ibyok_core::tokens::token_id(other).unwrap() == id);
        let all: Vec<&Power> = same.map(|(_, power)| power).collect();
        Power {
            keys: all.iter().flat_map(|power| power.keys.clone()).collect(),
            until: all.iter().map(|power| power.until).max().unwrap(),
        }
    }

    /// No secret can do more than it could at the last check.
    async fn nobody_gained(&mut self) {
        for index in 0..self.secrets.len() {
            let (token, before) = self.secret(index);
            let now = self.power(&token).await;
            assert!(now.is_within(&before), "{now:?} is more than {before:?}");
            self.secrets[index].1 = now;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn no_steps_by_anybody_make_a_secret_wider_or_longer_lived(steps in proptest::collection::vec(step(), 4..14)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new().await;
            for (number, step) in steps.into_iter().enumerate() {
                world.take(step, number).await;
                world.nobody_gained().await;
            }
        });
    }
}
