//! Rights that are taken away while the key stays: its live values, and the old secret of a token.

use std::time::Duration;

use ibyok_core::{AccessToken, Code, modes::Mode};

use super::{Given, PROMISED, taken_away, two_nodes};
use crate::shared::Shared;
use crate::site::{code, key};

crate::on!(postgres redis,
    in_mock_mode_no_live_value_is_released_here_at_once_and_there_a_second_later
    a_secret_without_grace_is_refused_here_at_once_and_there_a_second_later
);

const LIVE: &str = "the live value";

fn is_live(given: &Given) -> bool {
    given.as_deref() == Ok(LIVE)
}

fn is_mock(given: &Given) -> bool {
    given.as_ref().is_ok_and(|value| value.starts_with("mock-key-"))
}

async fn in_mock_mode_no_live_value_is_released_here_at_once_and_there_a_second_later(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    let token = here.token("reader", "dev").await;
    let readers = [(&here, &token), (&there, &token)];
    for name in ["dev/by-key", "dev/by-environment"] {
        here.set(name, LIVE).await.expect("a key");
    }
    let operator = here.operator();
    let by_key = key("dev/by-key");
    let change = operator.modes().set_of_key(&by_key, Some(Mode::Mock));
    taken_away(readers, "dev/by-key", [is_live, is_mock], change).await;
    let dev = "dev".parse().expect("an environment");
    let change = operator.modes().set(&dev, Mode::Mock);
    taken_away(readers, "dev/by-environment", [is_live, is_mock], change).await;
    // A key's mock is the same wherever it is asked for.
    for name in ["dev/by-key", "dev/by-environment"] {
        let (one, other) = (here.get(&token, name).await, there.get(&token, name).await);
        assert_eq!(one.expect("a mock"), other.expect("a mock"));
    }
    // And the other way round, by the other node.
    there
        .operator()
        .modes()
        .set_of_key(&by_key, Some(Mode::Live))
        .await
        .expect("live");
    assert_eq!(there.get(&token, "dev/by-key").await.expect("a value"), LIVE);
    super::soon("it is live here", PROMISED, async || {
        is_live(&here.get(&token, "dev/by-key").await.map_err(|error| error.code())).then_some(())
    })
    .await;
}

async fn a_secret_without_grace_is_refused_here_at_once_and_there_a_second_later(shared: Shared) {
    let (_site, here, there) = two_nodes(&shared).await;
    here.set("prod/key", LIVE).await.expect("a key");
    let old = here.token("worker", "prod").await;
    let (readers, operator) = ([(&here, &old), (&there, &old)], here.operator());
    let change = operator.tokens().rotate("worker", Some(Duration::ZERO));
    let refused: fn(&Given) -> bool = |given| *given == Err(Code::Unauthenticated);
    let issued = taken_away(readers, "prod/key", [is_live, refused], change).await;
    for node in [&here, &there] {
        assert_eq!(node.get(&issued.token, "prod/key").await.expect("a value"), LIVE);
    }

    // A new secret is good here at once, and there within a second, on which the old one has ended.
    let newest = operator
        .tokens()
        .rotate("worker", Some(Duration::ZERO))
        .await
        .expect("a secret");
    here.get(&newest.token, "prod/key").await.expect("a value");
    there.serves_again(&newest.token, "prod/key", PROMISED).await;
    assert_eq!(
        code(&there.get(&issued.token, "prod/key").await),
        Some(Code::Unauthenticated)
    );

    // Of two nodes that rotate it at once, one gives a secret, and that one is good on both.
    let there_operator = there.operator();
    let (one, other) = tokio::join!(
        operator.tokens().rotate("worker", Some(Duration::ZERO)),
        there_operator.tokens().rotate("worker", Some(Duration::ZERO))
    );
    let given: Vec<AccessToken> = [one, other]
        .into_iter()
        .filter_map(|outcome| match outcome {
            Ok(issued) => Some(issued.token),
            Err(error) => {
                assert_eq!(error.code(), Code::Conflict);
                None
            }
        })
        .collect();
    tokio::time::sleep(PROMISED).await;
    let good = async |token: &AccessToken| {
        let outcomes = [here.get(token, "prod/key").await, there.get(token, "prod/key").await];
        assert_eq!(code(&outcomes[0]), code(&outcomes[1]), "the nodes agree");
        outcomes[0].is_ok()
    };
    let mut count = 0;
    for token in &given {
        count += usize::from(good(token).await);
    }
    assert_eq!(count, 1, "one secret is good");
}
